/* SPDX-License-Identifier: MIT */
/* waitgroup_test.c */
#include <limits.h>

#include "tests/sync/crowd.h"

TEST(arguments)
{
	perch_waitgroup_t none, wg = PERCH_WAITGROUP_INIT;

	memset(&none, 0x33, sizeof(none));
	for (int i = 0; i < 2; i++) {
		perch_waitgroup_t *bad = i ? &none : NULL;

		EXPECT_EQ(perch_waitgroup_add(bad, 1), -EINVAL);
		EXPECT_EQ(perch_waitgroup_done(bad), -EINVAL);
		EXPECT_EQ(perch_waitgroup_wait(bad), -EINVAL);
		EXPECT_EQ(perch_waitgroup_timedwait(bad, &long_past), -EINVAL);
		EXPECT_EQ(perch_waitgroup_destroy(bad), -EINVAL);
	}
	EXPECT_EQ(perch_waitgroup_init(NULL), -EINVAL);
	EXPECT_EQ(perch_waitgroup_init(&none), 0);
	EXPECT_EQ(perch_waitgroup_wait(&none), 0);
	EXPECT_EQ(perch_waitgroup_destroy(&none), 0);
	EXPECT_EQ(perch_waitgroup_wait(&none), -EINVAL);

	EXPECT_EQ(perch_waitgroup_timedwait(&wg, NULL), -EINVAL);
	EXPECT_EQ(perch_waitgroup_timedwait(&wg, &bad_time), -EINVAL);
	EXPECT_EQ(perch_waitgroup_timedwait(&wg, &worse_time), -EINVAL);
	EXPECT_EQ(perch_waitgroup_timedwait(&wg, &long_past), 0);
	EXPECT_EQ(perch_waitgroup_done(&wg), -ERANGE);
	EXPECT_EQ(perch_waitgroup_add(&wg, INT_MIN), -ERANGE);
	EXPECT_EQ(perch_waitgroup_add(&wg, INT_MAX), 0);
	EXPECT_EQ(perch_waitgroup_add(&wg, 1), -ERANGE);
	EXPECT_EQ(perch_waitgroup_timedwait(&wg, &long_past), -ETIMEDOUT);
	EXPECT_EQ(perch_waitgroup_destroy(&wg), -EBUSY);
	EXPECT_EQ(perch_waitgroup_add(&wg, -INT_MAX), 0);
	EXPECT_EQ(perch_waitgroup_done(&wg), -ERANGE);
	EXPECT_EQ(perch_waitgroup_wait(&wg), 0);
	EXPECT_EQ(perch_waitgroup_destroy(&wg), 0);
}

RUNTIME_FIXTURE(group)

struct waiters {
	perch_waitgroup_t wg;
	uint32_t waiting, through;
};

static void *wait_in(void *arg)
{
	struct waiters *c = arg;

	count_up(&c->waiting);
	EXPECT_EQ(perch_waitgroup_wait(&c->wg), 0);
	count_up(&c->through);
	return NULL;
}

TEST_F(group, all_who_wait_are_woken_and_none_before)
{
	struct waiters c = {PERCH_WAITGROUP_INIT, 0, 0};
	pthread_t p[4];
	perch_t t[50];

	ASSERT_EQ(perch_waitgroup_add(&c.wg, 3), 0);
	for (int i = 0; i < 50; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, wait_in, &c), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, wait_in, &c), 0);
	ASSERT_TRUE(gather(&c.waiting, 54, 20));
	ASSERT_EQ(perch_waitgroup_done(&c.wg), 0);
	ASSERT_EQ(perch_waitgroup_add(&c.wg, -1), 0);
	harness_delay(2000000);
	EXPECT_EQ(__atomic_load_n(&c.through, __ATOMIC_ACQUIRE), 0);
	EXPECT_EQ(perch_waitgroup_destroy(&c.wg), -EBUSY);
	ASSERT_EQ(perch_waitgroup_done(&c.wg), 0);
	EXPECT_TRUE(gather(&c.through, 54, 20));
	for (int i = 0; i < 50; i++)
		EXPECT_EQ(perch_join(t[i], NULL), 0);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(pthread_join(p[i], NULL), 0);
	EXPECT_EQ(perch_waitgroup_destroy(&c.wg), 0);
}

/* The group lies in the waiter's frame, which is gone as soon as wait returns. */
static void done(void *arg)
{
	perch_waitgroup_done(arg);
}

static void *wait_on_my_own(void *arg)
{
	for (int i = 0; i < 500; i++) {
		perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;

		perch_waitgroup_add(&wg, 1 + i % 3);
		for (int k = 0; k < 1 + i % 3; k++)
			ASSERT_EQ(perch_go(done, &wg), 0);
		if (i % 4 == 0)
			perch_yield();
		ASSERT_EQ(perch_waitgroup_wait(&wg), 0);
		ASSERT_EQ(perch_waitgroup_destroy(&wg), 0);
		expect_left_alone(&wg, sizeof(wg));
	}
	return arg;
}

TEST_F(group, a_group_in_the_waiters_frame)
{
	pthread_t p[3];
	perch_t t[6];

	for (int i = 0; i < 6; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, wait_on_my_own, NULL), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, wait_on_my_own, NULL), 0);
	for (int i = 0; i < 6; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
}

/* Round after round on the same group, those who wait and those who are done
 * being different ones each time. */
static void *add_and_done(void *arg)
{
	perch_waitgroup_t *wg = arg;

	for (int i = 0; i < 300; i++) {
		ASSERT_EQ(perch_waitgroup_add(wg, 2), 0);
		perch_yield();
		ASSERT_EQ(perch_waitgroup_done(wg), 0);
		if (i % 7 == 0)
			harness_delay(20000);
		ASSERT_EQ(perch_waitgroup_done(wg), 0);
		ASSERT_EQ(perch_waitgroup_wait(wg), 0);
	}
	return NULL;
}

TEST_F(group, used_again_and_again)
{
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	pthread_t p[2];
	perch_t t[8];

	for (int i = 0; i < 8; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, add_and_done, &wg), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, add_and_done, &wg), 0);
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	EXPECT_EQ(perch_waitgroup_destroy(&wg), 0);
}

/* ---- timed ---- */

static void *give_up(void *arg)
{
	struct waiters *c = arg;
	struct timespec at = in_ns(3000000);

	EXPECT_EQ(perch_waitgroup_timedwait(&c->wg, &at), -ETIMEDOUT);
	EXPECT_GE((int64_t)harness_now(), at.tv_sec * 1000000000 + at.tv_nsec);
	count_up(&c->through);
	return NULL;
}

static void *wait_for_an_hour(void *arg)
{
	struct waiters *c = arg;
	struct timespec at = in_ns(3600000000000);

	EXPECT_EQ(perch_waitgroup_timedwait(&c->wg, &at), 0);
	count_up(&c->through);
	return NULL;
}

TEST_F(group, some_time_out_and_the_others_are_woken)
{
	struct waiters c = {PERCH_WAITGROUP_INIT, 0, 0};
	struct crowd crowd = {0};

	ASSERT_EQ(perch_waitgroup_add(&c.wg, 1), 0);
	crowd_add(&crowd, 5, 2, give_up, &c);
	crowd_add(&crowd, 5, 2, wait_for_an_hour, &c);
	crowd_add(&crowd, 5, 2, give_up, &c);
	crowd_add(&crowd, 5, 2, wait_in, &c);
	ASSERT_TRUE(gather(&c.through, 14, 20));
	ASSERT_TRUE(until_waiting(&c.wg.queue, 14));
	EXPECT_EQ(perch_waitgroup_destroy(&c.wg), -EBUSY);
	ASSERT_EQ(perch_waitgroup_done(&c.wg), 0);
	crowd_join(&crowd);
	EXPECT_EQ(c.through, 28);
	EXPECT_EQ(perch_waitgroup_destroy(&c.wg), 0);
}

/* The time comes when the count does, more or less. */
static void *wait_a_moment(void *arg)
{
	for (int i = 0; i < 200; i++) {
		perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
		struct timespec at;
		int r;

		ASSERT_EQ(perch_waitgroup_add(&wg, 1), 0);
		ASSERT_EQ(perch_go(done, &wg), 0);
		at = in_ns((int64_t)harness_random_below(20000));
		r = perch_waitgroup_timedwait(&wg, &at);
		if (r == -ETIMEDOUT)
			r = perch_waitgroup_wait(&wg);
		ASSERT_EQ(r, 0);
		ASSERT_EQ(perch_waitgroup_destroy(&wg), 0);
		expect_left_alone(&wg, sizeof(wg));
	}
	return arg;
}

TEST_F(group, woken_and_timed_out_at_once)
{
	struct crowd c = {0};

	crowd_add(&c, 8, 2, wait_a_moment, NULL);
	crowd_join(&c);
}
