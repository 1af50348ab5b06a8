/* SPDX-License-Identifier: MIT */
/* overflow.h - a thread that overflows its stack, in a process that is to end by it. */
#ifndef PERCH_TESTS_CORE_OVERFLOW_H
#define PERCH_TESTS_CORE_OVERFLOW_H

#include <sys/resource.h>

/* The compiler does not know that it never returns. */
static volatile int overflow_for_ever = 1;

static __attribute__((noinline)) int overflow_below(volatile int *above)
{
	volatile int here[64];

	if (!overflow_for_ever)
		return 0;
	here[0] = *above + 1;
	return overflow_below(here) + here[0];
}

/* A thread's function. */
static inline void *overflow_in_thread(void *arg)
{
	volatile int zero = 0;

	overflow_below(&zero);
	return arg;
}

static inline void overflow_leaves_no_core(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
}

#endif
