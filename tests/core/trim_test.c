/* SPDX-License-Identifier: MIT */
/* trim_test.c - free stacks and descriptors give their memory back, by age and at once. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "core/thread/trim.h"
#include "rseq/sanitizer.h"
#include "tests/core/overflow.h"
#include "tests/harness/gather.h"

#define PAGE ((size_t)4096)
#define MIB ((size_t)1 << 20)
/* A sanitizer has memory of its own for each page. */
#define SHADOWS (SANITIZER_THREAD + SANITIZER_ADDRESS)
#define BURST (SANITIZER_THREAD ? 300 : 4000)

static size_t resident(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	ASSERT_NE(f, NULL);
	EXPECT_EQ(fscanf(f, "%*s %zu", &pages), 1);
	fclose(f);
	return pages * PAGE;
}

/* ---- a burst: so many threads at once, each with three pages of its stack ---- */

static perch_event_t go;
static uint32_t there;

static void *touch_and_wait(void *arg)
{
	volatile char b[3 * PAGE];

	for (size_t i = 0; i < sizeof(b); i += PAGE / 4)
		b[i] = 1;
	count_up(&there);
	EXPECT_EQ(perch_event_wait(&go), 0);
	return arg;
}

/* What they took, in bytes. handle: of BURST. */
static size_t burst(perch_t *handle, const char *name)
{
	size_t before = resident(), all;
	perch_attr_t a;

	ASSERT_EQ(perch_event_init(&go), 0);
	ASSERT_EQ(perch_attr_init(&a), 0);
	if (name)
		ASSERT_EQ(perch_attr_setname(&a, name), 0);
	there = 0;
	for (int i = 0; i < BURST; i++)
		ASSERT_EQ(perch_create(&handle[i], &a, touch_and_wait, &handle[i]), 0);
	ASSERT_TRUE(gather(&there, BURST, 120));
	all = resident();
	ASSERT_EQ(perch_event_set(&go), 0);
	for (int i = 0; i < BURST; i++) {
		void *result = NULL;

		ASSERT_EQ(perch_join(handle[i], &result), 0);
		ASSERT_EQ(result, &handle[i]);
	}
	ASSERT_EQ(perch_event_destroy(&go), 0);
	return all > before ? all - before : 0;
}

TEST_TIMEOUT(memory_comes_back_by_itself, 120)
{
	perch_t *handle = malloc(BURST * sizeof(*handle));
	uint64_t until;
	size_t before, took;

	ASSERT_EQ(perch_start(NULL), 0);
	before = resident();
	took = burst(handle, NULL);
	/* within four seconds, and as long as a busy machine needs for it */
	until = harness_now() + 40000000000u;
	while (trim_wanted() && harness_now() < until)
		usleep(50000);
	harness_log("%zu KiB for %d threads, %zu KiB kept", took >> 10, BURST, (resident() - before) >> 10);
	EXPECT_FALSE(trim_wanted());
	if (!SHADOWS) {
		EXPECT_GE(took, BURST * 3 * PAGE);
		EXPECT_LT(resident(), before + 4 * MIB);
	}
	ASSERT_EQ(perch_stop(), 0);
	free(handle);
}

TEST_TIMEOUT(memory_comes_back_at_once, 120)
{
	perch_t *handle = malloc(BURST * sizeof(*handle));

	ASSERT_EQ(perch_start(NULL), 0);
	for (int i = 0; i < 3; i++) {
		size_t before = resident(), took = burst(handle, NULL);

		/* a page of each stack, and of descriptors 64 a page */
		EXPECT_GE(perch_trim(), BURST * PAGE);
		if (SHADOWS)
			continue;
		EXPECT_GE(took, BURST * 3 * PAGE);
		/* not even what lay on lists of CPUs is kept; the rest is the harness's */
		EXPECT_LT(resident(), before + MIB / 2);
	}
	ASSERT_EQ(perch_stop(), 0);
	free(handle);
}

TEST(nothing_is_left_at_the_second_call)
{
	perch_t *handle = malloc(BURST * sizeof(*handle));

	perch_trim(); /* before the start, there may be objects */
	ASSERT_EQ(perch_start(NULL), 0);
	burst(handle, NULL);
	EXPECT_GE(perch_trim(), BURST * PAGE);
	EXPECT_LT(perch_trim(), 8 * PAGE);
	ASSERT_EQ(perch_stop(), 0);
	EXPECT_EQ(perch_trim(), 0);
	free(handle);
}

/* ---- handles ---- */

static int by_value(const void *a, const void *b)
{
	perch_t x = *(const perch_t *)a, y = *(const perch_t *)b;

	return x < y ? -1 : x > y;
}

TEST_TIMEOUT(handles_stay_void, 120)
{
	enum { ROUNDS = 4 };
	perch_t *handle = malloc(ROUNDS * BURST * sizeof(*handle));

	ASSERT_EQ(perch_start(NULL), 0);
	for (int r = 0; r < ROUNDS; r++) {
		burst(&handle[r * BURST], r % 2 ? "for the time being" : NULL);
		perch_trim();
		for (int i = 0; i < (r + 1) * BURST; i++)
			ASSERT_EQ(perch_join(handle[i], NULL), -ESRCH);
	}
	/* and none is given out twice */
	qsort(handle, ROUNDS * BURST, sizeof(*handle), by_value);
	for (int i = 1; i < ROUNDS * BURST; i++)
		ASSERT_NE(handle[i], handle[i - 1]);
	ASSERT_EQ(perch_stop(), 0);
	free(handle);
}

static perch_event_t later;

static void *wait_for_later(void *arg)
{
	EXPECT_EQ(perch_event_wait(&later), 0);
	return arg;
}

static void *end_at_once(void *arg)
{
	return arg;
}

/* Every 40th lives on, in a page whose others retire. */
TEST_TIMEOUT(those_beside_live_on, 120)
{
	perch_t *handle = malloc(BURST * sizeof(*handle));

	ASSERT_EQ(perch_start(NULL), 0);
	for (int round = 0; round < 3; round++) {
		ASSERT_EQ(perch_event_init(&later), 0);
		for (int i = 0; i < BURST; i++)
			ASSERT_EQ(perch_create(&handle[i], NULL, i % 40 ? end_at_once : wait_for_later, &handle[i]), 0);
		for (int i = 0; i < BURST; i++)
			if (i % 40)
				ASSERT_EQ(perch_join(handle[i], NULL), 0);
		perch_trim();
		for (int i = 0; i < BURST; i++)
			if (i % 40)
				ASSERT_EQ(perch_join(handle[i], NULL), -ESRCH);
		ASSERT_EQ(perch_event_set(&later), 0);
		for (int i = 0; i < BURST; i += 40) {
			void *result = NULL;

			ASSERT_EQ(perch_join(handle[i], &result), 0);
			ASSERT_EQ(result, &handle[i]);
		}
		ASSERT_EQ(perch_event_destroy(&later), 0);
	}
	ASSERT_EQ(perch_stop(), 0);
	free(handle);
}

/* ---- guards ---- */

static void overflow_child(void *arg)
{
	perch_t *handle = malloc(BURST * sizeof(*handle)), t;

	(void)arg;
	overflow_leaves_no_core();
	if (perch_start(NULL))
		_exit(9);
	burst(handle, NULL);
	perch_trim();
	if (perch_create(&t, NULL, overflow_in_thread, NULL))
		_exit(7);
	perch_join(t, NULL);
	_exit(8);
}

TEST_TIMEOUT(a_guard_stays_one, 60)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, overflow_child, NULL), 0);
	EXPECT_TRUE(WIFSIGNALED(c.status));
	EXPECT_EQ(WTERMSIG(c.status), SIGABRT);
	EXPECT_CONTAINS(c.text, "overflowed its stack");
	harness_release(&c);
}

/* ---- beside others ---- */

static uint32_t over;

static void *trim_again_and_again(void *calls)
{
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		perch_trim();
		count_up(calls);
	}
	return NULL;
}

static void *yield_once(void *arg)
{
	EXPECT_EQ(perch_yield(), 0);
	return arg;
}

static void *create_and_join(void *arg)
{
	perch_t t[100];

	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		unsigned n = 1 + (unsigned)harness_random_below(100);

		for (unsigned i = 0; i < n; i++)
			ASSERT_EQ(perch_create(&t[i], NULL, yield_once, &t[i]), 0);
		for (unsigned i = 0; i < n; i++) {
			void *result = NULL;

			ASSERT_EQ(perch_join(t[i], &result), 0);
			ASSERT_EQ(result, &t[i]);
		}
	}
	return arg;
}

TEST_TIMEOUT(beside_threads_that_come_and_go, 60)
{
	uint32_t calls = 0;
	pthread_t p[2];
	perch_t t[4];

	ASSERT_EQ(perch_start(NULL), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, create_and_join, NULL), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, trim_again_and_again, &calls), 0);
	usleep(2000000);
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	harness_log("%u calls", calls);
	EXPECT_GT(calls, 0);
	ASSERT_EQ(perch_stop(), 0);
}
