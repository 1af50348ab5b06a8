/* SPDX-License-Identifier: MIT */
/* barrier_test.c */
#include <limits.h>

#include "tests/sync/crowd.h"

TEST(arguments)
{
	perch_barrier_t none, b = PERCH_BARRIER_INIT(1), zero = PERCH_BARRIER_INIT(0);
	int x;

	memset(&none, 0x33, sizeof(none));
	for (int i = 0; i < 3; i++) {
		perch_barrier_t *bad = i == 0 ? NULL : i == 1 ? &none : &zero;

		EXPECT_EQ(perch_barrier_wait(bad), -EINVAL);
		EXPECT_EQ(perch_barrier_destroy(bad), -EINVAL);
	}
	EXPECT_EQ(perch_barrier_init(NULL, NULL, 1), -EINVAL);
	EXPECT_EQ(perch_barrier_init(&none, &x, 1), -EINVAL);
	EXPECT_EQ(perch_barrier_init(&none, NULL, 0), -EINVAL);
	EXPECT_EQ(perch_barrier_init(&none, NULL, (unsigned)INT_MAX + 1), -EINVAL);
	EXPECT_EQ(perch_barrier_wait(&none), -EINVAL);
	EXPECT_EQ(perch_barrier_init(&none, NULL, INT_MAX), 0);
	EXPECT_EQ(perch_barrier_destroy(&none), 0);
	EXPECT_EQ(perch_barrier_wait(&none), -EINVAL);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(perch_barrier_wait(&b), PERCH_BARRIER_SERIAL_THREAD);
	EXPECT_EQ(perch_barrier_destroy(&b), 0);
}

RUNTIME_FIXTURE(barrier)

struct march {
	perch_barrier_t b;
	unsigned count, rounds;
	uint32_t come, serial;
};

static void *march(void *arg)
{
	struct march *m = arg;

	for (unsigned i = 0; i < m->rounds; i++) {
		int r;

		dawdle(3000);
		count_up(&m->come);
		r = perch_barrier_wait(&m->b);
		ASSERT_TRUE(r == 0 || r == PERCH_BARRIER_SERIAL_THREAD);
		if (r)
			count_up(&m->serial);
		/* all of this round have come, and of the next none without us */
		ASSERT_GE(__atomic_load_n(&m->come, __ATOMIC_ACQUIRE), (i + 1) * m->count);
		ASSERT_LT(__atomic_load_n(&m->come, __ATOMIC_ACQUIRE), (i + 2) * m->count);
	}
	return NULL;
}

static void all_march(unsigned threads, unsigned pthreads)
{
	unsigned count = threads + pthreads;
	struct march m = {PERCH_BARRIER_INIT(count), count, 100, 0, 0};
	struct crowd c = {0};

	crowd_add(&c, threads, pthreads, march, &m);
	crowd_join(&c);
	EXPECT_EQ(m.come, m.rounds * count);
	EXPECT_EQ(m.serial, m.rounds);
	EXPECT_EQ(perch_barrier_destroy(&m.b), 0);
}

TEST_F(barrier, rounds)
{
	all_march(30, 0);
	all_march(6, 3);
	all_march(1, 1);
}

TEST(rounds_without_the_runtime)
{
	all_march(0, 4);
}

static void *come(void *arg)
{
	struct march *m = arg;

	if (perch_barrier_wait(&m->b))
		count_up(&m->serial);
	count_up(&m->come);
	return NULL;
}

TEST_F(barrier, nobody_goes_on_before_the_last)
{
	struct march m = {.b = PERCH_BARRIER_INIT(11)};
	struct crowd c = {0};

	crowd_add(&c, 7, 3, come, &m);
	ASSERT_TRUE(until_waiting(&m.b.queue, 10));
	harness_delay(1000000);
	EXPECT_EQ(m.come, 0);
	EXPECT_EQ(perch_barrier_destroy(&m.b), -EBUSY);
	EXPECT_EQ(perch_barrier_wait(&m.b), PERCH_BARRIER_SERIAL_THREAD);
	EXPECT_TRUE(gather(&m.come, 10, 20));
	EXPECT_EQ(m.serial, 0);
	crowd_join(&c);
	EXPECT_EQ(perch_barrier_destroy(&m.b), 0);
}

/* Any of them may destroy it when it has come through. */
struct once_only {
	perch_barrier_t b;
	uint32_t through;
};

static void *destroy_first(void *arg)
{
	struct once_only *o = arg;

	ASSERT_GE(perch_barrier_wait(&o->b), 0);
	if (count_up(&o->through) == 1) {
		ASSERT_EQ(perch_barrier_destroy(&o->b), 0);
		expect_left_alone(&o->b, sizeof(o->b));
	}
	return NULL;
}

TEST_F(barrier, destroyed_by_the_first_to_go_on)
{
	for (int round = 0; round < 100; round++) {
		struct once_only o[3];
		struct crowd c = {0};

		for (int i = 0; i < 3; i++) {
			o[i] = (struct once_only){PERCH_BARRIER_INIT(5), 0};
			crowd_add(&c, 4, 1, destroy_first, &o[i]);
		}
		crowd_join(&c);
	}
}

static void in_child(void *arg)
{
	perch_barrier_t b = PERCH_BARRIER_INIT(2), one = PERCH_BARRIER_INIT(1);

	(void)arg;
	EXPECT_EQ(perch_barrier_wait(&b), -EPERM);
	EXPECT_EQ(perch_barrier_wait(&b), -EPERM);
	EXPECT_EQ(perch_barrier_wait(&one), PERCH_BARRIER_SERIAL_THREAD);
	EXPECT_EQ(perch_barrier_destroy(&b), 0);
}

TEST(in_the_child_of_a_fork)
{
	struct harness_captured c;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(harness_capture(&c, in_child, NULL), 0);
	EXPECT_EQ(c.status, 0);
	harness_release(&c);
	EXPECT_EQ(perch_stop(), 0);
}
