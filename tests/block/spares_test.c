/* SPDX-License-Identifier: MIT */
/* spares_test.c - how many pthreads there are for hand-offs, and what if there are none. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rseq/sanitizer.h"
#include "tests/block/others.h"

static uint32_t refusing;

#if !SANITIZER_THREAD && !SANITIZER_ADDRESS
#define CAN_REFUSE true
/* Stands before the C library's in this program. */
int pthread_create(pthread_t *p, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (__atomic_load_n(&refusing, __ATOMIC_ACQUIRE))
		return EAGAIN;
	if (!__atomic_load_n(&real, __ATOMIC_ACQUIRE))
		__atomic_store_n(&real,
				 (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))(
					 uintptr_t)dlsym(RTLD_NEXT, "pthread_create"),
				 __ATOMIC_RELEASE);
	return real(p, a, fn, arg);
}
#else
#define CAN_REFUSE false /* the sanitizer has a pthread_create of its own */
#endif

static void *count_here(void *arg)
{
	count_up(arg);
	return arg;
}

static struct perch_stats stats(void)
{
	struct perch_stats s;

	ASSERT_EQ(perch_stats_get(&s), 0);
	return s;
}

/* ---- refused ---- */

static void run_refused(void *how)
{
	const struct perch_config config = {.workers = 1};
	enum how h = *(enum how *)how;
	struct readers rs;
	uint32_t ran = 0;
	perch_t t;

	ASSERT_EQ(perch_start(&config), 0);
	__atomic_store_n(&refusing, 1, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t refused = stats().handoffs_refused;

		readers_start(&rs, 1, h);
		ASSERT_EQ(perch_create(&t, NULL, count_here, &ran), 0);
		/* there is nobody to run it; and that is tried again and again */
		for (int k = 0; k < 30000 && stats().handoffs_refused < refused + 5; k++)
			sleep_ms(1);
		ASSERT_GE(stats().handoffs_refused, refused + 5);
		ASSERT_EQ(__atomic_load_n(&ran, __ATOMIC_ACQUIRE), i);
		/* all goes on when the one that blocked returns */
		readers_end(&rs);
		ASSERT_TRUE(others_go_on());
		ASSERT_EQ(perch_join(t, NULL), 0);
		ASSERT_EQ(ran, i + 1);
	}
	ASSERT_EQ(stats().spares, 0);
	ASSERT_EQ(stats().handoffs, 0);
	/* and while it is still blocked, when there are pthreads to be had */
	readers_start(&rs, 1, h);
	ASSERT_EQ(perch_create(&t, NULL, count_here, &ran), 0);
	sleep_ms(50);
	ASSERT_EQ(__atomic_load_n(&ran, __ATOMIC_ACQUIRE), 2);
	__atomic_store_n(&refusing, 0, __ATOMIC_RELEASE);
	ASSERT_TRUE(gather(&ran, 3, PATIENCE));
	ASSERT_TRUE(others_go_on());
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_GE(stats().handoffs, 1);
	readers_end(&rs);
	readers_start(&rs, 4, h);
	ASSERT_TRUE(others_go_on());
	readers_end(&rs);
	ASSERT_EQ(perch_stop(), 0);
	fprintf(stderr, "came to its end\n");
}

TEST_TIMEOUT(a_pthread_is_refused, 250)
{
	if (!CAN_REFUSE)
		SKIP("the sanitizer has a pthread_create of its own");
	for (enum how how = UNMARKED; how < HOWS; how++) {
		struct harness_captured c;

		ASSERT_EQ(harness_capture(&c, run_refused, &how), 0);
		if (c.status)
			harness_log("%s", c.text);
		EXPECT_EQ(c.status, 0);
		EXPECT_EQ(times(c.text, "perch: no pthread for a spare worker: "), 1);
		EXPECT_CONTAINS(c.text, strerror(EAGAIN));
		EXPECT_CONTAINS(c.text, "came to its end");
		harness_release(&c);
	}
}

/* ---- as many as there may be ---- */

static void *mark_for_a_while(void *arg)
{
	uint64_t until = harness_now() + 50000000;

	while (harness_now() < until) {
		perch_block_begin();
		perch_block_end();
		perch_yield();
	}
	return arg;
}

static void run_bounded(void *by_variable)
{
	struct perch_config config = {.workers = 1, .spares = by_variable ? 0 : 1};
	struct reader r[2];
	uint32_t begun = 0, ended = 0, ran = 0;
	perch_t t;

	if (by_variable)
		setenv("PERCH_SPARES", "1", 1);
	ASSERT_EQ(perch_start(&config), 0);
	for (int turn = 0; turn < 3; turn++) {
		uint64_t refused = stats().handoffs_refused;

		/* then the only spare stands by for the next marked call, which is none of these */
		if (turn == 2) {
			ASSERT_EQ(perch_create(&t, NULL, mark_for_a_while, NULL), 0);
			ASSERT_EQ(perch_join(t, NULL), 0);
		}
		begun = ended = ran = 0;
		for (uint32_t i = 0; i < 2; i++) {
			reader_start(&r[i], turn == 1 ? MARKED : UNMARKED, &begun, &ended);
			ASSERT_TRUE(gather(&begun, i + 1, PATIENCE));
		}
		ASSERT_EQ(perch_create(&t, NULL, count_here, &ran), 0);
		for (int k = 0; k < 30000 && stats().handoffs_refused < refused + 5; k++)
			sleep_ms(1);
		ASSERT_GE(stats().handoffs_refused, refused + 5);
		ASSERT_EQ(__atomic_load_n(&ran, __ATOMIC_ACQUIRE), 0);
		ASSERT_EQ(stats().spares, 1);
		/* one of the two that came back is a spare for the other */
		reader_release(&r[turn % 2]);
		ASSERT_TRUE(gather(&ran, 1, PATIENCE));
		ASSERT_TRUE(others_go_on());
		ASSERT_EQ(__atomic_load_n(&ended, __ATOMIC_ACQUIRE), 1);
		reader_release(&r[1 - turn % 2]);
		for (int i = 0; i < 2; i++)
			reader_join(&r[i]);
		ASSERT_EQ(perch_join(t, NULL), 0);
		ASSERT_EQ(stats().spares, 1);
	}
	ASSERT_EQ(perch_stop(), 0);
	fprintf(stderr, "came to its end\n");
}

TEST_TIMEOUT(no_more_than_there_may_be, 250)
{
	int by_variable;

	for (int i = 0; i < 2; i++) {
		struct harness_captured c;

		ASSERT_EQ(harness_capture(&c, run_bounded, i ? &by_variable : NULL), 0);
		if (c.status)
			harness_log("%s", c.text);
		EXPECT_EQ(c.status, 0);
		EXPECT_EQ(times(c.text, "perch: all 1 spare workers (PERCH_SPARES) are in use"), 1);
		EXPECT_CONTAINS(c.text, "came to its end");
		harness_release(&c);
	}
}

/* ---- none at all ---- */

static void run_without(void *by_variable)
{
	struct perch_config config = {.workers = 1, .handoff = by_variable ? PERCH_HANDOFF_AUTO : PERCH_HANDOFF_OFF};

	if (by_variable)
		setenv("PERCH_HANDOFF", "off", 1);
	ASSERT_EQ(perch_start(&config), 0);
	for (enum how how = UNMARKED; how < HOWS; how++) {
		uint32_t ran = 0;
		struct readers rs;
		perch_t t;

		readers_start(&rs, 1, how);
		ASSERT_EQ(perch_create(&t, NULL, count_here, &ran), 0);
		sleep_ms(200);
		ASSERT_EQ(__atomic_load_n(&ran, __ATOMIC_ACQUIRE), 0);
		ASSERT_EQ(pthreads_now().lookouts, 0);
		readers_end(&rs);
		ASSERT_EQ(perch_join(t, NULL), 0);
		ASSERT_TRUE(others_go_on());
	}
	ASSERT_EQ(stats().spares, 0);
	ASSERT_EQ(stats().handoffs, 0);
	ASSERT_EQ(perch_stop(), 0);
}

TEST_TIMEOUT(handoff_off, 120)
{
	struct perch_config config = {.workers = 1, .handoff = PERCH_HANDOFF_ON};
	struct readers rs;
	uint32_t ran = 0;
	int by_variable;
	perch_t t;

	for (int i = 0; i < 2; i++) {
		struct harness_captured c;

		ASSERT_EQ(harness_capture(&c, run_without, i ? &by_variable : NULL), 0);
		if (c.status)
			harness_log("%s", c.text);
		EXPECT_EQ(c.status, 0);
		harness_release(&c);
	}
	/* and that is what makes the difference */
	ASSERT_EQ(perch_start(&config), 0);
	/* it takes its name when it first runs */
	for (int i = 0; i < 10000 && !pthreads_now().monitors; i++)
		sleep_ms(1);
	readers_start(&rs, 1, UNMARKED);
	ASSERT_EQ(perch_create(&t, NULL, count_here, &ran), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	/* it may have run before the reader did */
	for (int tries = 0; !stats().handoffs && tries < 1000; tries++)
		sleep_ms(10);
	EXPECT_GE(stats().handoffs, 1);
	readers_end(&rs);
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- again and again ---- */

static unsigned long lines_of(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long n = 0;
	int c;

	ASSERT_NE(f, NULL);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static unsigned long resident_pages(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long all, resident;

	ASSERT_NE(f, NULL);
	ASSERT_EQ(fscanf(f, "%lu %lu", &all, &resident), 2);
	fclose(f);
	return resident;
}

TEST_TIMEOUT(starts_and_stops_leave_nothing, 250)
{
	struct perch_config config = {.workers = 2};
	unsigned long maps = 0, pages = 0;
	unsigned pthreads = 0;

	for (int i = 0; i < 40; i++) {
		struct readers rs;

		ASSERT_EQ(perch_start(&config), 0);
		readers_start(&rs, 5, HOWS);
		EXPECT_TRUE(others_go_on());
		EXPECT_GE(stats().handoffs, 4); /* five were in their read, and yet there was one for others */
		readers_end(&rs);
		ASSERT_EQ(perch_stop(), 0);
		if (i == 10) { /* the allocator has what it needs */
			pthreads = pthreads_now().all;
			maps = lines_of("/proc/self/maps");
			pages = resident_pages();
		}
	}
	EXPECT_EQ(pthreads_now().all, pthreads);
	harness_log("maps %lu, then %lu; resident pages %lu, then %lu", maps, lines_of("/proc/self/maps"), pages,
		    resident_pages());
	if (SANITIZER_THREAD || SANITIZER_ADDRESS)
		return; /* they keep what has been freed */
	/* a few: of the allocator, for a pthread; not some for each turn */
	EXPECT_LE(lines_of("/proc/self/maps"), maps + 10);
	EXPECT_LE(resident_pages(), pages + 250);
}
