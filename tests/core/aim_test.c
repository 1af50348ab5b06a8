/* SPDX-License-Identifier: MIT */
/*
 * aim_test.c - threads aimed at a node or a CPU, and threads that are woken from
 * another node, on this machine's CPUs described as two nodes. Nobody may steal from
 * the other node here, so that what is aimed stays; with the delays of near-first a
 * machine that is busy otherwise would take some away.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <perch/perch.h>

#include "tests/core/two_nodes.h"
#include "tests/harness/gather.h"

FIXTURE(aim)
{
	int node[2];
};

FIXTURE_SETUP(aim)
{
	describe_two_nodes();
	setenv("PERCH_STEAL", "node-only", 1);
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_numa_nodes(), 2);
	self->node[0] = perch_numa_next(-1);
	self->node[1] = perch_numa_next(self->node[0]);
	EXPECT_EQ(self->node[0], 0);
	EXPECT_EQ(self->node[1], 5);
}

FIXTURE_TEARDOWN(aim)
{
	EXPECT_EQ(perch_stop(), 0);
}

/* Shuffled, threads go anywhere after their first switch. */
static bool shuffled(void)
{
	return getenv("PERCH_SHUFFLE") != NULL;
}

static int cpu_on(int node)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (perch_numa_node_of_cpu(cpu) == node)
			return cpu;
	return -1;
}

static perch_attr_t at_node(int node)
{
	perch_attr_t a;

	ASSERT_EQ(perch_attr_init(&a), 0);
	ASSERT_EQ(perch_attr_setnode(&a, node), 0);
	return a;
}

TEST(attributes)
{
	perch_attr_t a, never = {0};
	int n = 77;

	ASSERT_EQ(perch_attr_init(&a), 0);
	EXPECT_EQ(perch_attr_getnode(&a, &n), 0);
	EXPECT_EQ(n, -1);
	EXPECT_EQ(perch_attr_getcpu(&a, &n), 0);
	EXPECT_EQ(n, -1);
	EXPECT_EQ(perch_attr_setnode(&a, 3), 0);
	EXPECT_EQ(perch_attr_getnode(&a, &n), 0);
	EXPECT_EQ(n, 3);
	EXPECT_EQ(perch_attr_setcpu(&a, 0), 0); /* the last one counts */
	EXPECT_EQ(perch_attr_getcpu(&a, &n), 0);
	EXPECT_EQ(n, 0);
	EXPECT_EQ(perch_attr_getnode(&a, &n), 0);
	EXPECT_EQ(n, -1);
	EXPECT_EQ(perch_attr_setnode(&a, -2), -EINVAL);
	EXPECT_EQ(perch_attr_setcpu(&a, -2), -EINVAL);
	EXPECT_EQ(perch_attr_getcpu(&a, &n), 0);
	EXPECT_EQ(n, 0);
	EXPECT_EQ(perch_attr_setnode(&a, -1), 0);
	EXPECT_EQ(perch_attr_getcpu(&a, &n), 0);
	EXPECT_EQ(n, -1);
	EXPECT_EQ(perch_attr_getnode(&a, NULL), -EINVAL);
	EXPECT_EQ(perch_attr_getcpu(&a, NULL), -EINVAL);
	EXPECT_EQ(perch_attr_setnode(NULL, 0), -EINVAL);
	EXPECT_EQ(perch_attr_setcpu(&never, 0), -EINVAL);
	EXPECT_EQ(perch_attr_getnode(&never, &n), -EINVAL);
}

static void *nothing(void *arg)
{
	return arg;
}

TEST_F(aim, where_there_is_no_processor)
{
	perch_attr_t a = at_node(4);
	struct perch_stats before, after;
	perch_t t = 77;

	ASSERT_EQ(perch_stats_get(&before), 0);
	EXPECT_EQ(perch_create(&t, &a, nothing, NULL), -EINVAL);
	EXPECT_EQ(perch_attr_setnode(&a, 1 << 30), 0);
	EXPECT_EQ(perch_create(&t, &a, nothing, NULL), -EINVAL);
	EXPECT_EQ(perch_attr_setcpu(&a, 1 << 30), 0);
	EXPECT_EQ(perch_create(&t, &a, nothing, NULL), -EINVAL);
	/* one that is out of use */
	ASSERT_EQ(perch_set_procs(1), 0);
	EXPECT_EQ(perch_numa_procs(self->node[0]) + perch_numa_procs(self->node[1]), 1);
	for (int i = 0; i < 2; i++) {
		if (perch_numa_procs(self->node[i]))
			continue;
		EXPECT_EQ(perch_attr_setnode(&a, self->node[i]), 0);
		EXPECT_EQ(perch_create(&t, &a, nothing, NULL), -EINVAL);
		EXPECT_EQ(perch_attr_setcpu(&a, cpu_on(self->node[i])), 0);
		EXPECT_EQ(perch_create(&t, &a, nothing, NULL), -EINVAL);
	}
	EXPECT_EQ(t, 77);
	ASSERT_EQ(perch_stats_get(&after), 0);
	EXPECT_EQ(after.spawned, before.spawned);
	EXPECT_EQ(perch_numa_nodes(), 2);
}

/* ---- where threads start ---- */

enum { AIMED = 3000 };

static uint32_t elsewhere, ran;

static void *starts(void *node)
{
	if (perch_numa_node() != (int)(intptr_t)node)
		count_up(&elsewhere);
	count_up(&ran);
	return NULL;
}

/* At both nodes in turn, by node and by CPU; in bursts, and with gaps in which workers
 * fall asleep. */
static void *aim_many(void *nodes)
{
	const int *node = nodes;

	for (int i = 0; i < AIMED; i++) {
		int n = node[i / 2 % 2];
		perch_attr_t a = at_node(n);
		perch_t t;

		if (i % 3 == 0)
			ASSERT_EQ(perch_attr_setcpu(&a, cpu_on(n)), 0);
		ASSERT_EQ(perch_create(&t, &a, starts, (void *)(intptr_t)n), 0);
		if (i % 100 == 0)
			perch_sleep(i % 500 ? 100000 : 2000000);
		else if (i % 7 == 0)
			perch_yield();
		ASSERT_EQ(i % 5 ? perch_detach(t) : perch_join(t, NULL), 0);
	}
	return NULL;
}

TEST_F_TIMEOUT(aim, threads_start_where_they_are_aimed, 60)
{
	perch_t t;

	aim_many(self->node);
	ASSERT_TRUE(gather(&ran, AIMED, 30));
	EXPECT_EQ(elsewhere, 0);
	ASSERT_EQ(perch_create(&t, NULL, aim_many, self->node), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_TRUE(gather(&ran, 2 * AIMED, 30));
	EXPECT_EQ(elsewhere, 0);
}

/* ---- somebody is awake for it ---- */

struct busy {
	int target;
	uint64_t longest;
};

/* A worker that never comes to a scheduling point while it waits, beside others that sleep. */
static void *spin_until_started(void *arg)
{
	struct busy *b = arg;

	for (int i = 0; i < 30; i++) {
		struct timespec gap = {0, 3000000};
		perch_attr_t a = at_node(b->target);
		uint32_t before = __atomic_load_n(&ran, __ATOMIC_ACQUIRE);
		uint64_t began;
		perch_t t;

		clock_nanosleep(CLOCK_MONOTONIC, 0, &gap, NULL); /* the others fall asleep */
		began = harness_now();
		ASSERT_EQ(perch_create(&t, &a, starts, (void *)(intptr_t)b->target), 0);
		ASSERT_EQ(perch_detach(t), 0);
		while (__atomic_load_n(&ran, __ATOMIC_ACQUIRE) == before)
			ASSERT_LT(harness_now() - began, 20000000000u);
		if (harness_now() - began > b->longest)
			b->longest = harness_now() - began;
	}
	return NULL;
}

TEST_F_TIMEOUT(aim, a_sleeping_node_is_woken_by_a_busy_one, 60)
{
	struct busy b = {self->node[1], 0};
	perch_attr_t a = at_node(self->node[0]);
	perch_t t;

	ASSERT_EQ(perch_create(&t, &a, spin_until_started, &b), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(elsewhere, 0);
	harness_log("longest: %llu us", (unsigned long long)b.longest / 1000);
}

/* Nobody but the one that spins is at home on that CPU. */
static void *spin_beside_a_neighbour(void *arg)
{
	struct busy *b = arg;
	perch_attr_t a;

	ASSERT_EQ(perch_attr_init(&a), 0);
	for (int i = 0; i < 30; i++) {
		struct timespec gap = {0, 3000000};
		uint32_t before = __atomic_load_n(&ran, __ATOMIC_ACQUIRE);
		uint64_t began;
		perch_t t;

		clock_nanosleep(CLOCK_MONOTONIC, 0, &gap, NULL);
		began = harness_now();
		ASSERT_EQ(perch_attr_setcpu(&a, sched_getcpu()), 0);
		ASSERT_EQ(perch_create(&t, &a, starts, (void *)(intptr_t)b->target), 0);
		ASSERT_EQ(perch_detach(t), 0);
		while (__atomic_load_n(&ran, __ATOMIC_ACQUIRE) == before)
			ASSERT_LT(harness_now() - began, 20000000000u);
		if (harness_now() - began > b->longest)
			b->longest = harness_now() - began;
	}
	return NULL;
}

TEST_TIMEOUT(a_neighbour_takes_what_a_busy_cpu_cannot, 60)
{
	const struct perch_config config = {.handoff = PERCH_HANDOFF_OFF};
	struct busy b = {0, 0};
	perch_t t;

	ASSERT_EQ(perch_start(&config), 0);
	if (perch_procs() < 2 || perch_numa_nodes() > 1)
		SKIP("needs two CPUs on one node");
	b.target = perch_numa_next(-1);
	ASSERT_EQ(perch_create(&t, NULL, spin_beside_a_neighbour, &b), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(elsewhere, 0);
	harness_log("longest: %llu us", (unsigned long long)b.longest / 1000);
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- wakes ---- */

struct visit {
	perch_sem_t ball, back;
	int node;
	uint32_t rounds, away, over;
};

static void *sleeper(void *arg)
{
	struct visit *v = arg;

	for (;;) {
		ASSERT_EQ(perch_sem_wait(&v->ball), 0);
		if (__atomic_load_n(&v->over, __ATOMIC_ACQUIRE))
			return NULL;
		if (perch_numa_node() != v->node)
			count_up(&v->away);
		count_up(&v->rounds);
		ASSERT_EQ(perch_sem_post(&v->back), 0);
	}
}

static void *waker(void *arg)
{
	struct visit *v = arg;

	for (int i = 0; i < 2000; i++) {
		ASSERT_EQ(perch_sem_post(&v->ball), 0);
		ASSERT_EQ(perch_sem_wait(&v->back), 0);
	}
	__atomic_store_n(&v->over, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_sem_post(&v->ball), 0);
	return NULL;
}

/* Two that hand over to each other, each on a node of its own: both go on there. */
TEST_F_TIMEOUT(aim, who_is_woken_goes_on_where_its_stack_is, 60)
{
	struct visit v = {.node = self->node[1]};
	perch_attr_t here = at_node(self->node[0]), there = at_node(self->node[1]);
	struct perch_stats s;
	perch_t a, b;

	ASSERT_EQ(perch_sem_init(&v.ball, 0, 0), 0);
	ASSERT_EQ(perch_sem_init(&v.back, 0, 0), 0);
	ASSERT_EQ(perch_create(&a, &there, sleeper, &v), 0);
	ASSERT_EQ(perch_create(&b, &here, waker, &v), 0);
	ASSERT_EQ(perch_join(b, NULL), 0);
	ASSERT_EQ(perch_join(a, NULL), 0);
	EXPECT_EQ(v.rounds, 2000);
	ASSERT_EQ(perch_stats_get(&s), 0);
	harness_log("%u of %u away; %llu sent home, %llu left where they were woken", v.away, v.rounds,
		    (unsigned long long)s.wakes_home, (unsigned long long)s.wakes_across);
	EXPECT_EQ(s.wakes_across, 0);
	if (shuffled())
		return;
	EXPECT_EQ(v.away, 0);
	/* nearly each of them waits; a post that comes before the wait wakes nobody */
	EXPECT_GT(s.wakes_home, 2000);
}

static void *yields(void *arg)
{
	struct visit *v = arg;

	while (!__atomic_load_n(&v->over, __ATOMIC_ACQUIRE))
		perch_yield();
	return NULL;
}

/* From a foreign pthread, whichever CPU it is on; and beside others that are busy there. */
TEST_F_TIMEOUT(aim, a_foreign_pthread_sends_home_too, 60)
{
	struct visit v = {.node = self->node[1]};
	perch_attr_t there = at_node(self->node[1]);
	perch_t a, b;

	ASSERT_EQ(perch_sem_init(&v.ball, 0, 0), 0);
	ASSERT_EQ(perch_sem_init(&v.back, 0, 0), 0);
	ASSERT_EQ(perch_create(&a, &there, sleeper, &v), 0);
	ASSERT_EQ(perch_create(&b, &there, yields, &v), 0);
	waker(&v);
	ASSERT_EQ(perch_join(b, NULL), 0);
	ASSERT_EQ(perch_join(a, NULL), 0);
	EXPECT_EQ(v.rounds, 2000);
	if (!shuffled())
		EXPECT_EQ(v.away, 0);
}

TEST(on_one_node_nobody_is_sent_home)
{
	struct visit v = {0};
	struct perch_stats s;
	perch_t a, b;

	ASSERT_EQ(perch_start(NULL), 0);
	if (perch_numa_nodes() > 1)
		SKIP("several nodes");
	v.node = perch_numa_next(-1);
	ASSERT_EQ(perch_sem_init(&v.ball, 0, 0), 0);
	ASSERT_EQ(perch_sem_init(&v.back, 0, 0), 0);
	ASSERT_EQ(perch_create(&a, NULL, sleeper, &v), 0);
	ASSERT_EQ(perch_create(&b, NULL, waker, &v), 0);
	ASSERT_EQ(perch_join(b, NULL), 0);
	ASSERT_EQ(perch_join(a, NULL), 0);
	ASSERT_EQ(perch_stats_get(&s), 0);
	EXPECT_EQ(s.wakes_home, 0);
	EXPECT_EQ(s.wakes_across, 0);
	ASSERT_EQ(perch_stop(), 0);
}
