/* SPDX-License-Identifier: MIT */
/* once_test.c */
#include "tests/sync/crowd.h"

static uint32_t ran, ended, hold;

/* Takes its time, and may go on under another worker. */
static void slowly(void)
{
	count_up(&ran);
	for (int i = 0; i < 5; i++) {
		struct timespec nap = {0, 100000};

		if (perch_self())
			perch_yield();
		else
			nanosleep(&nap, NULL);
		harness_delay(20000);
	}
	while (__atomic_load_n(&hold, __ATOMIC_ACQUIRE))
		perch_yield();
	count_up(&ended);
}

TEST(arguments)
{
	perch_once_t none, o = PERCH_ONCE_INIT;

	memset(&none, 0x33, sizeof(none));
	EXPECT_EQ(perch_once(NULL, slowly), -EINVAL);
	EXPECT_EQ(perch_once(&none, slowly), -EINVAL);
	EXPECT_EQ(perch_once(&o, NULL), -EINVAL);
	EXPECT_EQ(ran, 0);
	EXPECT_EQ(perch_once(&o, slowly), 0);
	EXPECT_EQ(perch_once(&o, slowly), 0);
	EXPECT_EQ(ran, 1);
	EXPECT_EQ(perch_once(&o, NULL), -EINVAL);
}

RUNTIME_FIXTURE(once)

struct start {
	perch_once_t o;
	uint32_t through;
};

static void *all_at_once(void *arg)
{
	struct start *s = arg;

	ASSERT_EQ(perch_once(&s->o, slowly), 0);
	ASSERT_EQ(__atomic_load_n(&ended, __ATOMIC_ACQUIRE), 1);
	count_up(&s->through);
	return NULL;
}

static void run_once(unsigned threads, unsigned pthreads)
{
	struct start s = {PERCH_ONCE_INIT, 0};
	struct crowd c = {0};

	ran = ended = 0;
	crowd_add(&c, threads, pthreads, all_at_once, &s);
	crowd_join(&c);
	ASSERT_EQ(ran, 1);
	ASSERT_EQ(ended, 1);
	ASSERT_EQ(s.through, threads + pthreads);
}

TEST_F(once, all_wait_for_its_end)
{
	for (int i = 0; i < 10; i++) {
		run_once(20, 0);
		run_once(10, 4);
	}
}

TEST(pthreads_without_the_runtime)
{
	for (int i = 0; i < 10; i++)
		run_once(0, 6);
}

/* Many wait, asleep, until it is over. */
TEST_F(once, nobody_goes_on_before)
{
	struct start s = {PERCH_ONCE_INIT, 0};
	struct crowd c = {0};

	hold = 1;
	crowd_add(&c, 10, 4, all_at_once, &s);
	ASSERT_TRUE(until_waiting(&s.o.queue, 13));
	EXPECT_EQ(s.through, 0);
	__atomic_store_n(&hold, 0, __ATOMIC_RELEASE);
	EXPECT_TRUE(gather(&s.through, 14, 20));
	crowd_join(&c);
	EXPECT_EQ(ran, 1);
}

static perch_once_t running = PERCH_ONCE_INIT;

static void *run_it(void *arg)
{
	ASSERT_EQ(perch_once(&running, slowly), 0);
	return arg;
}

static void in_child(void *arg)
{
	static perch_once_t fresh = PERCH_ONCE_INIT;

	(void)arg;
	hold = 0;
	EXPECT_EQ(perch_once(&running, slowly), -EPERM);
	EXPECT_EQ(perch_once(&running, slowly), -EPERM);
	EXPECT_EQ(perch_once(&fresh, slowly), 0);
	EXPECT_EQ(perch_once(&fresh, slowly), 0);
}

TEST(in_the_child_of_a_fork)
{
	struct harness_captured c;
	perch_t t;

	ASSERT_EQ(perch_start(NULL), 0);
	hold = 1;
	ASSERT_EQ(perch_create(&t, NULL, run_it, NULL), 0);
	ASSERT_TRUE(gather(&ran, 1, 20));
	ASSERT_EQ(harness_capture(&c, in_child, NULL), 0);
	EXPECT_EQ(c.status, 0);
	harness_release(&c);
	__atomic_store_n(&hold, 0, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
}
