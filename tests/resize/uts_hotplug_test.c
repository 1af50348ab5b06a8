/* SPDX-License-Identifier: MIT */
/*
 * uts_hotplug_test.c - the published tree T1, 4,130,071 nodes, walked by a task for each
 * node, while CPUs go off and on; and while all CPUs of a node are off. A tree is a
 * check in itself: a task that is lost or runs twice changes its totals. Only where
 * that is wanted, as in hotplug_test.c.
 */
#include <inttypes.h>
#include <sched.h>

#include <numa.h>

#include "bench/workload/uts.h"
#include "tests/harness/harness.h"
#include "tests/resize/hotplug.h"
#include "tests/resize/load.h"

#include <perch/perch.h>

static const struct uts_tree *tree;

static struct uts_totals walk(const struct uts_node *node);

PERCH_TASK2(struct uts_totals, walk_child, const struct uts_node *, parent, uint32_t, index)
{
	struct uts_node child;

	uts_child(parent, index, &child);
	return walk(&child);
}

static struct uts_totals walk(const struct uts_node *node)
{
	unsigned children = uts_children(tree, node);
	struct uts_totals sum = uts_alone(node, children);
	struct walk_child_task child[children + 1];

	for (unsigned i = 0; i < children; i++)
		walk_child_fork(&child[i], node, i);
	while (children) {
		struct uts_totals below = walk_child_sync(&child[--children]);

		uts_add(&sum, &below);
	}
	return sum;
}

struct walks {
	perch_t thread;
	uint32_t stop;
	uint64_t right, wrong; /* trees */
};

static void *walks(void *arg)
{
	struct walks *w = arg;

	do {
		const struct uts_totals *want = &tree->expected;
		struct uts_totals got;
		struct uts_node root;

		uts_root(tree, &root);
		got = walk(&root);
		if (got.nodes == want->nodes && got.leaves == want->leaves && got.depth == want->depth) {
			__atomic_add_fetch(&w->right, 1, __ATOMIC_RELAXED);
			continue;
		}
		harness_log("%" PRIu64 " nodes, %" PRIu64 " leaves, depth %" PRIu64, got.nodes, got.leaves, got.depth);
		__atomic_add_fetch(&w->wrong, 1, __ATOMIC_RELAXED);
	} while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE));
	return NULL;
}

static void walks_begin(struct walks *w)
{
	perch_attr_t a;

	tree = uts_find("T1");
	ASSERT_NE(tree, NULL);
	ASSERT_EQ(tree->expected.nodes, 4130071);
	*w = (struct walks){0};
	perch_attr_init(&a);
	perch_attr_setstacksize(&a, (size_t)256 << 10);
	ASSERT_EQ(perch_create(&w->thread, &a, walks, w), 0);
}

static uint64_t walked(const struct walks *w)
{
	return __atomic_load_n(&w->right, __ATOMIC_RELAXED) + __atomic_load_n(&w->wrong, __ATOMIC_RELAXED);
}

/* A tree that was begun after this call has ended: the one under way, and the next. */
static bool walked_another(const struct walks *w)
{
	uint64_t before = walked(w), end = harness_now() + 600000000000u;

	while (walked(w) < before + 2) {
		if (harness_now() > end)
			return false;
		pause_ms(10);
	}
	return true;
}

static void walks_end(struct walks *w)
{
	__atomic_store_n(&w->stop, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_join(w->thread, NULL), 0);
	harness_log("%" PRIu64 " trees of %" PRIu64 " nodes, %" PRIu64 " of them wrong", w->right + w->wrong,
		    tree->expected.nodes, w->wrong);
	EXPECT_EQ(w->wrong, 0);
	EXPECT_GT(w->right, 0);
}

/* Each time, one CPU at the least goes off, and those that did go on again. Most are off for longer
 * than it takes the runtime to see it. */
TEST_TIMEOUT(T1_while_cpus_go_off_and_on, 3600)
{
	int first, last, n = hotplug_times(), off = 0, on = 0, times = 0;
	unsigned cpus = cpus_of_process(&first, &last), before, changes = 0;
	struct walks w;

	if (cpus < 2)
		SKIP("one CPU only, which cannot go");
	ASSERT_EQ(perch_start(NULL), 0);
	before = perch_procs();
	EXPECT_EQ(before, cpus);
	walks_begin(&w);
	for (int i = 0; i < n; i++) {
		int gone = 0;
		unsigned now;

		for (int cpu = first + 1; cpu <= last; cpu++)
			if (harness_random_below(3) == 0)
				gone += hotplug_switch(cpu, false);
		if (!gone)
			gone += hotplug_switch(first + 1 + (int)harness_random_below((uint64_t)(last - first)), false);
		off += gone;
		times += gone > 0;
		EXPECT_EQ(hotplug_online(), cpus - (unsigned)gone);
		pause_ms(200 + (long)harness_random_below(400));
		now = perch_procs();
		changes += now != before;
		before = now;
		for (int cpu = first + 1; cpu <= last; cpu++)
			on += hotplug_switch(cpu, true);
		EXPECT_EQ(hotplug_online(), cpus);
		pause_ms((long)harness_random_below(400));
		now = perch_procs();
		changes += now != before;
		before = now;
	}
	EXPECT_TRUE(procs_become(cpus, 300));
	walks_end(&w);
	harness_log("CPUs went off %d times, %d in all, and %d on again; processors changed %u times", times, off, on,
		    changes);
	EXPECT_EQ(times, n);
	EXPECT_EQ(on, off);
	EXPECT_GE(changes, (unsigned)n / 2);
	EXPECT_EQ(perch_stop(), 0);
}

/* Every node but that of the first CPU, in turn. */
TEST_TIMEOUT(T1_while_a_node_is_off, 3600)
{
	static int node_of[CPU_SETSIZE];
	int first, last;
	unsigned cpus = cpus_of_process(&first, &last);
	struct walks w;

	hotplug_times();
	if (first < 0 || last < first || last >= CPU_SETSIZE)
		SKIP("CPUs with numbers that do not fit");
	ASSERT_GE(numa_available(), 0);
	if (numa_num_configured_nodes() < 2)
		SKIP("one node only, which cannot go");
	/* a CPU that is off has no node */
	for (int cpu = 0; cpu <= last; cpu++)
		node_of[cpu] = numa_node_of_cpu(cpu);
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_TRUE(procs_become(cpus, 300));
	walks_begin(&w);
	for (int node = 0; node <= numa_max_node(); node++) {
		unsigned gone = 0;

		if (node == node_of[first])
			continue;
		for (int cpu = first; cpu <= last; cpu++)
			if (node_of[cpu] == node)
				gone += hotplug_switch(cpu, false);
		if (!gone)
			continue; /* memory only */
		EXPECT_EQ(hotplug_online(), cpus - gone);
		EXPECT_TRUE(procs_become(cpus - gone, 300));
		EXPECT_TRUE(walked_another(&w));
		EXPECT_EQ(perch_procs(), cpus - gone);
		for (int cpu = first; cpu <= last; cpu++)
			if (node_of[cpu] == node)
				EXPECT_TRUE(hotplug_switch(cpu, true));
		EXPECT_TRUE(procs_become(cpus, 300));
		EXPECT_TRUE(walked_another(&w));
		harness_log("node %d: %u CPUs were off, and on again", node, gone);
	}
	walks_end(&w);
	EXPECT_EQ(perch_stop(), 0);
}
