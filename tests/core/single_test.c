/* SPDX-License-Identifier: MIT */
/*
 * single_test.c - what thieves leave to its owner for a while, and what not (core/sched/steal.c): a
 * single thread beside one that hands over to it; two that take turns; the only fork of one that
 * computes. Counts and bounds are those of a busy machine.
 */
#include <sched.h>

#include <perch/chan.h>
#include <perch/perch.h>

#include "core/sched/sched.h"
#include "rseq/sanitizer.h"
#include "tests/harness/harness.h"

static bool two_workers(void)
{
	struct perch_config c = {.procs = 2};

	ASSERT_EQ(perch_start(&c), 0);
	if (perch_workers() < 2)
		perch_stop();
	return perch_workers() >= 2;
}

static void wait_for(const uint32_t *word)
{
	for (uint64_t until = harness_now() + 10000000000u; !__atomic_load_n(word, __ATOMIC_ACQUIRE);)
		ASSERT_LT(harness_now(), until);
}

static struct perch_stats stats(void)
{
	struct perch_stats s;

	ASSERT_EQ(perch_stats_get(&s), 0);
	return s;
}

/* ---- handing over ---- */

#define MESSAGES 500000

static perch_chan_t *line;

static void *produce(void *arg)
{
	for (uint64_t i = 1; i <= MESSAGES; i++)
		ASSERT_EQ(perch_chan_send(line, &i), 0);
	return arg;
}

static void *consume(void *arg)
{
	uint64_t got = 0;

	for (uint64_t i = 1; i <= MESSAGES; i++) {
		ASSERT_EQ(perch_chan_recv(line, &got), 1);
		ASSERT_EQ(got, i);
	}
	return arg;
}

/* Before, every 14th of them was asked for; that it is left alone, or that its wake leaves the request, each
 * suffices here. */
TEST_TIMEOUT(who_hands_over_runs_the_other_itself, 120)
{
	struct perch_stats s;
	perch_t t[2];

	if (!two_workers())
		SKIP("one CPU");
	if (sched.shuffle)
		SKIP("threads are sent elsewhere at each switch");
	ASSERT_EQ(perch_chan_create(&line, sizeof(uint64_t), 0), 0);
	ASSERT_EQ(perch_create(&t[0], NULL, consume, NULL), 0);
	ASSERT_EQ(perch_create(&t[1], NULL, produce, NULL), 0);
	ASSERT_EQ(perch_join(t[1], NULL), 0);
	ASSERT_EQ(perch_join(t[0], NULL), 0);
	s = stats();
	EXPECT_LT(s.asked * 50, s.parks);
	EXPECT_EQ(perch_chan_destroy(line), 0);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- taking turns ---- */

static uint32_t apart;
static int where[2];

static void *take_turns(void *arg)
{
	long me = (long)arg;

	while (!__atomic_load_n(&apart, __ATOMIC_RELAXED)) {
		int here = sched_getcpu();

		__atomic_store_n(&where[me], here + 1, __ATOMIC_RELAXED);
		for (volatile int i = 0; i < 200; i++)
			;
		if (__atomic_load_n(&where[!me], __ATOMIC_RELAXED) &&
		    __atomic_load_n(&where[!me], __ATOMIC_RELAXED) != here + 1)
			__atomic_store_n(&apart, 1, __ATOMIC_RELEASE);
		perch_yield();
	}
	return arg;
}

/* Their worker switches all the time, and each look at it finds one of them. */
TEST_TIMEOUT(two_that_take_turns_get_a_worker_each, 60)
{
	perch_t t[2];

	if (!two_workers())
		SKIP("one CPU");
	ASSERT_EQ(perch_set_procs(1), 0);
	for (long i = 0; i < 2; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, take_turns, (void *)i), 0);
	for (int i = 0; i < 2; i++)
		while (!__atomic_load_n(&where[i], __ATOMIC_RELAXED))
			sched_yield();
	ASSERT_EQ(perch_set_procs(2), 0);
	wait_for(&apart);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- computing ---- */

#define FORKS 300

static uint32_t begun;

static void *begin(void *arg)
{
	__atomic_store_n(&begun, 1, __ATOMIC_RELEASE);
	return arg;
}

static void *compute_and_fork(void *arg)
{
	perch_t t;

	for (int i = 0; i < FORKS; i++) {
		for (uint64_t until = harness_now() + 50000; harness_now() < until;)
			;
		begun = 0;
		ASSERT_EQ(perch_create(&t, NULL, begin, NULL), 0);
		wait_for(&begun); /* without a scheduling point: the other worker has it */
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	return arg;
}

/* The other worker has asked before there was anything, or sleeps on its request. */
TEST_TIMEOUT(who_computes_is_asked_in_advance, 60)
{
	struct perch_stats s;
	perch_t t;

	if (!two_workers())
		SKIP("one CPU");
	if (sched.shuffle)
		SKIP("threads are sent elsewhere at each switch");
	ASSERT_EQ(perch_create(&t, NULL, compute_and_fork, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	s = stats();
#if !SANITIZER_THREAD && !SANITIZER_ADDRESS /* under which a look takes longer than what it waits for */
	EXPECT_LT(s.forced, FORKS / 3);
#endif
	(void)s;
	EXPECT_EQ(perch_stop(), 0);
}
