/* SPDX-License-Identifier: MIT */
/* stats_test.c - what is counted, is what happened. */
#include <errno.h>

#include <perch/perch.h>

#include "rseq/percpu.h"
#include "tests/harness/gather.h"

static void *nothing(void *arg)
{
	return arg;
}

/* A thread is counted as finished a moment after its join. */
static void settle(struct perch_stats *s)
{
	*s = (struct perch_stats){0};
	for (uint64_t until = harness_now() + 5000000000u; harness_now() < until;) {
		ASSERT_EQ(perch_stats_get(s), 0);
		if (s->finished == s->spawned)
			return;
	}
}

TEST(errors)
{
	struct perch_stats s;

	EXPECT_EQ(perch_stats_get(&s), -EINVAL);
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_stats_get(NULL), -EINVAL);
	EXPECT_EQ(perch_stats_get(&s), 0);
	EXPECT_EQ(s.spawned, 0);
	EXPECT_EQ(s.finished, 0);
	EXPECT_EQ(s.carried, 0);
	EXPECT_EQ(s.stacks, 0);
	EXPECT_EQ(perch_stop(), 0);
	EXPECT_EQ(perch_stats_get(&s), -EINVAL);
}

TEST(threads_and_stacks)
{
	struct perch_stats s;
	perch_t t[100];

	ASSERT_EQ(perch_start(NULL), 0);
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, nothing, NULL), 0);
	ASSERT_EQ(perch_stats_get(&s), 0);
	EXPECT_EQ(s.spawned, 100);
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	settle(&s);
	EXPECT_EQ(s.finished, 100);
	EXPECT_GT(s.stacks, 0);
	EXPECT_GE(s.stack_bytes, s.stacks * (64 << 10));
	EXPECT_GT(s.switches, 0);
	EXPECT_EQ(perch_stop(), 0);
}

static void *yield_100(void *arg)
{
	for (int i = 0; i < 100; i++)
		perch_yield();
	return arg;
}

static void *two_who_yield(void *arg)
{
	perch_t a, b;

	ASSERT_EQ(perch_create(&a, NULL, yield_100, NULL), 0);
	ASSERT_EQ(perch_create(&b, NULL, yield_100, NULL), 0);
	ASSERT_EQ(perch_join(a, NULL), 0);
	ASSERT_EQ(perch_join(b, NULL), 0);
	return arg;
}

TEST(yields_parks_and_unparks)
{
	/* no hand-off: a spare would run one of the two, when making a stack takes long */
	const struct perch_config config = {.workers = 1, .handoff = PERCH_HANDOFF_OFF};
	struct perch_stats s;
	perch_t t;

	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&t, NULL, two_who_yield, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	settle(&s);
	EXPECT_EQ(s.spawned, 3);
	/* both yield to each other but for the end, when one is alone */
	EXPECT_GE(s.yields, 190);
	EXPECT_LE(s.yields, 200);
	EXPECT_GE(s.parks, 1);
	EXPECT_EQ(s.parks, s.unparks);
	EXPECT_GE(s.switches, s.yields + s.parks);
	EXPECT_EQ(s.steals, 0);
	EXPECT_EQ(s.forced, 0);
	EXPECT_EQ(perch_stop(), 0);
}

static void wait_until(void *word)
{
	while (!__atomic_load_n((uint32_t *)word, __ATOMIC_ACQUIRE))
		;
}

static void set(void *word)
{
	count_up(word);
}

static void *be_robbed(void *arg)
{
	uint32_t word = 0;
	perch_call_t c;

	ASSERT_EQ(perch_fork(&c, set, &word), 0);
	wait_until(&word); /* only another worker can have run it */
	ASSERT_EQ(perch_sync(&c), 0);
	return arg;
}

TEST(steals)
{
	struct perch_stats s;
	perch_t t;

	ASSERT_EQ(perch_start(NULL), 0);
	if (perch_workers() < 2)
		SKIP("needs two CPUs");
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(perch_create(&t, NULL, be_robbed, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	settle(&s);
	EXPECT_EQ(s.carried, 200);
	EXPECT_GE(s.steals, 200);
	EXPECT_GE(s.stolen, s.steals);
	EXPECT_GT(s.asked_steals + s.forced, 0);
	EXPECT_GT(s.asked_steal_ns + s.forced_ns, 0);
	EXPECT_GT(s.reveals, 0); /* asked for by the thief, or before, by one that went to sleep */
	harness_log("%llu steals, %llu asked for, %llu forced, %llu sleeps, %llu wakes", (unsigned long long)s.steals,
		    (unsigned long long)s.asked_steals, (unsigned long long)s.forced, (unsigned long long)s.sleeps,
		    (unsigned long long)s.wakes);
	EXPECT_EQ(perch_stop(), 0);
}

TEST(an_idle_runtime_sleeps)
{
	struct perch_stats before, after;
	struct timespec nap = {0, 300000000};

	ASSERT_EQ(perch_start(NULL), 0);
	nanosleep(&nap, NULL);
	ASSERT_EQ(perch_stats_get(&before), 0);
	EXPECT_GE(before.sleeps, perch_workers());
	if (perch_workers() > 1) /* one alone needs none */
		EXPECT_GE(before.barriers, 1);
	nanosleep(&nap, NULL);
	ASSERT_EQ(perch_stats_get(&after), 0);
	/* nothing wakes it */
	EXPECT_EQ(after.sleeps, before.sleeps);
	EXPECT_EQ(after.wakes, before.wakes);
	EXPECT_EQ(perch_stop(), 0);
}

struct patient {
	perch_sem_t woken;
	size_t times;
};

static void *be_woken(void *arg)
{
	struct patient *p = arg;

	for (size_t i = 0; i < p->times; i++)
		if (perch_sem_wait(&p->woken))
			return arg;
	return NULL;
}

/* A pthread outside wakes one thread, again and again: what the workers know of each other's queues
 * from the last time still holds. */
TEST(who_falls_asleep_again_interrupts_nobody)
{
	struct patient patient = {PERCH_SEM_INIT(0), 200};
	const struct timespec nap = {0, 2000000};
	struct perch_stats before, after;
	void *failed;
	perch_t t;

	ASSERT_EQ(perch_start(NULL), 0);
	if (percpu_locked)
		SKIP("no barriers are needed under locks");
	ASSERT_EQ(perch_create(&t, NULL, be_woken, &patient), 0);
	nanosleep(&(struct timespec){0, 300000000}, NULL);
	ASSERT_EQ(perch_stats_get(&before), 0);
	for (size_t i = 0; i < patient.times; i++) {
		ASSERT_EQ(perch_sem_post(&patient.woken), 0);
		nanosleep(&nap, NULL);
	}
	ASSERT_EQ(perch_join(t, &failed), 0);
	EXPECT_TRUE(!failed);
	ASSERT_EQ(perch_stats_get(&after), 0);
	harness_log("%llu sleeps, %llu barriers", (unsigned long long)(after.sleeps - before.sleeps),
		    (unsigned long long)(after.barriers - before.barriers));
	/* when others use the CPUs, there may be no sleep between two wakes */
	EXPECT_GE(after.sleeps - before.sleeps, patient.times / 4);
	EXPECT_LE(after.barriers - before.barriers, (after.sleeps - before.sleeps) / 2);
	EXPECT_EQ(perch_stop(), 0);
}

static void with_stats(void *arg)
{
	const struct perch_config config = {.stats = 1};

	(void)arg;
	perch_run(&config, two_who_yield, NULL, NULL);
}

TEST(printed_when_asked_for)
{
	static const char *const lines[] = {"processors",  "workers", "operations by", "guards by", "spawned",
					    "finished",    "steals",  "asked_steals",  "forced",    "forced_ns",
					    "stack_bytes", "sleeps",  "unparks",       "stacks of "};
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, with_stats, NULL), 0);
	EXPECT_EQ(c.status, 0);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		EXPECT_CONTAINS(c.text, lines[i]);
	harness_release(&c);
}
