/* SPDX-License-Identifier: MIT */
/* mutex_test.c */
#include "tests/sync/crowd.h"

TEST(arguments)
{
	perch_mutex_t none, m = PERCH_MUTEX_INIT, odd = PERCH_MUTEX_INIT_KIND(3);
	perch_mutexattr_t a, bad;
	struct timespec soon = in_ns(1000000);
	int kind = 77;

	memset(&none, 0x33, sizeof(none));
	memset(&bad, 0x33, sizeof(bad));
	for (int i = 0; i < 3; i++) {
		perch_mutex_t *wrong = i == 0 ? NULL : i == 1 ? &none : &odd;

		EXPECT_EQ(perch_mutex_lock(wrong), -EINVAL);
		EXPECT_EQ(perch_mutex_trylock(wrong), -EINVAL);
		EXPECT_EQ(perch_mutex_timedlock(wrong, &soon), -EINVAL);
		EXPECT_EQ(perch_mutex_unlock(wrong), -EINVAL);
		EXPECT_EQ(perch_mutex_destroy(wrong), -EINVAL);
	}
	EXPECT_EQ(perch_mutex_init(NULL, NULL), -EINVAL);
	EXPECT_EQ(perch_mutex_init(&m, &bad), -EINVAL);
	EXPECT_EQ(perch_mutex_timedlock(&m, &bad_time), -EINVAL);
	EXPECT_EQ(perch_mutex_timedlock(&m, &worse_time), -EINVAL);
	EXPECT_EQ(perch_mutex_timedlock(&m, NULL), -EINVAL);
	EXPECT_EQ(perch_mutex_unlock(&m), -EPERM);

	EXPECT_EQ(perch_mutexattr_init(NULL), -EINVAL);
	EXPECT_EQ(perch_mutexattr_destroy(NULL), -EINVAL);
	EXPECT_EQ(perch_mutexattr_destroy(&bad), -EINVAL);
	EXPECT_EQ(perch_mutexattr_settype(NULL, PERCH_MUTEX_PLAIN), -EINVAL);
	EXPECT_EQ(perch_mutexattr_gettype(&bad, &kind), -EINVAL);
	EXPECT_EQ(perch_mutexattr_init(&a), 0);
	EXPECT_EQ(perch_mutexattr_gettype(&a, NULL), -EINVAL);
	EXPECT_EQ(perch_mutexattr_gettype(&a, &kind), 0);
	EXPECT_EQ(kind, PERCH_MUTEX_PLAIN);
	EXPECT_EQ(perch_mutexattr_settype(&a, -1), -EINVAL);
	EXPECT_EQ(perch_mutexattr_settype(&a, 3), -EINVAL);
	EXPECT_EQ(perch_mutexattr_settype(&a, PERCH_MUTEX_ERRORCHECK), 0);
	EXPECT_EQ(perch_mutexattr_gettype(&a, &kind), 0);
	EXPECT_EQ(kind, PERCH_MUTEX_ERRORCHECK);
	EXPECT_EQ(perch_mutex_init(&m, &a), 0);
	EXPECT_EQ(perch_mutexattr_destroy(&a), 0);
	EXPECT_EQ(perch_mutexattr_settype(&a, PERCH_MUTEX_PLAIN), -EINVAL);
	EXPECT_EQ(perch_mutex_lock(&m), 0);
	EXPECT_EQ(perch_mutex_lock(&m), -EDEADLK);
	EXPECT_EQ(perch_mutex_unlock(&m), 0);
	EXPECT_EQ(perch_mutex_destroy(&m), 0);
	EXPECT_EQ(perch_mutex_lock(&m), -EINVAL);
}

/* In pthreads, before the runtime is started, while it is up, and afterwards. */
static void *not_mine(void *arg)
{
	perch_mutex_t *m = arg;
	struct timespec soon = in_ns(1000000);

	EXPECT_EQ(perch_mutex_trylock(m), -EBUSY);
	EXPECT_EQ(perch_mutex_timedlock(m, &long_past), -ETIMEDOUT);
	EXPECT_EQ(perch_mutex_timedlock(m, &soon), -ETIMEDOUT);
	EXPECT_GE((int64_t)harness_now(), soon.tv_sec * 1000000000 + soon.tv_nsec);
	if (m->kind != PERCH_MUTEX_PLAIN)
		EXPECT_EQ(perch_mutex_unlock(m), -EPERM);
	return NULL;
}

static void *each_kind(void *arg)
{
	perch_mutex_t kinds[] = {PERCH_MUTEX_INIT, PERCH_RECURSIVE_MUTEX_INIT, PERCH_ERRORCHECK_MUTEX_INIT};

	for (int i = 0; i < 3; i++) {
		perch_mutex_t *m = &kinds[i];
		int again = i == PERCH_MUTEX_RECURSIVE ? 0 : i == PERCH_MUTEX_PLAIN ? -EBUSY : -EDEADLK;
		struct crowd c = {0};

		ASSERT_EQ(perch_mutex_unlock(m), -EPERM);
		ASSERT_EQ(perch_mutex_timedlock(m, &long_past), 0);
		ASSERT_EQ(perch_mutex_trylock(m), again);
		ASSERT_EQ(perch_mutex_timedlock(m, &long_past), again == -EBUSY ? -ETIMEDOUT : again);
		if (i == PERCH_MUTEX_RECURSIVE) {
			m->depth = UINT32_MAX - 1;
			ASSERT_EQ(perch_mutex_lock(m), 0);
			ASSERT_EQ(perch_mutex_lock(m), -EAGAIN);
			ASSERT_EQ(perch_mutex_trylock(m), -EAGAIN);
			m->depth = 3;
			ASSERT_EQ(perch_mutex_unlock(m), 0);
			ASSERT_EQ(perch_mutex_unlock(m), 0);
		}
		ASSERT_EQ(perch_mutex_destroy(m), -EBUSY);
		crowd_add_pthread(&c, not_mine, m);
		if (perch_workers())
			crowd_add_thread(&c, not_mine, m);
		crowd_join(&c);
		ASSERT_EQ(perch_mutex_unlock(m), 0);
		ASSERT_EQ(perch_mutex_unlock(m), -EPERM);
		ASSERT_EQ(perch_mutex_trylock(m), 0);
		ASSERT_EQ(perch_mutex_unlock(m), 0);
		ASSERT_EQ(perch_mutex_destroy(m), 0);
	}
	return arg;
}

TEST(kinds_without_the_runtime)
{
	each_kind(NULL);
	ASSERT_EQ(perch_start(NULL), 0);
	each_kind(NULL);
	ASSERT_EQ(perch_stop(), 0);
	each_kind(NULL);
}

RUNTIME_FIXTURE(mutex)

TEST_F(mutex, kinds_in_threads)
{
	struct crowd c = {0};

	crowd_add(&c, 3, 1, each_kind, NULL);
	crowd_join(&c);
}

/* ---- mutual exclusion ---- */

struct guarded {
	perch_mutex_t m;
	uint64_t count; /* plain, guarded by the mutex */
	uint32_t inside, given_up, by[2];
	unsigned each;
};

static int lock_somehow(perch_mutex_t *m)
{
	struct timespec at;

	switch (harness_random_below(8)) {
	case 0:
		return perch_mutex_trylock(m);
	case 1:
		at = in_ns((int64_t)harness_random_below(60000) - 10000);
		return perch_mutex_timedlock(m, &at);
	case 2:
		at = in_ns(3600000000000);
		return perch_mutex_timedlock(m, &at);
	default:
		return perch_mutex_lock(m);
	}
}

static void *add_guarded(void *arg)
{
	struct guarded *g = arg;

	for (unsigned i = 0; i < g->each; i++) {
		int r = lock_somehow(&g->m);

		if (r) {
			ASSERT_TRUE(r == -EBUSY || r == -ETIMEDOUT);
			count_up(&g->given_up);
			continue;
		}
		ASSERT_EQ(count_up(&g->inside), 1);
		g->count++;
		dawdle(3000);
		if (g->m.kind == PERCH_MUTEX_RECURSIVE) {
			ASSERT_EQ(perch_mutex_lock(&g->m), 0);
			dawdle(1000);
			ASSERT_EQ(perch_mutex_unlock(&g->m), 0);
		}
		ASSERT_EQ(__atomic_sub_fetch(&g->inside, 1, __ATOMIC_ACQ_REL), 0);
		ASSERT_EQ(perch_mutex_unlock(&g->m), 0);
		dawdle(1000);
	}
	return NULL;
}

static void add_all(unsigned kind, unsigned threads, unsigned pthreads)
{
	struct guarded g = {.m = PERCH_MUTEX_INIT_KIND(kind), .each = 300};
	struct crowd c = {0};

	crowd_add(&c, threads, pthreads, add_guarded, &g);
	crowd_join(&c);
	EXPECT_EQ(g.count + g.given_up, (uint64_t)g.each * (threads + pthreads));
	EXPECT_EQ(g.m.word[0] & BIAS_VALUE, 0);
	EXPECT_EQ(waiting(&g.m.queue), 0);
	EXPECT_EQ(perch_mutex_destroy(&g.m), 0);
}

TEST_F(mutex, excludes)
{
	for (unsigned kind = PERCH_MUTEX_PLAIN; kind <= PERCH_MUTEX_ERRORCHECK; kind++)
		add_all(kind, 40, 0);
}

TEST_F(mutex, excludes_threads_and_pthreads)
{
	for (unsigned kind = PERCH_MUTEX_PLAIN; kind <= PERCH_MUTEX_ERRORCHECK; kind++)
		add_all(kind, 20, 5);
}

TEST(excludes_pthreads_without_the_runtime)
{
	add_all(PERCH_MUTEX_PLAIN, 0, 6);
	add_all(PERCH_MUTEX_RECURSIVE, 0, 6);
}

/* ---- waiting ---- */

static void *lock_and_count(void *arg)
{
	struct guarded *g = arg;

	EXPECT_EQ(perch_mutex_lock(&g->m), 0);
	count_up(&g->inside);
	EXPECT_EQ(perch_mutex_unlock(&g->m), 0);
	return NULL;
}

TEST_F(mutex, those_who_wait_come_in_one_after_the_other)
{
	struct guarded g = {.m = PERCH_MUTEX_INIT};
	struct crowd c = {0};

	ASSERT_EQ(perch_mutex_lock(&g.m), 0);
	crowd_add(&c, 20, 4, lock_and_count, &g);
	ASSERT_TRUE(until_waiting(&g.m.queue, 24));
	EXPECT_EQ(g.inside, 0);
	EXPECT_EQ(perch_mutex_destroy(&g.m), -EBUSY);
	ASSERT_EQ(perch_mutex_unlock(&g.m), 0);
	EXPECT_TRUE(gather(&g.inside, 24, 20));
	crowd_join(&c);
	EXPECT_EQ(perch_mutex_destroy(&g.m), 0);
}

static void *try_for_a_while(void *arg)
{
	struct guarded *g = arg;
	struct timespec at = in_ns(2000000);

	EXPECT_EQ(perch_mutex_timedlock(&g->m, &at), -ETIMEDOUT);
	count_up(&g->given_up);
	return NULL;
}

/* In the middle of the queue, at its ends, and all of it. */
TEST_F(mutex, those_who_time_out_leave_the_others_waiting)
{
	struct guarded g = {.m = PERCH_MUTEX_INIT};
	struct crowd c = {0};

	ASSERT_EQ(perch_mutex_lock(&g.m), 0);
	crowd_add(&c, 2, 1, try_for_a_while, &g);
	crowd_add(&c, 3, 1, lock_and_count, &g);
	crowd_add(&c, 2, 1, try_for_a_while, &g);
	crowd_add(&c, 3, 1, lock_and_count, &g);
	crowd_add(&c, 2, 1, try_for_a_while, &g);
	ASSERT_TRUE(gather(&g.given_up, 9, 20));
	ASSERT_TRUE(until_waiting(&g.m.queue, 8));
	EXPECT_EQ(g.inside, 0);
	ASSERT_EQ(perch_mutex_unlock(&g.m), 0);
	EXPECT_TRUE(gather(&g.inside, 8, 20));
	crowd_join(&c);
	ASSERT_EQ(perch_mutex_lock(&g.m), 0);
	crowd_add(&c, 2, 1, try_for_a_while, &g);
	ASSERT_TRUE(gather(&g.given_up, 12, 20));
	crowd_join(&c);
	ASSERT_EQ(perch_mutex_unlock(&g.m), 0);
	EXPECT_EQ(g.m.word[0] & BIAS_VALUE, 0);
	EXPECT_EQ(perch_mutex_destroy(&g.m), 0);
}

/* ---- a fair share ---- */

struct greedy {
	perch_mutex_t m;
	uint32_t stop, waits, got, order_lost, ran_at_once;
	uint64_t longest_ns;
};

/* Unlocks only to lock again at once; whoever is woken finds it locked. */
static void *keep_it(void *arg)
{
	struct greedy *g = arg;
	uint64_t until = harness_now() + 25000000000u;

	ASSERT_EQ(perch_mutex_lock(&g->m), 0);
	while (!__atomic_load_n(&g->stop, __ATOMIC_ACQUIRE) && harness_now() < until) {
		perch_yield();
		ASSERT_EQ(perch_mutex_unlock(&g->m), 0);
		ASSERT_EQ(perch_mutex_lock(&g->m), 0);
	}
	ASSERT_EQ(perch_mutex_unlock(&g->m), 0);
	return NULL;
}

static void *want_it(void *arg)
{
	struct greedy *g = arg;
	uint64_t since = harness_now();

	count_up(&g->waits);
	ASSERT_EQ(perch_mutex_lock(&g->m), 0);
	since = harness_now() - since;
	if (since > g->longest_ns)
		g->longest_ns = since;
	count_up(&g->got);
	ASSERT_EQ(perch_mutex_unlock(&g->m), 0);
	return NULL;
}

TEST_F(mutex, one_who_keeps_it_does_not_starve_the_others)
{
	struct greedy g = {.m = PERCH_MUTEX_INIT};
	struct crowd keeper = {0}, c = {0};

	crowd_add_thread(&keeper, keep_it, &g);
	crowd_add(&c, 30, 2, want_it, &g);
	EXPECT_TRUE(gather(&g.got, 32, 20));
	__atomic_store_n(&g.stop, 1, __ATOMIC_RELEASE);
	crowd_join(&c);
	crowd_join(&keeper);
	harness_log("the longest wait of 32 for one that is always locked: %.3f ms", (double)g.longest_ns / 1e6);
}

/* Unlock wakes, but does not switch: the woken one cannot have run yet. */
static void *note_that_it_ran(void *arg)
{
	struct greedy *g = arg;

	ASSERT_EQ(perch_mutex_lock(&g->m), 0);
	__atomic_store_n(&g->got, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_mutex_unlock(&g->m), 0);
	return NULL;
}

static void *unlock_and_look(void *arg)
{
	struct greedy *g = arg;
	perch_t t;

	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(perch_mutex_lock(&g->m), 0);
		__atomic_store_n(&g->got, 0, __ATOMIC_RELEASE);
		ASSERT_EQ(perch_create(&t, NULL, note_that_it_ran, g), 0);
		while (!waiting(&g->m.queue))
			perch_yield();
		ASSERT_EQ(perch_mutex_unlock(&g->m), 0);
		ASSERT_EQ(__atomic_load_n(&g->got, __ATOMIC_ACQUIRE), 0);
		/* and while it is on its way, anybody may have the mutex */
		ASSERT_EQ(perch_mutex_trylock(&g->m), 0);
		ASSERT_EQ(perch_mutex_unlock(&g->m), 0);
		ASSERT_EQ(__atomic_load_n(&g->got, __ATOMIC_ACQUIRE), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		ASSERT_EQ(g->got, 1);
	}
	return arg;
}

TEST(unlock_does_not_switch)
{
	struct perch_config config = {.workers = 1};
	struct greedy g = {.m = PERCH_MUTEX_INIT};

	ASSERT_EQ(perch_run(&config, unlock_and_look, &g, NULL), 0);
}

/* ---- whoever was the last to unlock may be the one who destroys ---- */

struct shared {
	perch_mutex_t m;
	uint32_t users;
};

static void *use_and_drop(void *arg)
{
	struct shared *s = arg;
	bool last;

	ASSERT_EQ(perch_mutex_lock(&s->m), 0);
	if (harness_random_below(4) == 0)
		perch_yield();
	last = !--s->users;
	ASSERT_EQ(perch_mutex_unlock(&s->m), 0);
	if (last) {
		ASSERT_EQ(perch_mutex_destroy(&s->m), 0);
		expect_left_alone(s, sizeof(*s));
	}
	return NULL;
}

TEST_F(mutex, destroyed_by_its_last_user)
{
	struct shared s[40];
	struct crowd c = {0};

	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 40; i++)
			s[i] = (struct shared){PERCH_MUTEX_INIT, 4};
		for (int i = 0; i < 40; i += 4) {
			crowd_add(&c, 3, 1, use_and_drop, &s[i]);
			if (c.threads >= 30)
				crowd_join(&c);
		}
		crowd_join(&c);
	}
}

/* ---- in the child of a fork ---- */

static perch_mutex_t locked_at_fork = PERCH_MUTEX_INIT;

static void in_child(void *arg)
{
	struct timespec later = in_ns(3600000000000);

	(void)arg;
	EXPECT_EQ(perch_mutex_trylock(&locked_at_fork), -EBUSY);
	EXPECT_EQ(perch_mutex_lock(&locked_at_fork), -EPERM);
	EXPECT_EQ(perch_mutex_timedlock(&locked_at_fork, &later), -EPERM);
	EXPECT_EQ(perch_mutex_unlock(&locked_at_fork), 0);
	EXPECT_EQ(perch_mutex_lock(&locked_at_fork), 0);
}

TEST(in_the_child_of_a_fork)
{
	struct harness_captured c;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_mutex_lock(&locked_at_fork), 0);
	ASSERT_EQ(harness_capture(&c, in_child, NULL), 0);
	EXPECT_EQ(c.status, 0);
	harness_release(&c);
	ASSERT_EQ(perch_mutex_unlock(&locked_at_fork), 0);
	EXPECT_EQ(perch_stop(), 0);
}
