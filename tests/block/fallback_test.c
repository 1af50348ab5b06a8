/* SPDX-License-Identifier: MIT */
/* fallback_test.c - hand-off where the kernel refuses the lookout its priority, or where
 * nothing says whether a worker is blocked. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>

#include "tests/block/others.h"

static uint64_t handoffs(void)
{
	struct perch_stats s;

	EXPECT_EQ(perch_stats_get(&s), 0);
	return s.handoffs;
}

/* Marked calls are then seen by the monitor alone. */
TEST_TIMEOUT(no_lowest_priority_for_the_lookout, 120)
{
	const struct perch_config config = {.workers = 1};
	struct readers rs;

	ASSERT_EQ(harness_refuse("sched_setscheduler"), 0);
	ASSERT_EQ(perch_start(&config), 0);
	for (int i = 0; i < 3; i++) {
		readers_start(&rs, 3, MARKED);
		EXPECT_TRUE(others_go_on());
		readers_end(&rs);
	}
	EXPECT_EQ(pthreads_now().lookouts, 0);
	EXPECT_GE(handoffs(), 3);
	ASSERT_EQ(perch_stop(), 0);
}

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *lock_it(void *begun)
{
	count_up(begun);
	EXPECT_EQ(pthread_mutex_lock(&held), 0);
	EXPECT_EQ(pthread_mutex_unlock(&held), 0);
	return NULL;
}

/* As without /proc: whoever makes no switch passes for one that computes. */
TEST_TIMEOUT(nothing_says_who_is_blocked, 120)
{
	const struct perch_config config = {.workers = 1};
	struct rlimit before, none;
	uint32_t begun = 0;
	perch_t t;

	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){1, before.rlim_max};
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
	ASSERT_EQ(open("/proc/self/stat", O_RDONLY | O_CLOEXEC), -1);
	ASSERT_EQ(errno, EMFILE);
	ASSERT_EQ(pthread_mutex_lock(&held), 0);
	ASSERT_EQ(perch_create(&t, NULL, lock_it, &begun), 0);
	ASSERT_TRUE(gather(&begun, 1, PATIENCE));
	EXPECT_TRUE(others_go_on());
	EXPECT_GE(handoffs(), 1);
	ASSERT_EQ(pthread_mutex_unlock(&held), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0); /* what looks for leaks needs some */
	ASSERT_EQ(perch_stop(), 0);
}
