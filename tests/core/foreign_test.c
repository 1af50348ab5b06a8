/* SPDX-License-Identifier: MIT */
/* foreign_test.c - pthreads that the runtime did not make use all of it. */
#include <errno.h>
#include <pthread.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

FIXTURE(foreign)
{
	int unused;
};
FIXTURE_VARIANT(foreign)
{
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(foreign, all_cpus){PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(foreign, alone){{.workers = 1}};
FIXTURE_VARIANT_ADD(foreign, crowded){{.workers = 5}};

FIXTURE_SETUP(foreign)
{
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(foreign)
{
	EXPECT_EQ(perch_stop(), 0);
}

static uint32_t detached_ran;

static void add_one(void *arg)
{
	count_up(arg);
}

static void done(void *wg)
{
	perch_waitgroup_done(wg);
}

static void *give(void *arg)
{
	return arg;
}

static void *add_and_give(void *arg)
{
	count_up(arg);
	return arg;
}

static void sum_body(size_t lo, size_t hi, void *value, void *context)
{
	(void)context;
	for (size_t i = lo; i < hi; i++)
		*(uint64_t *)value += i;
}

static void sum_join(void *left, const void *right, void *context)
{
	(void)context;
	*(uint64_t *)left += *(const uint64_t *)right;
}

enum { ROUNDS = SANITIZER_THREAD ? 50 : 200 };

static void *everything(void *arg)
{
	uint64_t zero = 0, sum;

	EXPECT_EQ(perch_self(), 0);
	for (int i = 0; i < ROUNDS; i++) {
		perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
		perch_call_t c[3];
		uint32_t n = 0;
		void *result;
		perch_t t;

		ASSERT_EQ(perch_create(&t, NULL, give, &wg), 0);
		ASSERT_EQ(perch_waitgroup_add(&wg, 2), 0);
		ASSERT_EQ(perch_go(done, &wg), 0);
		for (int k = 0; k < 3; k++)
			ASSERT_EQ(perch_fork(&c[k], add_one, &n), 0);
		ASSERT_EQ(perch_go(done, &wg), 0);
		ASSERT_EQ(perch_join(t, &result), 0);
		ASSERT_EQ(result, &wg);
		for (int k = 0; k < 3; k++)
			ASSERT_EQ(perch_sync(&c[k]), 0);
		ASSERT_EQ(n, 3);
		ASSERT_EQ(perch_waitgroup_wait(&wg), 0);
		ASSERT_EQ(perch_create(&t, NULL, add_and_give, &detached_ran), 0);
		ASSERT_EQ(perch_detach(t), 0);
		ASSERT_EQ(perch_yield(), 0);
		ASSERT_EQ(perch_reduce(0, 1000, 50, sizeof(sum), &zero, sum_body, sum_join, &sum, NULL), 0);
		ASSERT_EQ(sum, 1000 * 999 / 2);
	}
	return arg;
}

TEST_F(foreign, many_at_once_do_everything)
{
	pthread_t p[16];

	for (int i = 0; i < 16; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, everything, NULL), 0);
	for (int i = 0; i < 16; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	EXPECT_TRUE(gather(&detached_ran, 16 * ROUNDS, 20));
}

/* Pthreads that come and go: the stand-in of one that ended serves another. */
static void *wait_once(void *arg)
{
	void *result;
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, give, arg), 0);
	ASSERT_EQ(perch_join(t, &result), 0);
	return result;
}

TEST_F(foreign, that_come_and_go)
{
	for (int i = 0; i < 300; i++) {
		pthread_t p[4];
		char x[4];
		void *result;

		for (int k = 0; k < 4; k++)
			ASSERT_EQ(pthread_create(&p[k], NULL, wait_once, &x[k]), 0);
		for (int k = 0; k < 4; k++) {
			ASSERT_EQ(pthread_join(p[k], &result), 0);
			ASSERT_EQ(result, &x[k]);
		}
	}
}

/* One whose last destructor still uses perch, after its stand-in was given back. */
static pthread_key_t last_words;

static void speak(void *arg)
{
	static __thread int rounds;

	/* the thread sanitizer is gone in the fourth and last round, when the second stand-in is given back */
	if (rounds++ < (SANITIZER_THREAD ? 1 : 2)) {
		ASSERT_EQ(pthread_setspecific(last_words, arg), 0);
		return;
	}
	ASSERT_EQ(wait_once(arg), arg);
	count_up(arg);
}

static void *end_with_words(void *arg)
{
	ASSERT_EQ(wait_once(arg), arg);
	ASSERT_EQ(pthread_setspecific(last_words, arg), 0);
	return arg;
}

TEST_F(foreign, in_a_destructor)
{
	uint32_t said = 0;

	ASSERT_EQ(pthread_key_create(&last_words, speak), 0);
	for (int i = 0; i < 100; i++) {
		pthread_t p[3];

		for (int k = 0; k < 3; k++)
			ASSERT_EQ(pthread_create(&p[k], NULL, end_with_words, &said), 0);
		for (int k = 0; k < 3; k++)
			ASSERT_EQ(pthread_join(p[k], NULL), 0);
	}
	EXPECT_EQ(said, 300);
}

/* Threads and pthreads join what the others made. */
static void *make(void *arg)
{
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, give, arg), 0);
	return (void *)(uintptr_t)t;
}

static void *join_it(void *handle)
{
	void *result;

	ASSERT_EQ(perch_join((perch_t)(uintptr_t)handle, &result), 0);
	return result;
}

TEST_F(foreign, handles_go_in_and_out)
{
	for (int i = 0; i < 300; i++) {
		void *made, *result;
		perch_t t;
		int x;

		ASSERT_EQ(perch_create(&t, NULL, make, &x), 0);
		ASSERT_EQ(perch_join(t, &made), 0);
		if (i % 2) {
			result = join_it(made);
		} else {
			ASSERT_EQ(perch_create(&t, NULL, join_it, made), 0);
			ASSERT_EQ(perch_join(t, &result), 0);
		}
		ASSERT_EQ(result, &x);
	}
}
