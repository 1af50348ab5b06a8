/* SPDX-License-Identifier: MIT */
/* bias_test.c - when a lock leans, and that it is a lock all the time. */
#include <pthread.h>

#include "rseq/bias.h"
#include "rseq/section_lock.h"
#include "tests/harness/harness.h"
#include "tests/rseq/area.h"
#include "tests/rseq/bias_stress.h"

#ifdef BIAS_STRESS_LONG
#define STRESS_TEST TEST_STRESS
#define SECONDS harness_stress_seconds()
#else
#define STRESS_TEST TEST
#define SECONDS 1.5
#endif

STRESS_TEST(nobody_is_in_it_beside_another)
{
	struct bias_result r = bias_stress(SECONDS, 4);

	harness_log("%llu lockings, %llu leaning", (unsigned long long)r.done, (unsigned long long)r.leant);
	EXPECT_EQ(r.lost, 0);
	EXPECT_GT(r.done, 100);
	if (!percpu_locked)
		EXPECT_GT(r.leant, 0);
}

#ifndef BIAS_STRESS_LONG
static struct bias_lock l;

static void lock_often(unsigned n)
{
	while (n--) {
		bias_lock(&l);
		bias_unlock(&l);
	}
}

static void *lock_there(void *cpu)
{
	area_pin(*(int *)cpu);
	lock_often(1);
	return NULL;
}

TEST(leans_on_who_takes_it_often_until_another_does)
{
	int cpus[2], n = area_cpus(cpus, 2);
	uint32_t leans;
	pthread_t t;

	area_start();
	area_need_sections();
	area_pin(cpus[0]);
	leans = BIAS_LEANS | (uint32_t)cpus[0] << BIAS_CPU_SHIFT;
	lock_often(LEAN_AFTER / 2);
	EXPECT_EQ(l.word, 0);
	lock_often(LEAN_AFTER);
	EXPECT_EQ(l.word, leans);
	bias_lock(&l);
	EXPECT_EQ(l.word, leans | BIAS_HELD);
	bias_unlock(&l);
	EXPECT_EQ(l.word, leans);
	/* the shape of a CAS, with other bits of the value */
	EXPECT_FALSE(bias_cas(&l, leans | BIAS_HELD, leans));
	EXPECT_EQ(l.word, leans);
	EXPECT_TRUE(bias_cas(&l, leans, leans | 6));
	EXPECT_EQ(l.word, leans | 6);
	EXPECT_TRUE(bias_cas(&l, leans | 6, leans));
	if (n < 2)
		SKIP("the rest needs two CPUs");
	ASSERT_EQ(pthread_create(&t, NULL, lock_there, &cpus[1]), 0);
	ASSERT_EQ(pthread_join(t, NULL), 0);
	EXPECT_EQ(l.word, 0);
	/* and it takes longer to lean again */
	lock_often(LEAN_AFTER * 2);
	EXPECT_EQ(l.word, 0);
	lock_often(LEAN_AGAIN);
	EXPECT_EQ(l.word, leans);
	/* by bias_cas() from elsewhere: the lean goes, the value stays */
	EXPECT_TRUE(bias_cas(&l, leans, leans | 6));
	area_pin(cpus[1]);
	EXPECT_FALSE(bias_cas(&l, leans | 6, leans));
	EXPECT_EQ(l.word, 6);
	/* a value that is never 0 keeps it from leaning, however often it is taken, and nothing is forgotten */
	for (int i = 0; i < 70000; i++) {
		ASSERT_TRUE(bias_cas(&l, 6, 6 | BIAS_HELD));
		bias_count(&l);
		ASSERT_TRUE(bias_cas(&l, 6 | BIAS_HELD, bias_unlocked(&l, 6 | BIAS_HELD)));
	}
	EXPECT_TRUE(l.lean & LEAN_TAKEN_OFF);
	EXPECT_EQ((l.lean & ~LEAN_TAKEN_OFF) >> LEAN_COUNT_SHIFT, LEAN_AGAIN);
	EXPECT_TRUE(bias_cas(&l, 6, 0));
}

TEST(without_sections_it_never_leans)
{
	percpu_locked = true;
	lock_often(LEAN_AFTER * 3);
	EXPECT_EQ(l.word, 0);
}
#endif
