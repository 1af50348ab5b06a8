/* SPDX-License-Identifier: MIT */
/* waitgroup_test.c */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <perch/perch.h>

#include "tests/core/gather.h"

TEST(arguments)
{
	perch_waitgroup_t none, wg = PERCH_WAITGROUP_INIT;

	memset(&none, 0x33, sizeof(none));
	for (int i = 0; i < 2; i++) {
		perch_waitgroup_t *bad = i ? &none : NULL;

		EXPECT_EQ(perch_waitgroup_add(bad, 1), -EINVAL);
		EXPECT_EQ(perch_waitgroup_done(bad), -EINVAL);
		EXPECT_EQ(perch_waitgroup_wait(bad), -EINVAL);
		EXPECT_EQ(perch_waitgroup_destroy(bad), -EINVAL);
	}
	EXPECT_EQ(perch_waitgroup_init(NULL), -EINVAL);
	EXPECT_EQ(perch_waitgroup_init(&none), 0);
	EXPECT_EQ(perch_waitgroup_wait(&none), 0);
	EXPECT_EQ(perch_waitgroup_destroy(&none), 0);
	EXPECT_EQ(perch_waitgroup_wait(&none), -EINVAL);

	EXPECT_EQ(perch_waitgroup_done(&wg), -ERANGE);
	EXPECT_EQ(perch_waitgroup_add(&wg, INT_MIN), -ERANGE);
	EXPECT_EQ(perch_waitgroup_add(&wg, INT_MAX), 0);
	EXPECT_EQ(perch_waitgroup_add(&wg, 1), -ERANGE);
	EXPECT_EQ(perch_waitgroup_destroy(&wg), -EBUSY);
	EXPECT_EQ(perch_waitgroup_add(&wg, -INT_MAX), 0);
	EXPECT_EQ(perch_waitgroup_done(&wg), -ERANGE);
	EXPECT_EQ(perch_waitgroup_wait(&wg), 0);
	EXPECT_EQ(perch_waitgroup_destroy(&wg), 0);
}

FIXTURE(group)
{
	int unused;
};
FIXTURE_VARIANT(group)
{
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(group, all_cpus){PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(group, alone){{.workers = 1}};
FIXTURE_VARIANT_ADD(group, crowded){{.workers = 6}};

FIXTURE_SETUP(group)
{
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(group)
{
	EXPECT_EQ(perch_stop(), 0);
}

struct crowd {
	perch_waitgroup_t wg;
	uint32_t waiting, through;
};

static void *wait_in(void *arg)
{
	struct crowd *c = arg;

	count_up(&c->waiting);
	EXPECT_EQ(perch_waitgroup_wait(&c->wg), 0);
	count_up(&c->through);
	return NULL;
}

TEST_F(group, all_who_wait_are_woken_and_none_before)
{
	struct crowd c = {PERCH_WAITGROUP_INIT, 0, 0};
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
		memset(&wg, 0xee, sizeof(wg));
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
