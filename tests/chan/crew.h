/* SPDX-License-Identifier: MIT */
/* crew.h - those at the ends of a channel: threads and foreign pthreads. */
#ifndef PERCH_TESTS_CHAN_CREW_H
#define PERCH_TESTS_CHAN_CREW_H

#include <pthread.h>
#include <time.h>

#include <perch/perch.h>

#include "tests/harness/gather.h"

enum { CREW_MOST = 64 };

struct crew {
	unsigned count;
	struct {
		bool foreign;
		perch_t thread;
		pthread_t pthread;
	} one[CREW_MOST];
};

static inline void crew_add(struct crew *c, bool foreign, void *(*fn)(void *), void *arg)
{
	unsigned i = c->count++;

	ASSERT_LT(i, CREW_MOST);
	c->one[i].foreign = foreign;
	if (foreign)
		ASSERT_EQ(pthread_create(&c->one[i].pthread, NULL, fn, arg), 0);
	else
		ASSERT_EQ(perch_create(&c->one[i].thread, NULL, fn, arg), 0);
}

static inline void crew_join(struct crew *c)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->one[i].foreign)
			ASSERT_EQ(pthread_join(c->one[i].pthread, NULL), 0);
		else
			ASSERT_EQ(perch_join(c->one[i].thread, NULL), 0);
	c->count = 0;
}

/* Run it as the only thread there is so far. */
static inline void crew_run(void *(*fn)(void *), void *arg)
{
	struct crew c = {0};

	crew_add(&c, false, fn, arg);
	crew_join(&c);
}

static inline struct timespec from_now(uint64_t ns)
{
	uint64_t at = harness_now() + ns;

	return (struct timespec){.tv_sec = (time_t)(at / 1000000000u), .tv_nsec = (long)(at % 1000000000u)};
}

static inline perch_chan_t *make_chan(size_t element, size_t capacity)
{
	perch_chan_t *c = NULL;

	ASSERT_EQ(perch_chan_create(&c, element, capacity), 0);
	return c;
}

/* On one worker nobody else runs between this and the park that follows it: so
 * who sees the count, from a thread, knows that the others wait. */
static inline void yield_until(const uint32_t *word, uint32_t least)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < least)
		perch_yield();
}

#endif
