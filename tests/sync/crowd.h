/* SPDX-License-Identifier: MIT */
/* crowd.h - many who wait: threads, pthreads, or both; and how many do. */
#ifndef PERCH_TESTS_SYNC_CROWD_H
#define PERCH_TESTS_SYNC_CROWD_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include <perch/perch.h>

#include "rseq/bias.h"
#include "tests/harness/gather.h"

/* Each test once with a worker on every CPU, once with one, once with six. */
#define RUNTIME_FIXTURE(name)                                                                                          \
	FIXTURE(name)                                                                                                  \
	{                                                                                                              \
		int unused;                                                                                            \
	};                                                                                                             \
	FIXTURE_VARIANT(name)                                                                                          \
	{                                                                                                              \
		struct perch_config config;                                                                            \
	};                                                                                                             \
	FIXTURE_VARIANT_ADD(name, all_cpus){PERCH_CONFIG_INIT};                                                        \
	FIXTURE_VARIANT_ADD(name, alone){{.workers = 1}};                                                              \
	FIXTURE_VARIANT_ADD(name, crowded){{.workers = 6}};                                                            \
	FIXTURE_SETUP(name)                                                                                            \
	{                                                                                                              \
		ASSERT_EQ(perch_start(&variant->config), 0);                                                           \
	}                                                                                                              \
	FIXTURE_TEARDOWN(name)                                                                                         \
	{                                                                                                              \
		EXPECT_EQ(perch_stop(), 0);                                                                            \
	}

#define CROWD_MOST 64

struct crowd {
	unsigned threads, pthreads;
	perch_t thread[CROWD_MOST];
	pthread_t pthread[CROWD_MOST];
};

static inline void crowd_add_thread(struct crowd *c, void *(*fn)(void *), void *arg)
{
	ASSERT_EQ(perch_create(&c->thread[c->threads++], NULL, fn, arg), 0);
}

static inline void crowd_add_pthread(struct crowd *c, void *(*fn)(void *), void *arg)
{
	ASSERT_EQ(pthread_create(&c->pthread[c->pthreads++], NULL, fn, arg), 0);
}

static inline void crowd_add(struct crowd *c, unsigned threads, unsigned pthreads, void *(*fn)(void *), void *arg)
{
	while (threads--)
		crowd_add_thread(c, fn, arg);
	while (pthreads--)
		crowd_add_pthread(c, fn, arg);
}

static inline void crowd_join(struct crowd *c)
{
	while (c->threads)
		ASSERT_EQ(perch_join(c->thread[--c->threads], NULL), 0);
	while (c->pthreads)
		ASSERT_EQ(pthread_join(c->pthread[--c->pthreads], NULL), 0);
}

/* Of CLOCK_MONOTONIC, from now; may lie in the past. */
static inline struct timespec in_ns(int64_t ns)
{
	int64_t at = (int64_t)harness_now() + ns;

	return (struct timespec){at / 1000000000, at % 1000000000};
}

static const struct timespec long_past = {0, 1}, bad_time = {0, 1000000000}, worse_time = {5, -1};

/* How many are in this queue now. The one place where a test looks inside. */
static inline unsigned waiting(perch_waitq_t *q)
{
	unsigned n = 0;

	bias_lock((struct bias_lock *)q->lock);
	for (void *w = q->first; w; w = *(void **)w)
		n++;
	bias_unlock((struct bias_lock *)q->lock);
	return n;
}

/* True once n are; false after 20 s. Blocks the pthread that calls it. */
static inline bool until_waiting(perch_waitq_t *q, unsigned n)
{
	uint64_t until = harness_now() + 20000000000u;

	while (waiting(q) != n) {
		struct timespec nap = {0, 20000};

		if (harness_now() > until)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

/* Let others have a chance, in one of several ways. */
static inline void dawdle(uint64_t max_ns)
{
	switch (harness_random_below(4)) {
	case 0:
		perch_yield();
		break;
	case 1:
		harness_delay(max_ns);
		break;
	default:;
	}
}

/* An object that was destroyed: whoever still writes to it is seen. */
static inline void expect_left_alone(void *object, size_t size)
{
	unsigned char *byte = object;

	memset(object, 0xee, size);
	dawdle(3000);
	for (size_t i = 0; i < size; i++)
		ASSERT_EQ(__atomic_load_n(&byte[i], __ATOMIC_RELAXED), 0xee);
}

#endif
