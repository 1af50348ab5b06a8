/* SPDX-License-Identifier: MIT */
/* set_procs_test.c - perch_set_procs() while running: what it returns, and that nothing is lost. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"
#include "tests/resize/load.h"

static int first, last;
static unsigned cpus;

static void start(void)
{
	cpus = cpus_of_process(&first, &last);
	if (cpus < 2)
		SKIP("needs two CPUs");
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_procs(), cpus);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

TEST(what_it_returns)
{
	EXPECT_EQ(perch_set_procs(1), -EINVAL); /* not running */
	start();
	EXPECT_EQ(perch_set_procs(0), -EINVAL);
	EXPECT_EQ(perch_set_procs(cpus + 1), -EINVAL);
	EXPECT_EQ(perch_set_procs(100000), -EINVAL);
	EXPECT_EQ(perch_procs(), cpus);
	EXPECT_EQ(perch_set_procs(cpus), 0);
	errno = 4711;
	EXPECT_EQ(perch_set_procs(1), 0);
	EXPECT_EQ(errno, 4711);
	EXPECT_EQ(perch_procs(), 1);
	EXPECT_EQ(perch_workers(), 1);
	EXPECT_EQ(perch_set_procs(cpus), 0);
	EXPECT_EQ(perch_procs(), cpus);
	EXPECT_EQ(perch_workers(), cpus);
	EXPECT_EQ(perch_stop(), 0); /* which waits for all */
	EXPECT_EQ(perch_set_procs(1), -EINVAL);
	/* a new start begins anew */
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_procs(), cpus);
	EXPECT_EQ(perch_stop(), 0);
}

static void *set_from_a_thread(void *arg)
{
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(perch_set_procs(1), 0);
		ASSERT_EQ(perch_procs(), 1);
		perch_yield();
		ASSERT_EQ(perch_set_procs(cpus), 0);
		ASSERT_EQ(perch_procs(), cpus);
		perch_yield();
	}
	return arg;
}

/* Its own worker's processor is among those that go. */
TEST(from_a_thread)
{
	perch_t t;
	perch_attr_t a;

	start();
	perch_attr_init(&a);
	perch_attr_setstacksize(&a, PERCH_STACK_MIN);
	ASSERT_EQ(perch_create(&t, &a, set_from_a_thread, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(perch_stop(), 0); /* which waits for all */
}

static uint32_t over;

static void *set_at_once(void *arg)
{
	unsigned want = (unsigned)(uintptr_t)arg;

	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
		ASSERT_EQ(perch_set_procs(want), 0);
	return NULL;
}

/* Several that want different numbers: one after the other. */
TEST(from_many_at_once)
{
	struct load l;
	pthread_t p[2];
	perch_t t[2];

	start();
	load_begin(&l);
	for (uintptr_t i = 0; i < 2; i++) {
		ASSERT_EQ(pthread_create(&p[i], NULL, set_at_once, (void *)(1 + i * (cpus - 1))), 0);
		ASSERT_EQ(perch_create(&t[i], NULL, set_at_once, (void *)(1 + i * (cpus - 1))), 0);
	}
	for (int i = 0; i < 1000; i += 20)
		pause_ms(20);
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	}
	load_end(&l);
	EXPECT_EQ(perch_stop(), 0); /* which waits for all */
}

TEST_TIMEOUT(up_and_down_under_load, 60)
{
	struct load l;
	unsigned changes = 0;
	uint64_t until;

	start();
	load_begin(&l);
	until = harness_now() + 2000000000u;
	while (harness_now() < until) {
		unsigned n = 1 + (unsigned)harness_random_below(cpus);

		ASSERT_EQ(perch_set_procs(n), 0);
		ASSERT_EQ(perch_procs(), n);
		changes++;
		if (harness_random_below(2))
			pause_ms((long)harness_random_below(10));
	}
	harness_log("%u changes", changes);
	load_end(&l);
	EXPECT_EQ(perch_stop(), 0); /* which waits for all */
}

static uint32_t ran;

static void count_ran(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
}

#define CROWD (SANITIZER_THREAD ? 5000 : 30000)
#define YIELDERS (SANITIZER_THREAD ? 20 : 300)

static void *yield_often(void *arg)
{
	while (__atomic_load_n(&ran, __ATOMIC_RELAXED) < CROWD)
		perch_yield();
	return arg;
}

static void *make_a_crowd(void *arg)
{
	/* the ring, the overflow queue, the fair queue and the inbox have something */
	perch_t t[YIELDERS];

	for (int i = 0; i < YIELDERS; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, yield_often, NULL), 0);
	for (int i = 0; i < CROWD; i++)
		ASSERT_EQ(perch_go(count_ran, NULL), 0);
	ASSERT_EQ(perch_set_procs(1), 0);
	for (int i = 0; i < YIELDERS; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	return arg;
}

TEST_TIMEOUT(full_queues_are_emptied_by_the_others, 60)
{
	perch_t t;

	start();
	for (int round = 0; round < 5; round++) {
		ran = 0;
		ASSERT_EQ(perch_set_procs(cpus), 0);
		ASSERT_EQ(perch_create(&t, NULL, make_a_crowd, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		EXPECT_EQ(perch_procs(), 1);
	}
	EXPECT_EQ(perch_stop(), 0); /* which waits for all */
	EXPECT_EQ(ran, CROWD);
}

/* ---- timers ---- */

static uint32_t late_ms;

static void *sleep_a_while(void *arg)
{
	uint64_t ns = (uint64_t)(uintptr_t)arg, due = harness_now() + ns, now;
	uint32_t late, most;

	ASSERT_EQ(perch_sleep(ns), 0);
	now = harness_now();
	EXPECT_GE(now, due);
	late = (uint32_t)((now - due) / 1000000u);
	most = __atomic_load_n(&late_ms, __ATOMIC_RELAXED);
	while (late > most &&
	       !__atomic_compare_exchange_n(&late_ms, &most, late, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return NULL;
}

static void sleepers(bool busy)
{
	static perch_t t[400];
	struct load l;

	start();
	if (busy)
		load_begin(&l);
	for (uintptr_t i = 0; i < 400; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, sleep_a_while, (void *)(i * 2500000)), 0);
	pause_ms(20);
	for (int i = 0; i < 30; i++) {
		ASSERT_EQ(perch_set_procs(1 + (unsigned)i % cpus), 0);
		pause_ms(10);
	}
	ASSERT_EQ(perch_set_procs(1), 0);
	for (int i = 0; i < 400; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	if (busy)
		load_end(&l);
	harness_log("%u ms late at most", late_ms);
	/* one that is forgotten never comes: this is for a machine that is busy otherwise */
	EXPECT_LT(late_ms, SANITIZER_THREAD ? 20000 : 2000);
	EXPECT_EQ(perch_stop(), 0); /* which waits for all */
}

TEST(timers_go_on_when_nothing_else_runs)
{
	sleepers(false);
}

TEST(timers_go_on_beside_others)
{
	sleepers(true);
}

static uint32_t sleeping, slept;

static void *sleep_once(void *arg)
{
	__atomic_add_fetch(&sleeping, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_sleep((uint64_t)(uintptr_t)arg), 0);
	__atomic_add_fetch(&slept, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *never_idle(void *arg)
{
	while (__atomic_load_n(&slept, __ATOMIC_ACQUIRE) < 100)
		perch_yield();
	return arg;
}

/* No worker searches any more, and none is handed over to: only fair rounds are left. */
TEST(timers_left_behind_beside_workers_that_are_never_idle)
{
	const struct perch_config config = {.handoff = PERCH_HANDOFF_OFF, .follow = PERCH_FOLLOW_OFF};
	perch_t t[100], busy[4];

	if (cpus_of_process(&first, &last) < 2)
		SKIP("needs two CPUs");
	ASSERT_EQ(perch_start(&config), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_create(&busy[i], NULL, never_idle, NULL), 0);
	for (uintptr_t i = 0; i < 100; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, sleep_once, (void *)(300000000 + i * 1000000)), 0);
	ASSERT_TRUE(gather(&sleeping, 100, 20));
	ASSERT_EQ(perch_set_procs(1), 0);
	ASSERT_TRUE(gather(&slept, 100, 20));
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_join(busy[i], NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- pinned threads ---- */

static uint32_t rounds_wanted = 200, pinned_done;

static void *stay(void *arg)
{
	pid_t tid;

	ASSERT_EQ(perch_pin(), 0);
	tid = (pid_t)syscall(SYS_gettid);
	for (uint32_t i = 0; i < rounds_wanted; i++) {
		if (i % 2)
			perch_yield();
		else
			perch_sleep(1000000);
		ASSERT_EQ((pid_t)syscall(SYS_gettid), tid);
	}
	ASSERT_EQ(perch_unpin(), 0);
	perch_yield();
	__atomic_add_fetch(&pinned_done, 1, __ATOMIC_RELAXED);
	return arg;
}

TEST_TIMEOUT(pinned_threads_stay_where_they_are, 60)
{
	perch_t t[40];
	struct load l;

	start();
	load_begin(&l);
	for (int i = 0; i < 40; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, stay, NULL), 0);
	for (int i = 0; i < 40; i++) {
		ASSERT_EQ(perch_set_procs(1 + (unsigned)i % cpus), 0);
		pause_ms(10);
	}
	ASSERT_EQ(perch_set_procs(1), 0);
	for (int i = 0; i < 40; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	EXPECT_EQ(pinned_done, 40);
	load_end(&l);
	EXPECT_EQ(perch_stop(), 0); /* which waits for all */
}

/* ---- one that computes is not waited for ---- */

static uint32_t computing, let_go;

static void *compute(void *arg)
{
	perch_call_t c;
	uint32_t n = 0;

	(void)arg;
	__atomic_store_n(&computing, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&let_go, __ATOMIC_ACQUIRE)) {
		/* its forks go on, wherever it is */
		ASSERT_EQ(perch_fork(&c, count_ran, NULL), 0);
		ASSERT_EQ(perch_sync(&c), 0);
		n++;
	}
	return (void *)(uintptr_t)n;
}

TEST(one_that_computes_is_not_waited_for)
{
	void *forks;
	perch_t t;

	start();
	ran = 0;
	ASSERT_EQ(perch_create(&t, NULL, compute, NULL), 0);
	ASSERT_TRUE(gather(&computing, 1, 20));
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(perch_set_procs(1), 0);
		pause_ms(5);
		ASSERT_EQ(perch_set_procs(cpus), 0);
		pause_ms(5);
	}
	ASSERT_EQ(perch_set_procs(1), 0);
	pause_ms(20);
	__atomic_store_n(&let_go, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_join(t, &forks), 0);
	EXPECT_EQ((uintptr_t)forks, ran);
	EXPECT_EQ(perch_stop(), 0); /* which waits for all */
}
