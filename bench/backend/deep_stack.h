/* SPDX-License-Identifier: MIT */
/*
 * deep_stack.h - run a function on a stack for deep recursion (uts T3L goes
 * down 17,844 calls), for backends whose first thread is an ordinary pthread.
 */
#ifndef BENCH_BACKEND_DEEP_STACK_H
#define BENCH_BACKEND_DEEP_STACK_H

#include <pthread.h>
#include <stddef.h>

#define DEEP_STACK ((size_t)256 << 20) /* addresses; memory is taken as it is touched */

struct deep_call {
	void (*fn)(void *arg);
	void *arg;
};

static void *deep_thread(void *arg)
{
	const struct deep_call *call = (const struct deep_call *)arg; /* C++ includes this too */

	call->fn(call->arg);
	return NULL;
}

static inline int on_deep_stack(void (*fn)(void *arg), void *arg)
{
	struct deep_call call = {fn, arg};
	pthread_attr_t attr;
	pthread_t t;
	int r;

	pthread_attr_init(&attr);
	r = pthread_attr_setstacksize(&attr, DEEP_STACK);
	if (!r)
		r = pthread_create(&t, &attr, deep_thread, &call);
	if (!r)
		r = pthread_join(t, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

#endif
