/* SPDX-License-Identifier: MIT */
/* sem_test.c */
#include "tests/sync/crowd.h"

TEST(arguments)
{
	perch_sem_t none, s = PERCH_SEM_INIT(2);
	struct timespec soon = in_ns(1000000);
	int value = 77;

	memset(&none, 0x33, sizeof(none));
	for (int i = 0; i < 2; i++) {
		perch_sem_t *bad = i ? &none : NULL;

		EXPECT_EQ(perch_sem_wait(bad), -EINVAL);
		EXPECT_EQ(perch_sem_trywait(bad), -EINVAL);
		EXPECT_EQ(perch_sem_timedwait(bad, &soon), -EINVAL);
		EXPECT_EQ(perch_sem_post(bad), -EINVAL);
		EXPECT_EQ(perch_sem_getvalue(bad, &value), -EINVAL);
		EXPECT_EQ(perch_sem_destroy(bad), -EINVAL);
	}
	EXPECT_EQ(value, 77);
	EXPECT_EQ(perch_sem_getvalue(&s, NULL), -EINVAL);
	EXPECT_EQ(perch_sem_timedwait(&s, NULL), -EINVAL);
	EXPECT_EQ(perch_sem_timedwait(&s, &bad_time), -EINVAL);
	EXPECT_EQ(perch_sem_timedwait(&s, &worse_time), -EINVAL);
	EXPECT_EQ(perch_sem_getvalue(&s, &value), 0);
	EXPECT_EQ(value, 2);
	EXPECT_EQ(perch_sem_timedwait(&s, &long_past), 0);
	EXPECT_EQ(perch_sem_trywait(&s), 0);
	EXPECT_EQ(perch_sem_trywait(&s), -EAGAIN);
	EXPECT_EQ(perch_sem_timedwait(&s, &long_past), -ETIMEDOUT);
	EXPECT_EQ(perch_sem_timedwait(&s, &soon), -ETIMEDOUT);
	EXPECT_EQ(perch_sem_getvalue(&s, &value), 0);
	EXPECT_EQ(value, 0);
	/* after a wait that timed out, a post is there for the next */
	EXPECT_EQ(perch_sem_post(&s), 0);
	EXPECT_EQ(perch_sem_getvalue(&s, &value), 0);
	EXPECT_EQ(value, 1);
	EXPECT_EQ(perch_sem_wait(&s), 0);
	EXPECT_EQ(perch_sem_destroy(&s), 0);
	EXPECT_EQ(perch_sem_post(&s), -EINVAL);

	EXPECT_EQ(perch_sem_init(NULL, 0, 1), -EINVAL);
	EXPECT_EQ(perch_sem_init(&s, 1, 1), -ENOSYS);
	EXPECT_EQ(perch_sem_init(&s, 0, PERCH_SEM_VALUE_MAX + 1u), -EINVAL);
	EXPECT_EQ(perch_sem_post(&s), -EINVAL);
	EXPECT_EQ(perch_sem_init(&s, 0, PERCH_SEM_VALUE_MAX - 1), 0);
	EXPECT_EQ(perch_sem_post(&s), 0);
	EXPECT_EQ(perch_sem_post(&s), -EOVERFLOW);
	EXPECT_EQ(perch_sem_getvalue(&s, &value), 0);
	EXPECT_EQ(value, (int)PERCH_SEM_VALUE_MAX);
	EXPECT_EQ(perch_sem_wait(&s), 0);
	EXPECT_EQ(perch_sem_post(&s), 0);
}

RUNTIME_FIXTURE(sem)

/* ---- permits ---- */

struct room {
	perch_sem_t s;
	unsigned seats, each;
	uint32_t inside, taken, given_up;
};

static int wait_somehow(perch_sem_t *s)
{
	struct timespec at = in_ns((int64_t)harness_random_below(60000) - 10000);

	switch (harness_random_below(6)) {
	case 0:
		return perch_sem_trywait(s);
	case 1:
	case 2:
		return perch_sem_timedwait(s, &at);
	default:
		return perch_sem_wait(s);
	}
}

static void *come_and_go(void *arg)
{
	struct room *m = arg;

	for (unsigned i = 0; i < m->each; i++) {
		int r = wait_somehow(&m->s);

		if (r) {
			ASSERT_TRUE(r == -EAGAIN || r == -ETIMEDOUT);
			count_up(&m->given_up);
			continue;
		}
		ASSERT_LE(count_up(&m->inside), m->seats);
		dawdle(2000);
		__atomic_sub_fetch(&m->inside, 1, __ATOMIC_ACQ_REL);
		ASSERT_EQ(perch_sem_post(&m->s), 0);
		dawdle(1000);
	}
	return NULL;
}

/* Never more than there are seats; and no permit is lost, whoever timed out. */
static void all_come_and_go(unsigned seats, unsigned threads, unsigned pthreads)
{
	struct room m = {.s = PERCH_SEM_INIT(seats), .seats = seats, .each = 300};
	struct crowd c = {0};
	int value;

	crowd_add(&c, threads, pthreads, come_and_go, &m);
	crowd_join(&c);
	EXPECT_EQ(waiting(&m.s.queue), 0);
	EXPECT_EQ(perch_sem_getvalue(&m.s, &value), 0);
	EXPECT_EQ(value, (int)seats);
	EXPECT_EQ(perch_sem_destroy(&m.s), 0);
}

TEST_F(sem, permits_are_kept)
{
	all_come_and_go(1, 30, 0);
	all_come_and_go(3, 20, 5);
}

TEST(permits_are_kept_without_the_runtime)
{
	all_come_and_go(2, 0, 6);
}

/* ---- in order ---- */

static void *take_a_seat(void *arg)
{
	struct room *m = arg;

	ASSERT_EQ(perch_sem_wait(&m->s), 0);
	count_up(&m->taken);
	return NULL;
}

TEST_F(sem, a_post_is_one_waiters)
{
	struct room m = {.s = PERCH_SEM_INIT(0)};
	struct crowd c = {0};
	int value;

	crowd_add(&c, 10, 3, take_a_seat, &m);
	ASSERT_TRUE(until_waiting(&m.s.queue, 13));
	EXPECT_EQ(perch_sem_destroy(&m.s), -EBUSY);
	for (uint32_t i = 0; i < 13; i++) {
		ASSERT_EQ(m.taken, i);
		ASSERT_EQ(perch_sem_post(&m.s), 0);
		/* it is his at once: nobody who comes now can take it */
		ASSERT_EQ(perch_sem_trywait(&m.s), -EAGAIN);
		ASSERT_EQ(perch_sem_getvalue(&m.s, &value), 0);
		ASSERT_EQ(value, 0);
		ASSERT_EQ(waiting(&m.s.queue), 12 - i);
		ASSERT_TRUE(gather(&m.taken, i + 1, 20));
	}
	crowd_join(&c);
	EXPECT_EQ(perch_sem_destroy(&m.s), 0);
}

struct queued {
	perch_sem_t *s;
	uint32_t *turn;
	uint32_t number;
};

static void *note_turn(void *arg)
{
	struct queued *q = arg;

	ASSERT_EQ(perch_sem_wait(q->s), 0);
	ASSERT_EQ(count_up(q->turn), q->number + 1);
	return NULL;
}

TEST_F(sem, first_come_first_served)
{
	perch_sem_t s = PERCH_SEM_INIT(0);
	struct queued q[12];
	struct crowd c = {0};
	uint32_t turn = 0;

	for (uint32_t i = 0; i < 12; i++) {
		q[i] = (struct queued){&s, &turn, i};
		crowd_add(&c, i % 3 != 0, i % 3 == 0, note_turn, &q[i]);
		ASSERT_TRUE(until_waiting(&s.queue, i + 1));
	}
	for (uint32_t i = 0; i < 12; i++) {
		ASSERT_EQ(perch_sem_post(&s), 0);
		ASSERT_TRUE(gather(&turn, i + 1, 20));
	}
	crowd_join(&c);
}

/* ---- times ---- */

static void *give_up(void *arg)
{
	struct room *m = arg;
	struct timespec at = in_ns(2000000);

	ASSERT_EQ(perch_sem_timedwait(&m->s, &at), -ETIMEDOUT);
	EXPECT_GE((int64_t)harness_now(), at.tv_sec * 1000000000 + at.tv_nsec);
	count_up(&m->given_up);
	return NULL;
}

TEST_F(sem, those_who_time_out_take_nothing)
{
	struct room m = {.s = PERCH_SEM_INIT(0)};
	struct crowd c = {0};
	int value;

	crowd_add(&c, 3, 1, give_up, &m);
	crowd_add(&c, 3, 1, take_a_seat, &m);
	crowd_add(&c, 3, 1, give_up, &m);
	ASSERT_TRUE(gather(&m.given_up, 8, 20));
	ASSERT_TRUE(until_waiting(&m.s.queue, 4));
	for (int i = 0; i < 6; i++)
		ASSERT_EQ(perch_sem_post(&m.s), 0);
	crowd_join(&c);
	EXPECT_EQ(m.taken, 4);
	EXPECT_EQ(perch_sem_getvalue(&m.s, &value), 0);
	EXPECT_EQ(value, 2);
}

/* A post and a time-out at once: the permit is taken, or still there. */
struct moment {
	perch_sem_t s;
	int64_t patience_ns;
	uint32_t waits;
};

static void *post_about_then(void *arg)
{
	struct moment *m = arg;

	while (!__atomic_load_n(&m->waits, __ATOMIC_ACQUIRE))
		perch_yield();
	harness_delay((uint64_t)m->patience_ns * 2 + 1);
	ASSERT_EQ(perch_sem_post(&m->s), 0);
	return NULL;
}

static void *wait_a_moment(void *arg)
{
	for (int i = 0; i < 100; i++) {
		struct moment m = {PERCH_SEM_INIT(0), (int64_t)harness_random_below(50000), 0};
		struct crowd c = {0};
		struct timespec at;
		int r, value;

		crowd_add(&c, i % 4 != 0, i % 4 == 0, post_about_then, &m);
		at = in_ns(m.patience_ns);
		__atomic_store_n(&m.waits, 1, __ATOMIC_RELEASE);
		r = perch_sem_timedwait(&m.s, &at);
		ASSERT_TRUE(r == 0 || r == -ETIMEDOUT);
		crowd_join(&c);
		ASSERT_EQ(perch_sem_getvalue(&m.s, &value), 0);
		ASSERT_EQ(value, r ? 1 : 0);
		ASSERT_EQ(perch_sem_destroy(&m.s), 0);
	}
	return arg;
}

TEST_F(sem, posted_and_timed_out_at_once)
{
	struct crowd c = {0};

	crowd_add(&c, 4, 1, wait_a_moment, NULL);
	crowd_join(&c);
}

/* ---- a semaphore in the waiter's frame, gone as soon as wait returns ---- */

static void post(void *arg)
{
	ASSERT_EQ(perch_sem_post(arg), 0);
}

static void *wait_on_my_own(void *arg)
{
	for (int i = 0; i < 300; i++) {
		perch_sem_t s = PERCH_SEM_INIT(0);

		ASSERT_EQ(perch_go(post, &s), 0);
		if (i % 4 == 0)
			perch_yield();
		while (i % 3 == 0 ? perch_sem_trywait(&s) : perch_sem_wait(&s))
			perch_yield();
		ASSERT_EQ(perch_sem_destroy(&s), 0);
		expect_left_alone(&s, sizeof(s));
	}
	return arg;
}

TEST_F(sem, destroyed_by_whom_it_woke)
{
	struct crowd c = {0};

	crowd_add(&c, 6, 3, wait_on_my_own, NULL);
	crowd_join(&c);
}

/* ---- in the child of a fork ---- */

static void in_child(void *arg)
{
	perch_sem_t s = PERCH_SEM_INIT(0);
	struct timespec later = in_ns(3600000000000);

	(void)arg;
	EXPECT_EQ(perch_sem_wait(&s), -EPERM);
	EXPECT_EQ(perch_sem_timedwait(&s, &later), -EPERM);
	EXPECT_EQ(perch_sem_trywait(&s), -EAGAIN);
	EXPECT_EQ(perch_sem_post(&s), 0);
	EXPECT_EQ(perch_sem_wait(&s), 0);
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
