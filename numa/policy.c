/* SPDX-License-Identifier: MIT */
#include "numa/policy.h"

#include <string.h>

/* An owner that pushes or pops answers within this, if it is near. */
#define ASK_NS 5000
/* For each rank of distance: until a tier opens, and how much longer its owners are asked. */
#define FAR_DELAY_NS 5000
#define FAR_ASK_NS 20000
/* A tier that has been waited for stays open for that many delays after each time that something came from there. */
#define HOLD 2
/* Beyond a node, to what is in an inbox: its worker was woken for it, and gets up within this. */
#define FAR_INBOX_NS 1000000

void policy_init(struct policy *p, enum policy_kind kind)
{
	memset(p, 0, sizeof(*p));
	p->kind = kind;
	policy_set_delay(p, FAR_DELAY_NS);
}

void policy_set_delay(struct policy *p, uint64_t ns)
{
	for (int tier = 0; tier < POLICY_TIERS; tier++) {
		uint64_t rank = tier < TIER_FAR || p->kind == POLICY_FLAT ? 0 : (uint64_t)(tier - TIER_FAR) + 1;

		p->delay_ns[tier] = rank * ns;
		p->force_ns[tier] = rank ? p->delay_ns[tier] + rank * FAR_ASK_NS : ASK_NS;
		p->inbox_ns[tier] = p->delay_ns[tier];
		if (rank && p->inbox_ns[tier] < FAR_INBOX_NS)
			p->inbox_ns[tier] = FAR_INBOX_NS;
	}
}

const char *policy_name(enum policy_kind kind)
{
	static const char *const names[] = {
		[POLICY_NEAR_FIRST] = "near-first",
		[POLICY_FLAT] = "flat",
		[POLICY_NODE_ONLY] = "node-only",
		[POLICY_NONE] = "none",
	};

	return names[kind];
}

static bool enter(const struct policy *p, struct policy_search *s, struct policy_gate *gate)
{
	uint32_t nobody = 0;

	if (s->entered || p->no_gate)
		return true;
	/* asked once a round: the line is others' too */
	if (s->refused)
		return false;
	if (__atomic_load_n(&gate->abroad, __ATOMIC_RELAXED) ||
	    !__atomic_compare_exchange_n(&gate->abroad, &nobody, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		s->refused = true;
		return false;
	}
	s->entered = gate;
	return true;
}

/* Somebody of the node has waited for it, found something, and the node is out of work again. */
static bool held_open(const struct policy *p, const struct policy_search *s, const struct policy_gate *gate, int t)
{
	uint64_t at = __atomic_load_n(&gate->fetched[t], __ATOMIC_RELAXED);

	return at && s->now - at < HOLD * p->delay_ns[t];
}

void policy_took(const struct policy *p, const struct policy_search *s, struct policy_gate *gate, int tier)
{
	if (policy_far(tier) && !p->forgets)
		__atomic_store_n(&gate->fetched[policy_tier(tier)], s->now, __ATOMIC_RELAXED);
}

enum policy_step policy_step(const struct policy *p, struct policy_search *s, struct policy_gate *gate, int tier)
{
	int t = policy_tier(tier);

	if (!policy_reaches(p, tier))
		return POLICY_PASS;
	if (p->kind == POLICY_FLAT || !policy_far(tier))
		return POLICY_TAKE;
	if (!enter(p, s, gate))
		return POLICY_PASS;
	if (!p->delay_ns[t] || (s->since[t] && s->now - s->since[t] >= p->delay_ns[t]) || held_open(p, s, gate, t))
		return POLICY_TAKE;
	/* one look that finds something says it for the tier: each is a line from afar */
	return s->seen >> t & 1 ? POLICY_PASS : POLICY_LOOK;
}

bool policy_waits(const struct policy *p, const struct policy_search *s)
{
	for (int t = TIER_FAR; t < POLICY_TIERS; t++)
		if (s->since[t] && (s->now - s->since[t] <= p->force_ns[t] || s->now - s->since[t] <= p->inbox_ns[t]) &&
		    p->inbox_ns[t])
			return true;
	return false;
}

bool policy_round_end(struct policy_search *s)
{
	for (int t = 0; t < POLICY_TIERS; t++)
		if (!(s->seen >> t & 1))
			s->since[t] = 0;
		else if (!s->since[t])
			s->since[t] = s->now;
	return s->seen;
}

void policy_search_end(struct policy_search *s)
{
	if (s->entered)
		__atomic_store_n(&s->entered->abroad, 0, __ATOMIC_RELEASE);
	memset(s, 0, sizeof(*s));
}
