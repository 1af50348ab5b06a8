/* SPDX-License-Identifier: MIT */
/* task_test.c - fork and sync, in both forms, in any order, from anywhere. */
#include <errno.h>
#include <pthread.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

static void add_one(void *arg)
{
	count_up(arg);
}

TEST(before_start)
{
	uint32_t n = 0;
	perch_call_t c;

	EXPECT_EQ(perch_fork(&c, add_one, &n), -EINVAL);
	EXPECT_EQ(perch_sync(&c), -EINVAL);
	EXPECT_EQ(perch_fork(NULL, add_one, &n), -EINVAL);
	EXPECT_EQ(perch_fork(&c, NULL, &n), -EINVAL);
	EXPECT_EQ(perch_sync(&c), -EINVAL);
	EXPECT_EQ(perch_sync(NULL), -EINVAL);
	EXPECT_EQ(n, 0);
}

/* ---- typed tasks of every shape ---- */

static uint32_t called;

PERCH_TASK0(int, none)
{
	return 7;
}

PERCH_TASK1(long, fib, int, n)
{
	struct fib_task left;
	long right;

	if (n < 2)
		return n;
	fib_fork(&left, n - 1);
	right = fib(n - 2);
	return fib_sync(&left) + right;
}

PERCH_TASK2(double, two, double, a, char, b)
{
	return a + b;
}

struct triple {
	char c[24];
	long sum;
};

PERCH_TASK3(struct triple, three, char, a, short, b, long, c)
{
	return (struct triple){{a}, a + b + c};
}

PERCH_TASK4(void *, four, char *, a, unsigned char, b, int64_t, c, const int *, d)
{
	return a + b + c + *d;
}

PERCH_VOID_TASK0(void_none)
{
	count_up(&called);
}

PERCH_VOID_TASK1(void_one, uint32_t, a)
{
	__atomic_add_fetch(&called, a, __ATOMIC_ACQ_REL);
}

PERCH_VOID_TASK2(void_two, uint32_t, a, uint8_t, b)
{
	__atomic_add_fetch(&called, a + b, __ATOMIC_ACQ_REL);
}

PERCH_VOID_TASK3(void_three, uint32_t, a, uint8_t, b, uint64_t, c)
{
	__atomic_add_fetch(&called, a + b + (uint32_t)c, __ATOMIC_ACQ_REL);
}

PERCH_VOID_TASK4(void_four, uint32_t, a, uint8_t, b, uint64_t, c, uint32_t *, d)
{
	__atomic_add_fetch(d, a + b + (uint32_t)c, __ATOMIC_ACQ_REL);
}

static void all_shapes(void)
{
	struct none_task t0;
	struct fib_task t1;
	struct two_task t2;
	struct three_task t3;
	struct four_task t4;
	struct void_none_task v0;
	struct void_one_task v1;
	struct void_two_task v2;
	struct void_three_task v3;
	struct void_four_task v4;
	char *base = (char *)0x10000;
	struct triple triple;
	int ten = 10;

	__atomic_store_n(&called, 0, __ATOMIC_RELEASE);
	none_fork(&t0);
	fib_fork(&t1, 12);
	two_fork(&t2, 0.5, 2);
	three_fork(&t3, 1, -2, 1l << 40);
	four_fork(&t4, base, 200, -100, &ten);
	void_none_fork(&v0);
	void_one_fork(&v1, 10);
	void_two_fork(&v2, 100, 200);
	void_three_fork(&v3, 1000, 100, 100);
	void_four_fork(&v4, 10000, 1, 2, &called);
	/* not last forked, first synced */
	EXPECT_EQ(none_sync(&t0), 7);
	EXPECT_EQ(fib_sync(&t1), 144);
	void_four_sync(&v4);
	EXPECT_EQ(two_sync(&t2), 2.5);
	triple = three_sync(&t3);
	EXPECT_EQ(triple.sum, (1l << 40) - 1);
	EXPECT_EQ(triple.c[0], 1);
	void_none_sync(&v0);
	EXPECT_EQ(four_sync(&t4), base + 110);
	void_one_sync(&v1);
	void_two_sync(&v2);
	void_three_sync(&v3);
	EXPECT_EQ(called, 1 + 10 + 300 + 1200 + 10003);
}

TEST(typed_tasks_without_a_runtime_run_in_sync)
{
	all_shapes();
}

/* ---- inside ---- */

FIXTURE(task)
{
	int unused;
};
FIXTURE_VARIANT(task)
{
	bool pthread; /* a foreign one forks and syncs */
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(task, thread){false, PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(task, thread_alone){false, {.workers = 1}};
FIXTURE_VARIANT_ADD(task, thread_crowded){false, {.workers = 4}};
FIXTURE_VARIANT_ADD(task, pthread){true, PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(task, pthread_alone){true, {.workers = 1}};

FIXTURE_SETUP(task)
{
	struct perch_config config = variant->config;

	if (config.workers == 4)
		config.procs = 1;
	ASSERT_EQ(perch_start(&config), 0);
}

FIXTURE_TEARDOWN(task)
{
	EXPECT_EQ(perch_stop(), 0);
}

static void *in_thread(void *fn)
{
	((void (*)(void))(uintptr_t)fn)();
	return NULL;
}

static void run(bool pthread, void (*fn)(void))
{
	perch_t t;

	if (pthread) {
		fn();
		return;
	}
	ASSERT_EQ(perch_create(&t, NULL, in_thread, (void *)(uintptr_t)fn), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
}

#define TEST_IN(name)                                                                                                  \
	static void name(void);                                                                                        \
	TEST_F(task, name)                                                                                             \
	{                                                                                                              \
		run(variant->pthread, name);                                                                           \
	}                                                                                                              \
	static void name(void)

static void many_shapes(void)
{
	for (int i = 0; i < 200; i++)
		all_shapes();
}

TEST_F(task, typed)
{
	run(variant->pthread, many_shapes);
}

TEST_IN(errors)
{
	uint32_t n = 0;
	perch_call_t c;

	EXPECT_EQ(perch_fork(NULL, add_one, &n), -EINVAL);
	EXPECT_EQ(perch_fork(&c, NULL, &n), -EINVAL);
	EXPECT_EQ(perch_sync(&c), -EINVAL);
	EXPECT_EQ(perch_sync(NULL), -EINVAL);
	EXPECT_EQ(perch_fork(&c, add_one, &n), 0);
	EXPECT_EQ(perch_sync(&c), 0);
	EXPECT_EQ(n, 1);
}

TEST_IN(any_order)
{
	enum { N = 60 };
	static uint32_t n[N];
	perch_call_t c[N];

	for (int round = 0; round < (SANITIZER_THREAD ? 10 : 200); round++) {
		unsigned order[N];

		for (unsigned i = 0; i < N; i++) {
			unsigned k = (unsigned)harness_random_below(i + 1);

			order[i] = order[k];
			order[k] = i;
			ASSERT_EQ(perch_fork(&c[i], add_one, &n[i]), 0);
			/* here and there something else on top of the ring */
			if (i % 7 == 0)
				perch_yield();
		}
		for (unsigned i = 0; i < N; i++) {
			ASSERT_EQ(perch_sync(&c[order[i]]), 0);
			ASSERT_EQ(__atomic_load_n(&n[order[i]], __ATOMIC_ACQUIRE), round + 1);
		}
	}
}

TEST_IN(fib_of_24)
{
	EXPECT_EQ(fib(SANITIZER_THREAD ? 17 : 24), SANITIZER_THREAD ? 1597 : 46368);
}

/* More forked at once than a ring holds. */
static void fork_many(unsigned n, uint32_t *sum)
{
	perch_call_t c[64];

	for (int i = 0; i < 64; i++)
		ASSERT_EQ(perch_fork(&c[i], add_one, sum), 0);
	if (n)
		fork_many(n - 1, sum);
	for (int i = 0; i < 64; i++)
		ASSERT_EQ(perch_sync(&c[i]), 0);
}

enum { LEVELS = SANITIZER_THREAD ? 80 : 160 }; /* 64 tasks each, and a ring has 4,096 */

static void *fork_all(void *arg)
{
	fork_many(LEVELS - 1, arg);
	return NULL;
}

TEST_F(task, more_than_a_ring_holds)
{
	uint32_t sum = 0;
	perch_attr_t a;
	perch_t t;

	if (variant->pthread) {
		fork_all(&sum);
	} else {
		perch_attr_init(&a);
		perch_attr_setstacksize(&a, (size_t)2 << 20);
		ASSERT_EQ(perch_create(&t, &a, fork_all, &sum), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	EXPECT_EQ(sum, LEVELS * 64);
}

/* One path, much deeper than any stack: each stack that runs short is left for a new one. */
PERCH_TASK1(long, descend, long, n)
{
	char room[200];
	struct descend_task next;
	long below;

	__asm__ volatile("" : : "r"(room) : "memory");
	if (!n)
		return 0;
	descend_fork(&next, n - 1);
	below = descend_sync(&next);
	__asm__ volatile("" : : "r"(room) : "memory"); /* no loop can be made of this */
	return below + 1;
}

TEST_IN(deeper_than_the_stack)
{
	long depth = SANITIZER_THREAD ? 5000 : 20000;
	struct perch_stats s;

	EXPECT_EQ(descend(depth), depth);
	ASSERT_EQ(perch_stats_get(&s), 0);
	/* so many frames of 200 bytes and more, on stacks that begin with 64 KiB */
	EXPECT_GE(s.carried, 3);
	EXPECT_GT(s.stack_bytes, (size_t)depth * 200);
}

/* ---- tasks that wait ---- */

static void wait_for(void *wg)
{
	EXPECT_EQ(perch_waitgroup_wait(wg), 0);
}

TEST_IN(a_task_may_wait_for_its_forker)
{
	for (int i = 0; i < 300; i++) {
		perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
		perch_call_t c[3];

		ASSERT_EQ(perch_waitgroup_add(&wg, 1), 0);
		for (int k = 0; k < 3; k++)
			ASSERT_EQ(perch_fork(&c[k], wait_for, &wg), 0);
		for (int k = 0; k < i % 5; k++)
			perch_yield();
		ASSERT_EQ(perch_waitgroup_done(&wg), 0);
		for (int k = 0; k < 3; k++)
			ASSERT_EQ(perch_sync(&c[k]), 0);
	}
}

struct pair {
	perch_waitgroup_t there, back;
	uint32_t met;
};

static void go_there(void *arg)
{
	struct pair *p = arg;

	EXPECT_EQ(perch_waitgroup_done(&p->there), 0);
	EXPECT_EQ(perch_waitgroup_wait(&p->back), 0);
	count_up(&p->met);
}

static void *come_back(void *arg)
{
	struct pair *p = arg;

	EXPECT_EQ(perch_waitgroup_wait(&p->there), 0);
	EXPECT_EQ(perch_waitgroup_done(&p->back), 0);
	count_up(&p->met);
	return NULL;
}

TEST_IN(a_task_may_wait_for_a_thread)
{
	for (int i = 0; i < 300; i++) {
		struct pair p = {PERCH_WAITGROUP_INIT, PERCH_WAITGROUP_INIT, 0};
		perch_call_t c;
		perch_t t;

		ASSERT_EQ(perch_waitgroup_add(&p.there, 1), 0);
		ASSERT_EQ(perch_waitgroup_add(&p.back, 1), 0);
		ASSERT_EQ(perch_create(&t, NULL, come_back, &p), 0);
		ASSERT_EQ(perch_fork(&c, go_there, &p), 0);
		ASSERT_EQ(perch_sync(&c), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		ASSERT_EQ(p.met, 2);
	}
}

static void *give(void *arg)
{
	return arg;
}

static void make_and_join(void *arg)
{
	perch_t self = perch_self(), t;
	void *result;

	EXPECT_NE(self, 0);
	ASSERT_EQ(perch_create(&t, NULL, give, arg), 0);
	perch_yield();
	ASSERT_EQ(perch_join(t, &result), 0);
	EXPECT_EQ(result, arg);
	EXPECT_EQ(perch_self(), self);
	count_up(arg);
}

TEST_IN(tasks_create_and_join_threads)
{
	unsigned rounds = SANITIZER_THREAD ? 40 : 200;
	uint32_t n = 0;

	for (unsigned i = 0; i < rounds; i++) {
		perch_call_t c[5];

		for (int k = 0; k < 5; k++)
			ASSERT_EQ(perch_fork(&c[k], make_and_join, &n), 0);
		for (int k = 4; k >= 0; k--)
			ASSERT_EQ(perch_sync(&c[k]), 0);
	}
	EXPECT_EQ(n, rounds * 5);
}

/* ---- many pthreads at once ---- */

static void *pthread_fib(void *arg)
{
	for (int i = 0; i < 20; i++) {
		struct fib_task t;

		fib_fork(&t, 15);
		if (fib_sync(&t) != 610)
			return NULL;
	}
	return arg;
}

TEST_F(task, pthreads_fork_and_sync_at_once)
{
	pthread_t p[8];
	int x;

	for (int i = 0; i < 8; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, pthread_fib, &x), 0);
	for (int i = 0; i < 8; i++) {
		void *result;

		ASSERT_EQ(pthread_join(p[i], &result), 0);
		EXPECT_EQ(result, &x);
	}
}

/* Where a pthread forks, its tasks are a worker's to run. */
static pthread_t ran_on;

static void tell_pthread(void *arg)
{
	(void)arg;
	ran_on = pthread_self();
}

TEST_F(task, what_a_pthread_forks_is_run_by_a_worker)
{
	perch_call_t c;

	ASSERT_EQ(perch_fork(&c, tell_pthread, NULL), 0);
	ASSERT_EQ(perch_sync(&c), 0);
	EXPECT_FALSE(pthread_equal(ran_on, pthread_self()));
}
