/* SPDX-License-Identifier: MIT */
/* event_test.c */
#include "tests/sync/crowd.h"

TEST(arguments)
{
	perch_event_t none, e = PERCH_EVENT_INIT;
	struct timespec soon = in_ns(1000000);

	memset(&none, 0x33, sizeof(none));
	for (int i = 0; i < 2; i++) {
		perch_event_t *bad = i ? &none : NULL;

		EXPECT_EQ(perch_event_set(bad), -EINVAL);
		EXPECT_EQ(perch_event_is_set(bad), -EINVAL);
		EXPECT_EQ(perch_event_wait(bad), -EINVAL);
		EXPECT_EQ(perch_event_timedwait(bad, &soon), -EINVAL);
		EXPECT_EQ(perch_event_destroy(bad), -EINVAL);
	}
	EXPECT_EQ(perch_event_init(NULL), -EINVAL);
	EXPECT_EQ(perch_event_init(&none), 0);
	EXPECT_EQ(perch_event_destroy(&none), 0);
	EXPECT_EQ(perch_event_set(&none), -EINVAL);

	EXPECT_EQ(perch_event_timedwait(&e, NULL), -EINVAL);
	EXPECT_EQ(perch_event_timedwait(&e, &bad_time), -EINVAL);
	EXPECT_EQ(perch_event_timedwait(&e, &worse_time), -EINVAL);
	EXPECT_EQ(perch_event_is_set(&e), 0);
	EXPECT_EQ(perch_event_timedwait(&e, &long_past), -ETIMEDOUT);
	EXPECT_EQ(perch_event_timedwait(&e, &soon), -ETIMEDOUT);
	EXPECT_EQ(perch_event_set(&e), 0);
	EXPECT_EQ(perch_event_set(&e), -EALREADY);
	EXPECT_EQ(perch_event_is_set(&e), 1);
	EXPECT_EQ(perch_event_wait(&e), 0);
	EXPECT_EQ(perch_event_timedwait(&e, &long_past), 0);
	EXPECT_EQ(perch_event_timedwait(&e, &bad_time), -EINVAL);
	EXPECT_EQ(perch_event_destroy(&e), 0);
}

RUNTIME_FIXTURE(event)

struct news {
	perch_event_t e;
	uint64_t text; /* plain */
	uint32_t heard, given_up, first;
};

static void *hear(void *arg)
{
	struct news *n = arg;

	ASSERT_EQ(perch_event_wait(&n->e), 0);
	ASSERT_EQ(n->text, 42);
	count_up(&n->heard);
	return NULL;
}

static void *hear_within_an_hour(void *arg)
{
	struct news *n = arg;
	struct timespec at = in_ns(3600000000000);

	ASSERT_EQ(perch_event_timedwait(&n->e, &at), 0);
	ASSERT_EQ(n->text, 42);
	count_up(&n->heard);
	return NULL;
}

static void *give_up(void *arg)
{
	struct news *n = arg;
	struct timespec at = in_ns(2000000);

	ASSERT_EQ(perch_event_timedwait(&n->e, &at), -ETIMEDOUT);
	EXPECT_GE((int64_t)harness_now(), at.tv_sec * 1000000000 + at.tv_nsec);
	count_up(&n->given_up);
	return NULL;
}

static void tell(unsigned threads, unsigned pthreads)
{
	struct news n = {PERCH_EVENT_INIT, 0, 0, 0, 0};
	unsigned all = 3 * (threads + pthreads);
	struct crowd c = {0};

	crowd_add(&c, threads, pthreads, give_up, &n);
	crowd_add(&c, threads, pthreads, hear, &n);
	crowd_add(&c, threads, pthreads, give_up, &n);
	crowd_add(&c, threads, pthreads, hear_within_an_hour, &n);
	ASSERT_TRUE(gather(&n.given_up, all / 3 * 2, 20));
	ASSERT_TRUE(until_waiting(&n.e.queue, all / 3 * 2));
	EXPECT_EQ(n.heard, 0);
	EXPECT_EQ(perch_event_destroy(&n.e), -EBUSY);
	n.text = 42;
	ASSERT_EQ(perch_event_set(&n.e), 0);
	/* and those who come now need not wait */
	crowd_add(&c, threads, pthreads, hear, &n);
	EXPECT_TRUE(gather(&n.heard, all, 20));
	crowd_join(&c);
	EXPECT_EQ(perch_event_destroy(&n.e), 0);
}

TEST_F(event, all_hear_it)
{
	tell(6, 2);
	tell(1, 0);
	tell(0, 1);
}

TEST(pthreads_without_the_runtime)
{
	tell(0, 4);
}

/* Of many who set it, one is the first. */
static void *set_it(void *arg)
{
	struct news *n = arg;
	int r;

	dawdle(2000);
	r = perch_event_set(&n->e);
	ASSERT_TRUE(r == 0 || r == -EALREADY);
	ASSERT_EQ(perch_event_is_set(&n->e), 1);
	if (!r)
		count_up(&n->first);
	return NULL;
}

TEST_F(event, set_once)
{
	for (int i = 0; i < 30; i++) {
		struct news n = {PERCH_EVENT_INIT, 42, 0, 0, 0};
		struct crowd c = {0};

		crowd_add(&c, 6, 1, set_it, &n);
		crowd_add(&c, 6, 1, hear, &n);
		crowd_join(&c);
		ASSERT_EQ(n.first, 1);
		ASSERT_EQ(n.heard, 7);
	}
}

/* In the waiter's frame, which is gone as soon as it has seen it set. */
static void set(void *arg)
{
	ASSERT_EQ(perch_event_set(arg), 0);
}

static void *wait_on_my_own(void *arg)
{
	for (int i = 0; i < 300; i++) {
		perch_event_t e = PERCH_EVENT_INIT;
		struct timespec at;
		int r = -ETIMEDOUT;

		ASSERT_EQ(perch_go(set, &e), 0);
		if (i % 4 == 0)
			perch_yield();
		switch (i % 3) {
		case 0:
			while (!perch_event_is_set(&e))
				perch_yield();
			break;
		case 1:
			at = in_ns((int64_t)harness_random_below(30000));
			r = perch_event_timedwait(&e, &at);
			if (r == -ETIMEDOUT)
				r = perch_event_wait(&e);
			ASSERT_EQ(r, 0);
			break;
		default:
			ASSERT_EQ(perch_event_wait(&e), 0);
		}
		ASSERT_EQ(perch_event_destroy(&e), 0);
		expect_left_alone(&e, sizeof(e));
	}
	return arg;
}

TEST_F(event, destroyed_by_who_saw_it_set)
{
	struct crowd c = {0};

	crowd_add(&c, 6, 3, wait_on_my_own, NULL);
	crowd_join(&c);
}

static void in_child(void *arg)
{
	perch_event_t e = PERCH_EVENT_INIT;
	struct timespec later = in_ns(3600000000000);

	(void)arg;
	EXPECT_EQ(perch_event_wait(&e), -EPERM);
	EXPECT_EQ(perch_event_timedwait(&e, &later), -EPERM);
	EXPECT_EQ(perch_event_set(&e), 0);
	EXPECT_EQ(perch_event_wait(&e), 0);
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
