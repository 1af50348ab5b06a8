/* SPDX-License-Identifier: MIT */
/* sim_test.c - runs of the simulator that must come to what can be said beforehand. sim_run() itself
 * compares every run's counts with the load's, and its makespan with what is possible. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/harness.h"
#include "tools/sim/sim.h"

FIXTURE(sim)
{
	struct sim_setup setup;
	struct policy policy;
	struct costs costs;
	struct load *load;
	struct sim_result r;
};
FIXTURE_SETUP(sim)
{
	costs_init(&self->costs);
	self->setup.costs = &self->costs;
	self->setup.policy = &self->policy;
	self->setup.data_depth = UINT32_MAX;
	self->setup.seed = 1;
}
FIXTURE_TEARDOWN(sim)
{
	load_free(self->load);
	machine_free(self->setup.machine);
}

static void prepare(struct fixture_sim *self, const char *machine, const char *load, double jitter)
{
	char message[200];

	machine_free(self->setup.machine);
	load_free(self->load);
	self->setup.machine = machine_make(machine, DISTANCES_FULL, message, sizeof(message));
	ASSERT_NE(self->setup.machine, NULL);
	self->load = load_make(load, self->setup.machine->cpus, message, sizeof(message));
	ASSERT_NE(self->load, NULL);
	self->load->jitter = jitter;
	self->load->seed = self->setup.seed;
	self->setup.load = self->load;
	ASSERT_EQ(load_bounds(self->load, &self->setup.work, &self->setup.span), 0);
}

static const struct sim_result *run(struct fixture_sim *self, enum policy_kind kind)
{
	int r;

	policy_init(&self->policy, kind);
	r = sim_run(&self->setup, &self->r);
	EXPECT_STREQ(self->r.wrong, "");
	EXPECT_EQ(r, 0);
	return &self->r;
}

static double far(const uint64_t *by_tier)
{
	double sum = 0;

	for (int t = TIER_FAR; t < POLICY_TIERS; t++)
		sum += (double)by_tier[t];
	return sum;
}

TEST_F(sim, one_cpu_takes_the_serial_time)
{
	const struct sim_result *r;

	prepare(self, "1x1", "uts:tiny-geometric", 0);
	r = run(self, POLICY_NEAR_FIRST);
	EXPECT_EQ(r->work_ps, 16000 * 60200);
	/* the root is started, each other node forked */
	EXPECT_EQ(r->makespan_ps, r->work_ps + 60000 + 15999 * 2600);
	EXPECT_EQ(r->steals + r->sleeps + r->wakes + r->parks, 0);
	EXPECT_EQ(r->busy_ps, r->makespan_ps);
}

TEST_F(sim, two_cpus_halve_it)
{
	const struct sim_result *r;

	prepare(self, "1x2", "fib:24", 0.05);
	self->load->work_ns = 100;
	ASSERT_EQ(load_bounds(self->load, &self->setup.work, &self->setup.span), 0);
	r = run(self, POLICY_NEAR_FIRST);
	EXPECT_EQ(r->value, 46368);
	EXPECT_GT(r->makespan_ps, r->work_ps / 2);
	EXPECT_LT(r->makespan_ps, r->work_ps * 54 / 100);
	EXPECT_GT(r->steals, 0);
	EXPECT_LT(r->steals, 200);
	EXPECT_EQ(far(r->steals_by_tier), 0);
}

TEST_F(sim, each_load_comes_to_its_counts_under_each_policy)
{
	const char *loads[] = {"uts:tiny-geometric",
			       "uts:tiny-binomial",
			       "uts:tiny-deep",
			       "fib:0",
			       "fib:1",
			       "fib:2",
			       "fib:18",
			       "loop:1",
			       "loop:100000",
			       "loop:1001:7"};

	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		for (int kind = POLICY_NEAR_FIRST; kind <= POLICY_NONE; kind++) {
			prepare(self, "3x2x2", loads[i], 0.2);
			run(self, (enum policy_kind)kind);
			EXPECT_LE(self->setup.span, self->r.makespan_ps);
			EXPECT_LE(self->setup.work, 12 * self->r.makespan_ps);
		}
}

TEST_F(sim, a_seed_is_a_run)
{
	struct sim_result first;

	prepare(self, "4x4", "uts:tiny-geometric", 0.05);
	first = *run(self, POLICY_FLAT);
	EXPECT_EQ(memcmp(&first, run(self, POLICY_FLAT), sizeof(first)), 0);
	first = *run(self, POLICY_NEAR_FIRST);
	EXPECT_EQ(memcmp(&first, run(self, POLICY_NEAR_FIRST), sizeof(first)), 0);
	self->setup.seed = 2;
	EXPECT_NE(first.makespan_ps, run(self, POLICY_NEAR_FIRST)->makespan_ps);
}

TEST_F(sim, policies_reach_as_far_as_they_say)
{
	const struct sim_result *r;

	prepare(self, "2x4", "fib:22", 0.05);
	self->load->work_ns = 100;
	ASSERT_EQ(load_bounds(self->load, &self->setup.work, &self->setup.span), 0);
	r = run(self, POLICY_NODE_ONLY);
	EXPECT_EQ(far(r->steals_by_tier), 0);
	EXPECT_EQ(r->busy_most, 4);
	EXPECT_EQ(r->remote_ps, 0);
	r = run(self, POLICY_NONE);
	EXPECT_EQ(r->steals, 0);
	EXPECT_EQ(r->busy_most, 1);
	r = run(self, POLICY_NEAR_FIRST);
	EXPECT_GT(far(r->steals_by_tier), 0);
	EXPECT_EQ(r->busy_most, 8);
}

/* Of 63 others, 56 are on other nodes. */
TEST_F_TIMEOUT(sim, flat_robs_everyone_alike, 60)
{
	const struct sim_result *r;
	double share;

	prepare(self, "8x8", "fib:27", 0.05);
	self->load->work_ns = 500;
	ASSERT_EQ(load_bounds(self->load, &self->setup.work, &self->setup.span), 0);
	r = run(self, POLICY_FLAT);
	share = far(r->steals_by_tier) / (double)r->steals;
	EXPECT_GT(r->steals, 500);
	EXPECT_GT(share, 0.82);
	EXPECT_LT(share, 0.95);
	r = run(self, POLICY_NEAR_FIRST);
	EXPECT_LT(far(r->steals_by_tier) / (double)r->steals, 0.2);
}

TEST_F(sim, work_far_from_its_data_takes_longer)
{
	uint64_t away;

	prepare(self, "2x2", "fib:20", 0);
	self->load->work_ns = 200;
	ASSERT_EQ(load_bounds(self->load, &self->setup.work, &self->setup.span), 0);
	self->setup.data_depth = 0; /* all of it on the first node */
	run(self, POLICY_FLAT);
	away = self->r.remote_ps;
	EXPECT_GT(away, self->r.work_ps / 3);
	/* distance 21, and 0.3 of the time is memory's: 0.33 more */
	EXPECT_GT(self->r.extra_ps, away * 32 / 100);
	EXPECT_LT(self->r.extra_ps, away * 34 / 100);
	self->costs.memory_share = 0;
	EXPECT_EQ(run(self, POLICY_FLAT)->extra_ps, 0);
}

TEST_F(sim, an_owner_that_computes_for_long_is_forced)
{
	prepare(self, "1x4", "loop:4000:1000", 0);
	self->load->work_ns = 1000; /* a piece is 1 ms */
	ASSERT_EQ(load_bounds(self->load, &self->setup.work, &self->setup.span), 0);
	run(self, POLICY_NEAR_FIRST);
	EXPECT_GT(self->r.forced, 0);
	EXPECT_LT(self->r.makespan_ps, UINT64_C(1300000000));
}

TEST_F(sim, a_wrong_count_is_told)
{
	prepare(self, "1x2", "fib:10", 0);
	policy_init(&self->policy, POLICY_NEAR_FIRST);
	self->load->leaves++;
	EXPECT_EQ(sim_run(&self->setup, &self->r), -EINVAL);
	EXPECT_CONTAINS(self->r.wrong, "leaves: 89, not 90");
}

TEST(machines_are_as_described)
{
	char message[200];
	struct machine *m = machine_make("6x2", DISTANCES_RING, message, sizeof(message));

	ASSERT_NE(m, NULL);
	EXPECT_EQ(m->cpus, 12);
	EXPECT_EQ(machine_distance(m, 0, 1), 16);
	EXPECT_EQ(machine_distance(m, 0, 3), 28);
	EXPECT_EQ(machine_distance(m, 0, 5), 16);
	machine_free(m);
	m = machine_make("8x1", DISTANCES_MESH, message, sizeof(message)); /* 2 rows of 4 */
	ASSERT_NE(m, NULL);
	EXPECT_EQ(machine_distance(m, 0, 4), 16);
	EXPECT_EQ(machine_distance(m, 0, 7), 34);
	machine_free(m);
	m = machine_make("8x1", DISTANCES_TWO_LEVEL, message, sizeof(message));
	ASSERT_NE(m, NULL);
	EXPECT_EQ(machine_distance(m, 1, 2), 12);
	EXPECT_EQ(machine_distance(m, 3, 4), 32);
	machine_free(m);
	/* sparse numbers; a node without CPUs is none */
	m = machine_make("node0=4-5 node3=9 node7=none:4G", DISTANCES_FULL, message, sizeof(message));
	ASSERT_NE(m, NULL);
	EXPECT_EQ(m->cpus, 3);
	EXPECT_EQ(m->nodes, 2);
	EXPECT_EQ(m->node[2], 1);
	EXPECT_EQ(machine_victims(m, 0)[0].cpu, 1);
	EXPECT_EQ(machine_victims(m, 0)[1].tier, TIER_FAR);
	machine_free(m);
}
