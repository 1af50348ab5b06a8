/* SPDX-License-Identifier: MIT */
/* join_test.c - a joiner runs what nobody has started, on its own stack or on a larger one. */
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "rseq/percpu.h"
#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"
#include "tests/see/dumped.h"

/* A joiner that is built otherwise, or works by locks, waits for each of them. */
static bool joiners_run(void)
{
#ifdef __clang__
	return false;
#else
	return !SANITIZER_THREAD && !SANITIZER_ADDRESS && !percpu_locked;
#endif
}

/* Run by a thread of the ordinary size that has been started from a queue. */
static void *started(void *(*fn)(void *), void *arg)
{
	void *result = NULL;
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, fn, arg), 0);
	/* a pthread that joins waits; only workers run it */
	ASSERT_EQ(perch_join(t, &result), 0);
	return result;
}

static void *fib(void *arg)
{
	long n = (long)arg;
	void *a = NULL, *b;
	perch_t t;

	if (n < 2)
		return arg;
	if (perch_create(&t, NULL, fib, (void *)(n - 1)))
		abort();
	b = fib((void *)(n - 2));
	if (perch_join(t, &a))
		abort();
	return (void *)((long)a + (long)b);
}

FIXTURE(join)
{
	int unused;
};
FIXTURE_VARIANT(join)
{
	unsigned procs;
};
FIXTURE_VARIANT_ADD(join, one){1};
FIXTURE_VARIANT_ADD(join, all){0};

FIXTURE_SETUP(join)
{
	struct perch_config config = PERCH_CONFIG_INIT;

	config.procs = variant->procs;
	ASSERT_EQ(perch_start(&config), 0);
}

FIXTURE_TEARDOWN(join)
{
	EXPECT_EQ(perch_stop(), 0);
}

TEST_F(join, a_recursion_of_threads_hardly_waits)
{
	struct perch_stats before, after;
	/* where all wait, each takes a stack, and the thread sanitizer milliseconds */
	bool all = !SANITIZER_THREAD;

	(void)self;
	ASSERT_EQ(perch_stats_get(&before), 0);
	EXPECT_EQ(started(fib, (void *)(all ? 20L : 11L)), (void *)(all ? 6765L : 89L));
	ASSERT_EQ(perch_stats_get(&after), 0);
	harness_log("%lu threads, %lu waits, %lu stacks", (unsigned long)(after.spawned - before.spawned),
		    (unsigned long)(after.parks - before.parks), (unsigned long)after.stacks);
	EXPECT_EQ(after.spawned - before.spawned, all ? 10946 : 144);
	/* nearly all waited, as no two threads of one size fit on one stack */
	if (joiners_run())
		EXPECT_LT(after.parks - before.parks, 1000);
}

/* ---- each has the stack that it was promised ---- */

#define FILLED ((size_t)52 << 10)

static void *fill(void *arg)
{
	volatile char room[FILLED];

	for (size_t i = 0; i < FILLED; i += 512)
		room[i] = (char)i;
	return (void *)((long)arg + room[0]);
}

static void *deeper(void *arg)
{
	long n = (long)arg;
	volatile char room[3000];
	void *a = NULL, *b = NULL;
	perch_t t, leaf;

	room[0] = 0;
	if (!n)
		return NULL;
	if (perch_create(&t, NULL, deeper, (void *)(n - 1)) || perch_create(&leaf, NULL, fill, (void *)1))
		abort();
	if (perch_join(leaf, &b) || perch_join(t, &a))
		abort();
	return (void *)((long)a + (long)b + room[0]);
}

TEST_F(join, all_of_a_long_chain_have_their_whole_stack)
{
	(void)self;
	EXPECT_EQ(started(deeper, (void *)1000), (void *)1000);
}

/* ---- what runs there is a thread as any ---- */

static perch_key_t key;
static uint32_t destroyed;

static void destroy(void *value)
{
	EXPECT_EQ(value, &key);
	count_up(&destroyed);
}

static void *leave(void *arg)
{
	perch_t *id = arg;

	EXPECT_EQ(perch_self(), *id);
	EXPECT_NULL(perch_getspecific(key));
	EXPECT_EQ(perch_setspecific(key, &key), 0);
	perch_exit((void *)17);
}

static void *leave_often(void *arg)
{
	perch_t me = perch_self();

	EXPECT_EQ(perch_setspecific(key, arg), 0);
	for (int i = 0; i < 100; i++) {
		void *result = NULL;
		perch_t t;

		EXPECT_EQ(perch_create(&t, NULL, leave, &t), 0);
		EXPECT_EQ(perch_join(t, &result), 0);
		EXPECT_EQ(result, (void *)17);
		EXPECT_EQ(perch_self(), me);
		EXPECT_EQ(perch_getspecific(key), arg);
	}
	EXPECT_EQ(perch_setspecific(key, NULL), 0);
	return arg;
}

TEST_F(join, exit_self_and_keys)
{
	(void)self;
	destroyed = 0;
	ASSERT_EQ(perch_key_create(&key, destroy), 0);
	EXPECT_EQ(started(leave_often, &destroyed), &destroyed);
	EXPECT_EQ(destroyed, 100);
	EXPECT_EQ(perch_key_delete(key), 0);
}

static perch_event_t go;
static uint32_t waiting;

static void *wait_here(void *arg)
{
	count_up(&waiting);
	EXPECT_EQ(perch_event_wait(&go), 0);
	return arg;
}

static void *join_one(void *arg)
{
	void *result = NULL;
	perch_t t;

	EXPECT_EQ(perch_create(&t, NULL, wait_here, arg), 0);
	EXPECT_EQ(perch_join(t, &result), 0);
	EXPECT_EQ(result, arg);
	return result;
}

/* The joined thread waits on the larger stack, and goes on under any worker. */
TEST_F(join, who_waits_there_keeps_its_joiner)
{
	enum { N = 200 };
	perch_t t[N];

	(void)self;
	waiting = 0;
	ASSERT_EQ(perch_event_init(&go), 0);
	for (long i = 0; i < N; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, join_one, (void *)i), 0);
	ASSERT_TRUE(gather(&waiting, N, 20));
	{
		char *text = dump();

		EXPECT_CONTAINS(text, "join");
		EXPECT_CONTAINS(text, "join_one");
		EXPECT_CONTAINS(text, "wait_here");
		free(text);
	}
	ASSERT_EQ(perch_event_set(&go), 0);
	for (long i = 0; i < N; i++) {
		void *result = NULL;

		ASSERT_EQ(perch_join(t[i], &result), 0);
		EXPECT_EQ(result, (void *)i);
	}
}

static void *pinned_joins(void *arg)
{
	EXPECT_EQ(perch_pin(), 0);
	EXPECT_EQ(fib((void *)12), (void *)144);
	EXPECT_EQ(perch_unpin(), 0);
	return arg;
}

TEST_F(join, a_pinned_joiner_waits_where_it_does_not_fit)
{
	(void)self;
	EXPECT_EQ(started(pinned_joins, &go), &go);
}
