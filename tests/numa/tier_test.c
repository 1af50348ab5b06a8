/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "numa/cpuset.h"
#include "numa/tier.h"
#include "tests/harness/harness.h"
#include "tests/numa/machine.h"

FIXTURE(tier)
{
	struct machine m;
	struct topology *t;
	struct bitmask *all;
};
FIXTURE_VARIANT(tier)
{
	void (*describe)(const struct machine *);
	const char *cpus;
};
FIXTURE_VARIANT_ADD(tier, two_sockets){machine_two_sockets, "0-15"};
FIXTURE_VARIANT_ADD(tier, sparse){machine_sparse, "2-3,8-9,64-65"};

static struct topology *discover(const struct machine *m, const struct bitmask *set)
{
	char error[320] = "";
	struct topology *t = topology_discover_in(m->root, set, NULL, error, sizeof(error));

	EXPECT_STREQ(error, "");
	return t;
}

FIXTURE_SETUP(tier)
{
	machine_make(&self->m);
	variant->describe(&self->m);
	self->all = machine_set(variant->cpus);
	self->t = discover(&self->m, self->all);
	ASSERT_NE(self->t, NULL);
}
FIXTURE_TEARDOWN(tier)
{
	topology_free(self->t);
	numa_bitmask_free(self->all);
	machine_remove(&self->m);
}

/* As "cpu/tier cpu/tier ..." */
static const char *order(const struct topology *t, int cpu, const struct bitmask *set)
{
	static char text[512];
	struct tier_victim v[128];
	int n = tier_order(t, cpu, set, v, 128), used = 0;

	text[0] = 0;
	for (int i = 0; i < n; i++)
		used += snprintf(text + used, sizeof(text) - (size_t)used, i ? " %d/%d" : "%d/%d", v[i].cpu, v[i].tier);
	return text;
}

/* What holds on any machine. */
TEST_F(tier, everyone_once_nearest_first)
{
	cpuset_for_each(cpu, self->all)
	{
		struct bitmask *seen = machine_set("0-127");
		struct tier_victim v[128];
		int n = tier_order(self->t, cpu, self->all, v, 128);

		numa_bitmask_clearall(seen);
		ASSERT_EQ(n, cpuset_count(self->all) - 1);
		for (int i = 0; i < n; i++) {
			int home = topology_node_of_cpu(self->t, cpu), node = topology_node_of_cpu(self->t, v[i].cpu);

			EXPECT_NE(v[i].cpu, cpu);
			EXPECT_TRUE(numa_bitmask_isbitset(self->all, (unsigned)v[i].cpu));
			EXPECT_FALSE(numa_bitmask_isbitset(seen, (unsigned)v[i].cpu));
			numa_bitmask_setbit(seen, (unsigned)v[i].cpu);
			EXPECT_EQ(v[i].tier >= TIER_FAR, node != home);
			if (i) {
				int before = topology_node_of_cpu(self->t, v[i - 1].cpu);

				EXPECT_LE(v[i - 1].tier, v[i].tier);
				EXPECT_LE(v[i].tier, v[i - 1].tier < TIER_FAR ? TIER_FAR : v[i - 1].tier + 1);
				if (v[i].tier > TIER_FAR)
					EXPECT_EQ(v[i].tier > v[i - 1].tier,
						  topology_distance(self->t, home, node) >
							  topology_distance(self->t, home, before));
			}
		}
		numa_bitmask_free(seen);
	}
}

/* Within each tier, the thieves of one node begin at different victims. */
TEST_F(tier, thieves_spread)
{
	for (int tier = TIER_CACHE; tier <= TIER_FAR; tier++) {
		struct bitmask *first = machine_set("0-127");
		int thieves = 0, node = topology_node_of_cpu(self->t, cpuset_next(self->all, 0));

		numa_bitmask_clearall(first);
		cpuset_for_each(cpu, self->all)
		{
			struct tier_victim v[128];
			int n = tier_order(self->t, cpu, self->all, v, 128), i = 0;

			if (topology_node_of_cpu(self->t, cpu) != node)
				continue;
			while (i < n && v[i].tier != tier)
				i++;
			if (i == n)
				continue;
			thieves++;
			numa_bitmask_setbit(first, (unsigned)v[i].cpu);
		}
		/* siblings leave each other out of the nearer tiers, so two may meet */
		EXPECT_GE(2 * cpuset_count(first), thieves);
		if (tier == TIER_FAR)
			EXPECT_EQ(cpuset_count(first), thieves);
		numa_bitmask_free(first);
	}
}

TEST_F(tier, room_cuts_the_far_end)
{
	int cpu = cpuset_next(self->all, 0);
	struct tier_victim all[128], some[128];
	int n = tier_order(self->t, cpu, self->all, all, 128);

	for (int max = 0; max <= n + 1; max++) {
		int m = tier_order(self->t, cpu, self->all, some, max);

		EXPECT_EQ(m, max < n ? max : n);
		for (int i = 0; i < m; i++)
			EXPECT_EQ(some[i].cpu, all[i].cpu);
	}
	EXPECT_EQ(tier_order(self->t, 127, self->all, some, 128), -EINVAL);
	EXPECT_EQ(tier_order(self->t, -1, self->all, some, 128), -EINVAL);
}

TEST(two_sockets_exactly)
{
	struct machine m;
	struct topology *t;
	struct bitmask *all = machine_set("0-15"), *some = machine_set("0,5,9,13");

	machine_make(&m);
	machine_two_sockets(&m);
	t = discover(&m, all);
	ASSERT_NE(t, NULL);
	EXPECT_STREQ(order(t, 0, all), "8/0 1/1 9/1 2/2 3/2 10/2 11/2 4/3 5/3 6/3 7/3 12/3 13/3 14/3 15/3");
	EXPECT_STREQ(order(t, 13, all), "5/0 4/1 12/1 14/2 15/2 6/2 7/2 9/3 10/3 11/3 0/3 1/3 2/3 3/3 8/3");
	EXPECT_STREQ(order(t, 0, some), "9/1 5/3 13/3");
	topology_free(t);
	numa_bitmask_free(all);
	numa_bitmask_free(some);
	machine_remove(&m);
}

TEST(distances_count_from_the_thief)
{
	struct machine m;
	struct topology *t;
	struct bitmask *all = machine_set("2-3,8-9,64-65");

	machine_make(&m);
	machine_sparse(&m);
	t = discover(&m, all);
	ASSERT_NE(t, NULL);
	EXPECT_STREQ(order(t, 2, all), "3/2 8/3 9/3 64/4 65/4");
	EXPECT_STREQ(order(t, 9, all), "8/2 65/3 64/3 3/4 2/4");
	EXPECT_STREQ(order(t, 64, all), "65/2 2/3 3/3 8/4 9/4");
	topology_free(t);
	numa_bitmask_free(all);
	machine_remove(&m);
}

/* Four nodes in a ring, one CPU each: the two neighbours are equally far. */
TEST(equal_nodes_begin_after_the_own)
{
	static const char *const row[] = {"10 20 30 20", "20 10 20 30", "30 20 10 20", "20 30 20 10"},
				 *const expected[] = {"1/3 3/3 2/4", "2/3 0/3 3/4", "3/3 1/3 0/4", "0/3 2/3 1/4"};
	struct machine m;
	struct topology *t;
	struct bitmask *all = machine_set("0-3");

	machine_make(&m);
	machine_write(&m, "/sys/devices/system/cpu/possible", "0-3");
	machine_write(&m, "/sys/devices/system/node/online", "0-3");
	for (int i = 0; i < 4; i++) {
		char self[2] = {(char)('0' + i), 0};

		machine_cpu(&m, i, i, self, self);
		machine_node(&m, i, self, 1, row[i]);
	}
	t = discover(&m, all);
	ASSERT_NE(t, NULL);
	for (int i = 0; i < 4; i++)
		EXPECT_STREQ(order(t, i, all), expected[i]);
	topology_free(t);
	numa_bitmask_free(all);
	machine_remove(&m);
}

/* A cache and siblings that span nodes, as numa=fake makes them. */
TEST(the_node_comes_before_the_cache)
{
	struct machine m;
	struct topology *t;
	struct bitmask *all = machine_set("0-3");

	machine_make(&m);
	machine_write(&m, "/sys/devices/system/cpu/possible", "0-3");
	machine_write(&m, "/sys/devices/system/node/online", "0-1");
	machine_cpu(&m, 0, 0, "0,2", "0-3");
	machine_cpu(&m, 1, 0, "1,3", "0-3");
	machine_cpu(&m, 2, 0, "0,2", "0-3");
	machine_cpu(&m, 3, 0, "1,3", "0-3");
	machine_node(&m, 0, "0-1", 1, "10 11");
	machine_node(&m, 1, "2-3", 1, "11 10");
	t = discover(&m, all);
	ASSERT_NE(t, NULL);
	EXPECT_STREQ(order(t, 0, all), "1/1 2/3 3/3");
	topology_free(t);
	numa_bitmask_free(all);
	machine_remove(&m);
}

/* Orders for every CPU of a large machine are made in the blink of an eye. */
TEST(large)
{
	struct bitmask *all = machine_set("0-1023");
	struct topology *t = topology_flat(all, "test");
	struct tier_victim v[1024];
	uint64_t start = harness_now();

	ASSERT_NE(t, NULL);
	for (int cpu = 0; cpu < 1024; cpu++) {
		ASSERT_EQ(tier_order(t, cpu, all, v, 1024), 1023);
		EXPECT_EQ(v[0].cpu, (cpu + 1) % 1024);
	}
	harness_log("%.1f ms for 1024 CPUs", (double)(harness_now() - start) / 1e6);
	topology_free(t);
	numa_bitmask_free(all);
}
