/* SPDX-License-Identifier: MIT */
/* policy_test.c - which victims a searcher may take from, and when. */
#include <string.h>

#include "numa/policy.h"
#include "tests/harness/harness.h"

#define FARTHER (TIER_FAR + 1)

FIXTURE(policy)
{
	struct policy p;
	struct policy_gate gate;
	struct policy_search s;
};
FIXTURE_SETUP(policy)
{
	policy_init(&self->p, POLICY_NEAR_FIRST);
}
FIXTURE_TEARDOWN(policy)
{
	policy_search_end(&self->s);
}

/* A round in which there is work at one victim, of that tier, which is not taken. */
static enum policy_step round_at(const struct policy *p, struct policy_search *s, struct policy_gate *gate, int tier,
				 uint64_t now)
{
	enum policy_step step;

	policy_round_begin(s, now);
	step = policy_step(p, s, gate, tier);
	if (step != POLICY_PASS)
		policy_saw(s, tier);
	policy_round_end(s);
	return step;
}

TEST_F(policy, near_is_open_at_once)
{
	for (int tier = 0; tier < TIER_FAR; tier++) {
		policy_round_begin(&self->s, 1);
		EXPECT_EQ(policy_step(&self->p, &self->s, &self->gate, tier), POLICY_TAKE);
		EXPECT_FALSE(policy_round_end(&self->s));
	}
	EXPECT_EQ(self->gate.abroad, 0);
}

TEST_F(policy, a_far_tier_opens_when_work_has_been_seen_for_its_delay)
{
	uint64_t delay = self->p.delay_ns[TIER_FAR], later = self->p.delay_ns[FARTHER];

	EXPECT_GT(delay, 0);
	EXPECT_GT(later, delay);
	EXPECT_EQ(round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1000), POLICY_LOOK);
	EXPECT_EQ(round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1000 + delay - 1), POLICY_LOOK);
	EXPECT_EQ(round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1000 + delay), POLICY_TAKE);
	/* of another tier nothing has been seen */
	EXPECT_EQ(round_at(&self->p, &self->s, &self->gate, FARTHER, 1000 + later), POLICY_LOOK);
	/* and a round without work there begins anew */
	EXPECT_EQ(round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1001 + later), POLICY_LOOK);
}

TEST_F(policy, a_tier_stays_open_to_the_node_that_was_there)
{
	uint64_t delay = self->p.delay_ns[TIER_FAR], hold = 2 * delay;
	struct policy_gate elsewhere = {0};

	round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1000);
	EXPECT_EQ(round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1000 + delay), POLICY_TAKE);
	policy_took(&self->p, &self->s, &self->gate, TIER_FAR);
	policy_search_end(&self->s);
	/* the next thief need not wait; of another node, or for another tier, it must */
	EXPECT_EQ(round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1000 + delay + hold - 1), POLICY_TAKE);
	EXPECT_EQ(round_at(&self->p, &self->s, &self->gate, FARTHER, 1000 + delay + 1), POLICY_LOOK);
	policy_search_end(&self->s);
	EXPECT_EQ(round_at(&self->p, &self->s, &elsewhere, TIER_FAR, 1000 + delay + 1), POLICY_LOOK);
	policy_search_end(&self->s);
	EXPECT_EQ(round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1000 + delay + hold), POLICY_LOOK);
	policy_search_end(&self->s);
	/* near ones are never closed, and leave no trace */
	memset(&self->gate, 0, sizeof(self->gate));
	policy_took(&self->p, &self->s, &self->gate, TIER_NODE);
	for (int t = 0; t < POLICY_TIERS; t++)
		EXPECT_EQ(self->gate.fetched[t], 0);
}

TEST_F(policy, a_closed_tier_is_looked_at_until_work_is_seen)
{
	policy_round_begin(&self->s, 1);
	EXPECT_EQ(policy_step(&self->p, &self->s, &self->gate, TIER_FAR), POLICY_LOOK);
	EXPECT_EQ(policy_step(&self->p, &self->s, &self->gate, TIER_FAR), POLICY_LOOK);
	policy_saw(&self->s, TIER_FAR);
	EXPECT_EQ(policy_step(&self->p, &self->s, &self->gate, TIER_FAR), POLICY_PASS);
	EXPECT_EQ(policy_step(&self->p, &self->s, &self->gate, FARTHER), POLICY_LOOK);
	policy_round_end(&self->s);
	policy_round_begin(&self->s, 2);
	EXPECT_EQ(policy_step(&self->p, &self->s, &self->gate, TIER_FAR), POLICY_LOOK);
}

TEST_F(policy, without_a_gate_all_may_go)
{
	struct policy_search other = {0};

	self->p.no_gate = true;
	EXPECT_EQ(round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1), POLICY_LOOK);
	EXPECT_EQ(round_at(&self->p, &other, &self->gate, TIER_FAR, 1), POLICY_LOOK);
	EXPECT_EQ(self->gate.abroad, 0);
}

/* Each victim of each tier once, the nearer tier first; the first of a tier is any. */
TEST_F(policy, a_round_begins_anywhere_in_each_tier)
{
	const struct {
		unsigned begin, of_tier;
	} tier[] = {{0, 1}, {1, 3}, {4, 5}};
	bool begun[9] = {false};

	for (uint64_t random = 0; random < 100; random++) {
		uint64_t chance = random * 0x9e3779b97f4a7c15u >> 32;

		for (int t = 0; t < 3; t++) {
			unsigned met = 0;

			for (unsigned i = tier[t].begin; i < tier[t].begin + tier[t].of_tier; i++) {
				unsigned v = policy_victim(&self->p, i, tier[t].begin, tier[t].of_tier, 9, chance);

				ASSERT_TRUE(v >= tier[t].begin && v < tier[t].begin + tier[t].of_tier);
				met |= 1u << v;
				begun[v] |= i == tier[t].begin;
			}
			EXPECT_EQ(met, ((1u << tier[t].of_tier) - 1) << tier[t].begin);
		}
	}
	for (int i = 0; i < 9; i++)
		EXPECT_TRUE(begun[i]);
	self->p.in_turn = true;
	EXPECT_EQ(policy_victim(&self->p, 5, 4, 5, 9, 3), 5);
	self->p.kind = POLICY_FLAT;
	EXPECT_EQ(policy_victim(&self->p, 5, 4, 5, 9, 5), 1);
}

TEST_F(policy, one_of_a_node_is_abroad)
{
	struct policy_search other = {0};
	struct policy_gate elsewhere = {0};

	EXPECT_EQ(round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1), POLICY_LOOK);
	EXPECT_EQ(round_at(&self->p, &other, &self->gate, TIER_FAR, 1), POLICY_PASS);
	EXPECT_EQ(round_at(&self->p, &other, &self->gate, TIER_NODE, 2), POLICY_TAKE);
	policy_search_end(&other); /* which has not entered */
	EXPECT_EQ(self->gate.abroad, 1);
	EXPECT_EQ(round_at(&self->p, &other, &elsewhere, TIER_FAR, 3), POLICY_LOOK);
	policy_search_end(&other);
	EXPECT_EQ(elsewhere.abroad, 0);
	policy_search_end(&self->s);
	EXPECT_EQ(self->gate.abroad, 0);
	EXPECT_EQ(round_at(&self->p, &other, &self->gate, TIER_FAR, 4), POLICY_LOOK);
	policy_search_end(&other);
}

TEST_F(policy, owners_are_asked_before_they_are_forced)
{
	uint64_t near = self->p.force_ns[TIER_NODE], far = self->p.force_ns[TIER_FAR];

	EXPECT_GT(near, 0);
	EXPECT_GT(far, self->p.delay_ns[TIER_FAR]);
	round_at(&self->p, &self->s, &self->gate, TIER_NODE, 10);
	self->s.now = 10 + near;
	EXPECT_FALSE(policy_may_force(&self->p, &self->s, TIER_NODE));
	self->s.now++;
	EXPECT_TRUE(policy_may_force(&self->p, &self->s, TIER_NODE));
	EXPECT_FALSE(policy_may_force(&self->p, &self->s, TIER_FAR));
}

TEST(flat_has_no_tiers)
{
	struct policy p;
	struct policy_gate gate = {0};
	struct policy_search s = {0};
	bool begun[5] = {false};

	policy_init(&p, POLICY_FLAT);
	for (int tier = 0; tier < 20; tier++) {
		EXPECT_EQ(round_at(&p, &s, &gate, tier, 1), POLICY_TAKE);
		EXPECT_EQ(p.force_ns[policy_tier(tier)], p.force_ns[0]);
	}
	EXPECT_EQ(gate.abroad, 0);
	for (uint64_t random = 0; random < 100; random++)
		begun[policy_first(&p, 5, random * 0x9e3779b97f4a7c15u >> 32)] = true;
	for (int i = 0; i < 5; i++)
		EXPECT_TRUE(begun[i]);
	EXPECT_EQ(policy_first(&p, 0, 7), 0);
}

TEST(some_reach_no_farther)
{
	struct policy p;
	struct policy_gate gate = {0};
	struct policy_search s = {0};

	policy_init(&p, POLICY_NODE_ONLY);
	EXPECT_EQ(round_at(&p, &s, &gate, TIER_NODE, 1), POLICY_TAKE);
	EXPECT_EQ(round_at(&p, &s, &gate, TIER_FAR, 1), POLICY_PASS);
	EXPECT_TRUE(policy_reaches(&p, TIER_NODE) && !policy_reaches(&p, TIER_FAR));
	policy_init(&p, POLICY_NONE);
	EXPECT_EQ(round_at(&p, &s, &gate, TIER_SIBLING, 1), POLICY_PASS);
	EXPECT_EQ(gate.abroad, 0);
}

TEST(what_is_farther_than_counted_is_in_the_last_tier)
{
	EXPECT_EQ(policy_tier(POLICY_TIERS - 1), POLICY_TIERS - 1);
	EXPECT_EQ(policy_tier(POLICY_TIERS), POLICY_TIERS - 1);
	EXPECT_EQ(policy_tier(1000), POLICY_TIERS - 1);
}

/* One who gave up before would begin to wait anew, and never come to it. */
TEST_F(policy, a_searcher_waits_for_what_is_only_too_far_yet)
{
	uint64_t inbox = self->p.inbox_ns[TIER_FAR];

	round_at(&self->p, &self->s, &self->gate, TIER_NODE, 1000);
	EXPECT_FALSE(policy_waits(&self->p, &self->s));
	round_at(&self->p, &self->s, &self->gate, TIER_FAR, 2000);
	EXPECT_TRUE(policy_waits(&self->p, &self->s));
	round_at(&self->p, &self->s, &self->gate, TIER_FAR, 2000 + inbox);
	EXPECT_TRUE(policy_waits(&self->p, &self->s));
	round_at(&self->p, &self->s, &self->gate, TIER_FAR, 2001 + inbox);
	EXPECT_FALSE(policy_waits(&self->p, &self->s)); /* it ends */
}

TEST_F(policy, far_inboxes_open_later)
{
	EXPECT_TRUE(policy_may_rob_inbox(&self->p, &self->s, TIER_NODE));
	EXPECT_GT(self->p.inbox_ns[TIER_FAR], self->p.delay_ns[TIER_FAR]);
	round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1000);
	round_at(&self->p, &self->s, &self->gate, TIER_FAR, 999 + self->p.inbox_ns[TIER_FAR]);
	EXPECT_FALSE(policy_may_rob_inbox(&self->p, &self->s, TIER_FAR));
	round_at(&self->p, &self->s, &self->gate, TIER_FAR, 1000 + self->p.inbox_ns[TIER_FAR]);
	EXPECT_TRUE(policy_may_rob_inbox(&self->p, &self->s, TIER_FAR));
}

TEST(a_delay_that_is_set)
{
	struct policy p;

	policy_init(&p, POLICY_NEAR_FIRST);
	policy_set_delay(&p, 5000000);
	EXPECT_EQ(p.delay_ns[TIER_NODE], 0);
	EXPECT_EQ(p.delay_ns[TIER_FAR], 5000000);
	EXPECT_EQ(p.delay_ns[FARTHER], 10000000);
	EXPECT_GT(p.force_ns[TIER_FAR], p.delay_ns[TIER_FAR]);
	EXPECT_EQ(p.inbox_ns[TIER_FAR], 5000000);
	policy_init(&p, POLICY_FLAT);
	policy_set_delay(&p, 5000000);
	EXPECT_EQ(p.delay_ns[TIER_FAR], 0);
	EXPECT_EQ(p.inbox_ns[TIER_FAR], 0);
}
