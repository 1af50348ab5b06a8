/* SPDX-License-Identifier: MIT */
/* real_test.c - the machine this runs on, whatever it is: run it in a guest with
 * several nodes too. libnuma's view and the kernel's placement are the judges. */
#include <errno.h>
#include <numa.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "numa/cpuset.h"
#include "numa/place.h"
#include "numa/tier.h"
#include "numa/topology.h"
#include "tests/harness/harness.h"

FIXTURE(real)
{
	struct bitmask *allowed;
	struct topology *t;
};
FIXTURE_SETUP(real)
{
	int error = 0;

	ASSERT_EQ(cpuset_allowed(&self->allowed), 0);
	self->t = topology_discover(self->allowed, &error);
	EXPECT_EQ(error, 0);
	ASSERT_NE(self->t, NULL);
}
FIXTURE_TEARDOWN(real)
{
	topology_free(self->t);
	numa_bitmask_free(self->allowed);
}

TEST_F(real, agrees_with_libnuma)
{
	if (numa_available() < 0)
		SKIP("no NUMA here: %s", self->t->note);
	EXPECT_TRUE(self->t->placement);
	EXPECT_EQ(topology_nodes(self->t), numa_max_node() + 1);
	cpuset_for_each(cpu, self->allowed) EXPECT_EQ(topology_node_of_cpu(self->t, cpu), numa_node_of_cpu(cpu));
	for (int from = 0; from < topology_nodes(self->t); from++) {
		harness_log("node %d: %d CPUs", from, self->t->node[from].cpus);
		for (int to = 0; to < topology_nodes(self->t); to++)
			EXPECT_EQ(topology_distance(self->t, from, to), numa_distance(from, to));
	}
}

TEST_F(real, every_cpu_robs_all_others)
{
	int n = cpuset_count(self->allowed);

	cpuset_for_each(cpu, self->allowed)
	{
		struct tier_victim v[4096];

		EXPECT_EQ(tier_order(self->t, cpu, self->allowed, v, 4096), n - 1);
	}
}

#define PAGES 300

TEST_F(real, memory_gets_to_each_node)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), wrong = 77;
	int nodes = 0;

	if (!self->t->placement)
		SKIP("no NUMA here: %s", self->t->note);
	for (int node = 0; node < topology_nodes(self->t); node++) {
		char *p;

		if (!topology_node_present(self->t, node) || topology_memory_node(self->t, node) != node)
			continue;
		p = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(p, MAP_FAILED);
		madvise(p, PAGES * page, MADV_NOHUGEPAGE);
		errno = 1234;
		EXPECT_EQ(place_bind(p, PAGES * page, node), 0);
		/* nothing touched, nothing to see; then the first and every other page */
		EXPECT_EQ(place_verify(p, PAGES * page, node, &wrong), 0);
		EXPECT_EQ(wrong, 0);
		for (size_t i = 0; i < PAGES; i += 2)
			p[i * page] = 1;
		EXPECT_EQ(place_verify(p, PAGES * page, node, &wrong), PAGES / 2);
		EXPECT_EQ(wrong, 0);
		/* the count of wrong ones does count: no page is on the node after this */
		EXPECT_EQ(place_verify(p, PAGES * page, node + 1, &wrong), PAGES / 2);
		EXPECT_EQ(wrong, PAGES / 2);
		EXPECT_EQ(errno, 1234);
		munmap(p, PAGES * page);
		nodes++;
	}
	EXPECT_GT(nodes, 0);
}

TEST_F(real, ends_are_rounded_to_pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), wrong;
	int node = topology_memory_node(self->t, topology_node_of_cpu(self->t, cpuset_next(self->allowed, 0)));
	char *p;

	if (!self->t->placement)
		SKIP("no NUMA here: %s", self->t->note);
	p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(p, MAP_FAILED);
	EXPECT_EQ(place_bind(p + page - 1, 2, node), 0);
	memset(p, 1, 3 * page);
	EXPECT_EQ(place_verify(p + page - 1, 2, node, &wrong), 2);
	EXPECT_EQ(place_verify(p + page, page, node, &wrong), 1);
	EXPECT_EQ(place_verify(p + page, 0, node, &wrong), 0);
	EXPECT_EQ(place_verify(p + 1, 0, node, &wrong), 0);
	EXPECT_EQ(place_bind(p + 1, 0, node), 0);
	munmap(p, 3 * page);
}

TEST_F(real, bad_arguments)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), wrong;
	char *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(p, MAP_FAILED);
	EXPECT_EQ(place_bind(p, page, -1), -EINVAL);
	EXPECT_EQ(place_bind(p, page, 1 << 20), -EINVAL);
	EXPECT_EQ(place_bind(p, (size_t)-1, 0), -EINVAL);
	EXPECT_EQ(place_verify(p, page, -1, &wrong), -EINVAL);
	if (!self->t->placement)
		return;
	EXPECT_EQ(place_bind(p, page, 1000), -EINVAL);
	munmap(p, page);
	EXPECT_EQ(place_bind(p, page, topology_memory_node(self->t, 0) < 0 ? numa_max_node() : 0), -EFAULT);
}
