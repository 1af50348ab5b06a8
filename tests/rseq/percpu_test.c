/* SPDX-License-Identifier: MIT */
/* percpu_test.c - areas that come and go, and counters that lose nothing. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "rseq/counter.h"
#include "rseq/ring.h"
#include "tests/harness/harness.h"
#include "tests/rseq/area.h"

TEST(room_is_made_once)
{
	struct probe p = probe_rseq();
	char *base;

	ASSERT_EQ(percpu_start(4, p.sections), 0);
	base = percpu_base;
	EXPECT_EQ(percpu_start(3, p.sections), 0);
	EXPECT_EQ(percpu_base, base);
	EXPECT_EQ(percpu_count, 4);
	EXPECT_EQ(percpu_start(5, p.sections), -ENOMEM);
	EXPECT_EQ(percpu_base, base);
}

TEST(no_address_space_is_an_error)
{
	struct probe p = probe_rseq();
	/* which is all of the addresses on x86-64, but half of them on aarch64 */
	struct rlimit most = {(1ull << 47) - 1, (1ull << 47) - 1};

	ASSERT_EQ(setrlimit(RLIMIT_AS, &most), 0);
	EXPECT_EQ(percpu_start(INT32_MAX, p.sections), -ENOMEM); /* 2^47 bytes */
	EXPECT_NULL(percpu_base);
	EXPECT_EQ(ring_push(1), RING_NOT_HERE);
}

TEST(stop_gives_everything_back)
{
	int cpu;
	struct percpu *a;
	uintptr_t item;

	area_cpus(&cpu, 1);
	area_pin(cpu);
	area_start();
	for (int again = 0; again < 3; again++) {
		a = percpu_of(cpu);
		percpu_activate(cpu, 0);
		EXPECT_EQ(ring_pop(&item), RING_EMPTY);
		for (uintptr_t i = 1; i < 100; i++)
			ASSERT_EQ(ring_push(i), RING_DONE);
		counter_add(2, 7);
		EXPECT_EQ(counter_sum(2, &cpu, 1), 7);
		percpu_deactivate(cpu);
		percpu_stop();
		EXPECT_EQ(a->tail, 0);
		EXPECT_EQ(a->slot[0], 0);
		EXPECT_EQ(counter_sum(2, &cpu, 1), 0);
	}
}

TEST(sections_and_locks_in_turn)
{
	int cpu;
	uintptr_t item;

	area_need_sections();
	area_cpus(&cpu, 1);
	area_pin(cpu);
	area_start();
	for (int i = 0; i < 4; i++) {
		bool sections = i % 2;

		ASSERT_EQ(percpu_start(percpu_count, sections), 0);
		percpu_activate(cpu, 0);
		EXPECT_EQ(section_push(1), sections ? SECTION_DONE : SECTION_SLOW);
		EXPECT_EQ(ring_push(2), RING_DONE);
		EXPECT_EQ(ring_pop(&item), RING_DONE);
		EXPECT_EQ(item, 2);
		percpu_deactivate(cpu);
		percpu_stop();
	}
}

static void *deactivate(void *area)
{
	percpu_deactivate((int)((struct percpu *)area)->cpu);
	return NULL;
}

/* It was once possible to take a processor away and put it back in the middle of a forced reveal. */
TEST(taking_away_waits_for_the_thief_that_froze_it)
{
	struct timespec soon;
	struct percpu *a;
	pthread_t p;
	int cpu;

	area_need_sections();
	area_cpus(&cpu, 1);
	area_start();
	a = percpu_of(cpu);
	percpu_activate(cpu, 0);
	__atomic_or_fetch(&a->flags, PERCPU_FROZEN, __ATOMIC_SEQ_CST);
	ASSERT_EQ(pthread_create(&p, NULL, deactivate, a), 0);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec += 1;
	EXPECT_EQ(pthread_timedjoin_np(p, NULL, &soon), ETIMEDOUT);
	EXPECT_EQ(__atomic_load_n(&a->flags, __ATOMIC_SEQ_CST), PERCPU_FROZEN);
	__atomic_and_fetch(&a->flags, ~(uint32_t)PERCPU_FROZEN, __ATOMIC_SEQ_CST);
	EXPECT_EQ(pthread_join(p, NULL), 0);
	EXPECT_EQ(a->flags, 0);
}

static void *activate(void *area)
{
	percpu_activate((int)((struct percpu *)area)->cpu, 0);
	return NULL;
}

TEST(putting_back_waits_for_who_inherits)
{
	struct timespec soon;
	struct percpu *a;
	pthread_t p;
	int cpu;

	area_need_sections();
	area_cpus(&cpu, 1);
	area_start();
	a = percpu_of(cpu);
	a->cpu = (uint32_t)cpu;
	__atomic_or_fetch(&a->flags, PERCPU_FROZEN, __ATOMIC_SEQ_CST);
	ASSERT_EQ(pthread_create(&p, NULL, activate, a), 0);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec += 1;
	EXPECT_EQ(pthread_timedjoin_np(p, NULL, &soon), ETIMEDOUT);
	EXPECT_EQ(__atomic_load_n(&a->flags, __ATOMIC_SEQ_CST), PERCPU_FROZEN);
	__atomic_and_fetch(&a->flags, ~(uint32_t)PERCPU_FROZEN, __ATOMIC_SEQ_CST);
	EXPECT_EQ(pthread_join(p, NULL), 0);
	EXPECT_EQ(a->flags, PERCPU_ACTIVE);
}

/* ---- counters ---- */

#define ADDERS 6
#define ADDS 400000

static void nothing(int signal)
{
	(void)signal;
}

static void *add_everywhere(void *unused)
{
	int cpus[64], n = area_cpus(cpus, 64);

	(void)unused;
	for (int i = 0; i < ADDS; i++) {
		if (i % 500 == 0)
			area_pin(cpus[harness_random_below((uint64_t)n)]);
		counter_add(1, 1);
		counter_add(5, 3);
	}
	return NULL;
}

static void check_counters(int active)
{
	struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
	int cpus[64], n = area_cpus(cpus, 64);
	pthread_t p[ADDERS];

	area_start();
	for (int i = 0; i < n && i < active; i++)
		percpu_activate(cpus[i], 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < ADDERS; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, add_everywhere, NULL), 0);
	for (int i = 0; i < ADDERS; i++)
		pthread_join(p[i], NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	EXPECT_EQ(counter_sum(1, cpus, n), (uint64_t)ADDERS * ADDS);
	EXPECT_EQ(counter_sum(5, cpus, n), (uint64_t)ADDERS * ADDS * 3);
	EXPECT_EQ(counter_sum(0, cpus, n), 0);
	if (active && !percpu_locked)
		EXPECT_GT(percpu_of(cpus[0])->counter[1], 0); /* by sections, not by the way out */
}

TEST(counters_are_exact_under_migration)
{
	check_counters(64);
}

TEST(counters_are_exact_where_some_cpus_have_no_processor)
{
	check_counters(1);
}

TEST(counters_are_exact_without_any_processor)
{
	check_counters(0);
}
