/* SPDX-License-Identifier: MIT */
/*
 * steal_test.c - who robs whom, by policy: on this machine's CPUs, described as two nodes; what
 * may not be stolen is found by its own node all the same, and nothing is counted wrong.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "core/sched/idle.h"
#include "core/sched/sched.h"
#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

/* Far longer than it takes to start a runtime, which the thread sanitizer needs milliseconds for. */
#if SANITIZER_THREAD
#define DELAY_NS UINT64_C(400000000)
#define DELAY "400000000"
#else
#define DELAY_NS UINT64_C(40000000)
#define DELAY "40000000"
#endif

static int cpu[2]; /* one of each node */

/* Every other CPU that we may use on node 0, and on node 1. False: there is only one. */
static bool two_nodes(void)
{
	char list[2][2048] = {"", ""}, text[5000];
	size_t used[2] = {0, 0};
	cpu_set_t set;
	int n = 0;

	ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
	for (int i = 0; i < CPU_SETSIZE; i++) {
		int half = n % 2;

		if (!CPU_ISSET(i, &set))
			continue;
		if (n < 2)
			cpu[n] = i;
		n++;
		used[half] += (size_t)snprintf(list[half] + used[half], sizeof(list[half]) - used[half], "%s%d",
					       used[half] ? "," : "", i);
		ASSERT_LT(used[half], sizeof(list[half]));
	}
	snprintf(text, sizeof(text), "node0=%s node1=%s", list[0], list[1]);
	setenv("PERCH_TOPOLOGY", text, 1);
	return n > 1;
}

static void stay_on(int where)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(where, &set);
	ASSERT_EQ(pthread_setaffinity_np(pthread_self(), sizeof(set), &set), 0);
}

/* Of the two described nodes. */
static int node_now(void)
{
	int now = sched_getcpu();

	for (unsigned i = 0; i < sched.set->count; i++)
		if (sched.set->processor[i]->cpu == now)
			return sched.set->processor[i]->node;
	return -1;
}

static struct perch_stats stats(void)
{
	struct perch_stats s;
	uint64_t steals = 0, stolen = 0;

	ASSERT_EQ(perch_stats_get(&s), 0);
	for (int tier = 0; tier < PERCH_TIERS; tier++) {
		steals += s.steals_by_tier[tier];
		stolen += s.stolen_by_tier[tier];
	}
	EXPECT_EQ(steals, s.steals);
	EXPECT_EQ(stolen, s.stolen);
	return s;
}

static uint64_t far_steals(void)
{
	struct perch_stats s = stats();
	uint64_t sum = 0;

	for (int tier = 3; tier < PERCH_TIERS; tier++)
		sum += s.steals_by_tier[tier];
	return sum;
}

/* A pthread on that CPU; fn's argument is the CPU. */
static pthread_t begin_on(int *where, void *(*fn)(void *arg))
{
	pthread_t p;

	ASSERT_EQ(pthread_create(&p, NULL, fn, where), 0);
	return p;
}

static void *in_vain(void *arg)
{
	return arg;
}

static void wait_asleep(void)
{
	for (uint64_t until = harness_now() + 10000000000u; !idle_all_asleep();)
		ASSERT_LT(harness_now(), until);
}

/* ---- how long until others come ---- */

/* From before there was anything to see until it was taken. */
static uint64_t since_ns, waited_ns;

static void set(void *word)
{
	__atomic_store_n((uint32_t *)word, 1, __ATOMIC_RELEASE);
}

/* Its worker is kept, so another must come for what it forks. */
static void *be_robbed(void *arg)
{
	uint32_t word = 0;
	perch_call_t c;

	ASSERT_EQ(perch_fork(&c, set, &word), 0);
	while (!__atomic_load_n(&word, __ATOMIC_ACQUIRE))
		;
	waited_ns = harness_now() - since_ns;
	ASSERT_EQ(perch_sync(&c), 0);
	return arg;
}

static int shorter(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

enum { SHORTEST = 0, MEDIAN = 2 };

/* Of five. */
static uint64_t robbed_after(enum perch_steal steal, int which)
{
	const struct perch_config config = {
		.procs = 2, .steal = steal, .handoff = PERCH_HANDOFF_OFF, .follow = PERCH_FOLLOW_OFF};
	uint64_t waited[5];
	perch_t t;

	/* started anew each time: a tier stays open to a node for a while once something came from there */
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(perch_start(&config), 0);
		since_ns = harness_now();
		ASSERT_EQ(perch_create(&t, NULL, be_robbed, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		waited[i] = waited_ns;
		EXPECT_GE(far_steals(), 1);
		EXPECT_EQ(stats().steals, far_steals());
		EXPECT_EQ(perch_stop(), 0);
	}
	qsort(waited, 5, sizeof(waited[0]), shorter);
	return waited[which];
}

TEST(near_first_robs_another_node_after_the_delay)
{
	if (!two_nodes())
		SKIP("needs two CPUs");
	setenv("PERCH_STEAL_DELAY", DELAY, 1);
	/* a round's time is its beginning, which may lie before a thief is kept from its CPU: so the median */
	EXPECT_GE(robbed_after(PERCH_STEAL_AUTO, MEDIAN), DELAY_NS);
	setenv("PERCH_STEAL_DELAY", "0", 1);
	EXPECT_LT(robbed_after(PERCH_STEAL_NEAR_FIRST, SHORTEST), DELAY_NS / 2);
}

TEST(flat_robs_it_at_once)
{
	if (!two_nodes())
		SKIP("needs two CPUs");
	setenv("PERCH_STEAL_DELAY", DELAY, 1); /* which is none of its business */
	EXPECT_LT(robbed_after(PERCH_STEAL_FLAT, SHORTEST), DELAY_NS / 2);
}

/* ---- where nobody may come ---- */

FIXTURE(apart)
{
	int unused;
};
FIXTURE_VARIANT(apart)
{
	struct perch_config config;
};
#define APART(how) .procs = 2, .steal = (how), .handoff = PERCH_HANDOFF_OFF, .follow = PERCH_FOLLOW_OFF
FIXTURE_VARIANT_ADD(apart, node_only){{APART(PERCH_STEAL_NODE_ONLY)}};
FIXTURE_VARIANT_ADD(apart, none){{APART(PERCH_STEAL_NONE)}};
FIXTURE_VARIANT_ADD(apart, node_only_crowded){{APART(PERCH_STEAL_NODE_ONLY), .workers = 6}};
FIXTURE_VARIANT_ADD(apart, none_crowded){{APART(PERCH_STEAL_NONE), .workers = 6}};

FIXTURE_SETUP(apart)
{
	if (!two_nodes())
		SKIP("needs two CPUs");
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(apart)
{
	EXPECT_EQ(perch_stop(), 0);
}

static void note_node(void *node)
{
	__atomic_store_n((int *)node, perch_numa_node(), __ATOMIC_RELEASE);
}

/* As if a thief were at its queue for long: what it forks then cannot be pushed. Others have time to come for it. */
static void *fork_while_frozen(void *arg)
{
	struct percpu *a = processor_area(worker_self()->home);
	uint64_t until = harness_now() + 3000000;
	int node = -1, here = perch_numa_node(), r;
	perch_call_t c;

	__atomic_or_fetch(&a->flags, (uint32_t)PERCPU_FROZEN, __ATOMIC_SEQ_CST);
	r = perch_fork(&c, note_node, &node);
	__atomic_and_fetch(&a->flags, ~(uint32_t)PERCPU_FROZEN, __ATOMIC_SEQ_CST);
	ASSERT_EQ(r, 0);
	while (__atomic_load_n(&node, __ATOMIC_ACQUIRE) < 0 && harness_now() < until)
		;
	ASSERT_EQ(perch_sync(&c), 0);
	EXPECT_EQ(node, here);
	return arg;
}

TEST_F(apart, what_cannot_be_pushed_is_not_everybodys)
{
	perch_t t;

	(void)self;
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(perch_create(&t, NULL, fork_while_frozen, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
}

static uint32_t elsewhere, ran;

static void yield_here(void *arg)
{
	for (int i = 0; i < 20; i++) {
		if (node_now() != (int)(intptr_t)arg)
			count_up(&elsewhere);
		perch_yield();
	}
	count_up(&ran);
}

/* the thread sanitizer takes long for a stack */
enum { THREADS = SANITIZER_THREAD ? 50 : 1000, ROUNDS = SANITIZER_THREAD ? 6 : 20 };

static void *spawn_here(void *arg)
{
	intptr_t node = node_now();
	perch_call_t call[8];

	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(perch_go(yield_here, (void *)node), 0);
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(perch_fork(&call[i], yield_here, (void *)node), 0);
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(perch_sync(&call[i]), 0);
	return arg;
}

static void *from_here(void *arg)
{
	perch_t t;

	stay_on(*(int *)arg);
	ASSERT_EQ(perch_create(&t, NULL, spawn_here, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	return NULL;
}

TEST_F(apart, what_a_node_has_stays_there)
{
	pthread_t p;

	if (sched.shuffle)
		SKIP("shuffled, they move");
	for (int round = 0; round < ROUNDS; round++) {
		p = begin_on(&cpu[round % 2], from_here);
		ASSERT_EQ(pthread_join(p, NULL), 0);
		EXPECT_TRUE(gather(&ran, (uint32_t)(round + 1) * (THREADS + 8), 20));
	}
	EXPECT_EQ(elsewhere, 0);
	EXPECT_EQ(far_steals(), 0);
	if (variant->config.steal == PERCH_STEAL_NONE)
		EXPECT_EQ(stats().steals, 0);
}

static uint32_t over;

/* Wakes that come while the other node's worker falls asleep, searches or runs something. */
static void *wakes_here(void *arg)
{
	perch_t t;

	stay_on(*(int *)arg);
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(perch_create(&t, NULL, in_vain, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		harness_delay(400000);
	}
	count_up(&over);
	return NULL;
}

TEST_F(apart, each_node_is_woken_for_its_own)
{
	pthread_t p[2];

	for (int i = 0; i < 2; i++)
		p[i] = begin_on(&cpu[i], wakes_here);
	EXPECT_TRUE(gather(&over, 2, 40));
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	if (!sched.shuffle)
		EXPECT_EQ(far_steals(), 0);
}

/* Foreign pthreads that are not pinned: what they make ready is anywhere. */
static void *wakes_anywhere(void *arg)
{
	perch_t t[8];

	for (int i = 0; i < 300; i++) {
		int n = 1 + (int)harness_random_below(8);

		for (int k = 0; k < n; k++)
			ASSERT_EQ(perch_create(&t[k], NULL, in_vain, NULL), 0);
		for (int k = 0; k < n; k++)
			ASSERT_EQ(perch_join(t[k], NULL), 0);
		harness_delay(200000);
	}
	count_up(&over);
	return arg;
}

TEST_F(apart, pthreads_that_move_about)
{
	pthread_t p[4];

	for (int i = 0; i < 4; i++)
		p[i] = begin_on(&cpu[0], wakes_anywhere);
	EXPECT_TRUE(gather(&over, 4, 40));
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
}

static void *sleep_a_little(void *arg)
{
	for (int i = 0; i < 50; i++)
		perch_sleep(20000 + (int64_t)harness_random_below(200000));
	return arg;
}

/* Timers are everybody's: of those who sleep, one watches over all. */
TEST_F(apart, sleepers_wake)
{
	perch_t t[16];

	for (int i = 0; i < 16; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, sleep_a_little, NULL), 0);
	for (int i = 0; i < 16; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
}

static uint32_t released;

static void wait_for_release(void *arg)
{
	while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE))
		perch_yield();
	count_up(arg);
}

enum { MANY = SANITIZER_THREAD ? 500 : 7000 }; /* more than a ring and a fair queue hold */

static void *overflow_here(void *arg)
{
	for (int i = 0; i < MANY; i++)
		ASSERT_EQ(perch_go(wait_for_release, &ran), 0);
	__atomic_store_n(&released, 1, __ATOMIC_RELEASE);
	return arg;
}

TEST_F(apart, what_overflows_is_run)
{
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, overflow_here, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_TRUE(gather(&ran, MANY, 20));
}

static void *leave_some(void *arg)
{
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(perch_go(yield_here, (void *)(intptr_t)-2), 0);
	return arg;
}

static void *leave_some_here(void *arg)
{
	perch_t t;

	stay_on(*(int *)arg);
	ASSERT_EQ(perch_create(&t, NULL, leave_some, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	return NULL;
}

TEST_F(apart, what_is_left_at_a_cpu_that_goes_is_run_by_others)
{
	pthread_t p;

	for (int round = 0; round < (SANITIZER_THREAD ? 10 : 50); round++) {
		p = begin_on(&cpu[1], leave_some_here);
		ASSERT_EQ(perch_set_procs(1), 0);
		ASSERT_EQ(pthread_join(p, NULL), 0);
		EXPECT_TRUE(gather(&ran, (uint32_t)(round + 1) * 100, 20));
		ASSERT_EQ(perch_set_procs(2), 0);
	}
}

/* ---- gates ---- */

static void tree(void *arg)
{
	intptr_t depth = (intptr_t)arg;
	perch_call_t a, b;

	if (!depth)
		return;
	ASSERT_EQ(perch_fork(&a, tree, (void *)(depth - 1)), 0);
	ASSERT_EQ(perch_fork(&b, tree, (void *)(depth - 1)), 0);
	ASSERT_EQ(perch_sync(&b), 0);
	ASSERT_EQ(perch_sync(&a), 0);
}

static void *plant(void *arg)
{
	tree(arg);
	return arg;
}

FIXTURE(gate)
{
	int unused;
};
FIXTURE_VARIANT(gate)
{
	unsigned workers;
};
FIXTURE_VARIANT_ADD(gate, a_worker_per_cpu){2};
FIXTURE_VARIANT_ADD(gate, four_for_each){8};
FIXTURE_SETUP(gate)
{
	if (!two_nodes())
		SKIP("needs two CPUs");
}
FIXTURE_TEARDOWN(gate)
{
}

/* Who sleeps is not abroad: else nobody of its node ever would be again. */
TEST_F(gate, nobody_stays_abroad)
{
	const struct perch_config config = {
		.procs = 2, .workers = variant->workers, .steal = PERCH_STEAL_NEAR_FIRST, .follow = PERCH_FOLLOW_OFF};
	perch_t t;

	ASSERT_EQ(perch_start(&config), 0);
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(perch_create(&t, NULL, plant, (void *)(intptr_t)harness_random_below(14)), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		if (i % 20)
			continue;
		wait_asleep();
		for (unsigned node = 0; node < sched.node_slots; node++)
			ASSERT_EQ(__atomic_load_n(&sched.gate[node].abroad, __ATOMIC_SEQ_CST), 0);
	}
	harness_log("%llu steals from the other node", (unsigned long long)far_steals());
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- what is said of it ---- */

static void told(void *arg)
{
	const struct perch_config config = {.procs = 2, .stats = 1, .handoff = PERCH_HANDOFF_OFF};
	bool comes = strcmp(arg, "none") && strcmp(arg, "node-only");
	perch_t t;

	setenv("PERCH_STEAL", arg, 1);
	if (perch_start(&config) || perch_dump(2) ||
	    perch_create(&t, NULL, comes ? be_robbed : plant, (void *)(intptr_t)(comes ? 0 : 14)) ||
	    perch_join(t, NULL))
		exit(1);
	exit(perch_stop() ? 1 : 0);
}

TEST(the_policy_is_told)
{
	static const char *const policies[] = {"near-first", "flat", "node-only", "none"};
	struct harness_captured c;
	char line[64];

	if (!two_nodes())
		SKIP("needs two CPUs");
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		ASSERT_EQ(harness_capture(&c, told, (char *)policies[i]), 0);
		EXPECT_EQ(c.status, 0);
		snprintf(line, sizeof(line), "\nstealing: %s\n", policies[i]);
		EXPECT_CONTAINS(c.text, line);
		snprintf(line, sizeof(line), "perch: stealing: %s", policies[i]);
		EXPECT_CONTAINS(c.text, line);
		if (i < 2)
			EXPECT_CONTAINS(c.text, "perch: tier 3 (far)");
		else
			EXPECT_NULL(strstr(c.text, "perch: tier 3"));
		harness_release(&c);
	}
}
