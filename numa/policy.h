/* SPDX-License-Identifier: MIT */
/*
 * policy.h - when a CPU that looks for work may take it from which others: near
 * ones at once, far ones only when work has been seen there for a while and
 * nobody else of the own node is on the way. It knows tiers (tier.h) and the
 * time, and nothing of queues, so that a simulator can run the same code.
 *
 * Three rules, by tier:
 *   - a tier opens to a thief that has seen work there, in this search, for
 *     `delay_ns`: a thread that its own node would have run in that time stays. It
 *     is open at once for a while (twice as long) after somebody of the thief's node
 *     has brought something home from there: then the node lacks work, not a thief;
 *   - of each node one thief at a time looks beyond it; it brings home half of
 *     what it finds, and the others get that from it;
 *   - an owner that does not answer is forced after `force_ns`: later, the
 *     farther it is, as that interrupts it.
 *
 * A search is one worker's: its calls are one after the other. Of what is shared,
 *
 *	             enter  leave      gate of a node: one word; who enters
 *	enter          X      -        leaves, at the end of its search at the
 *	leave          -      -        latest. Nobody ever waits for it.
 */
#ifndef PERCH_NUMA_POLICY_H
#define PERCH_NUMA_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "numa/tier.h"

/* What is told apart: the near tiers, and the others by their rank; the last holds all that are farther. */
#define POLICY_TIERS 8

enum policy_kind {
	POLICY_NEAR_FIRST,
	POLICY_FLAT,      /* everyone alike, begun at random */
	POLICY_NODE_ONLY, /* nobody of another node */
	POLICY_NONE,      /* nobody */
};

struct policy {
	enum policy_kind kind;
	uint64_t delay_ns[POLICY_TIERS];
	uint64_t force_ns[POLICY_TIERS];
	uint64_t inbox_ns[POLICY_TIERS]; /* as delay_ns, for what was left for the CPU of that victim by name */
	/* for experiments */
	bool no_gate; /* any number of a node may be abroad */
	bool forgets; /* each search waits for itself, whatever others have just brought home */
	bool in_turn; /* a round begins with the same victim of a tier each time */
};

/* For each node: somebody of it looks beyond it; and when somebody last brought something
 * home from each tier. */
struct policy_gate {
	uint32_t abroad;
	uint64_t fetched[POLICY_TIERS];
} __attribute__((aligned(64)));

/* Zero before the first round of a search. */
struct policy_search {
	uint64_t now;                 /* of this round */
	uint64_t since[POLICY_TIERS]; /* work has been seen there, and not been taken; 0: none was in the last round */
	struct policy_gate *entered;
	uint32_t seen; /* a bit per tier: in this round */
	bool refused;  /* another is abroad */
};

/* What may be done at a victim. */
enum policy_step {
	POLICY_PASS, /* nothing, not even look */
	POLICY_LOOK, /* look whether there is work, and say so */
	POLICY_TAKE, /* take it; say so if it is there and cannot be taken */
};

/* Fills in the defaults of that kind. */
void policy_init(struct policy *p, enum policy_kind kind);
/* A tier opens after so many ns for each rank of distance; not for flat, which has none. */
void policy_set_delay(struct policy *p, uint64_t ns);

/* As the setting has it: "near-first" ... */
const char *policy_name(enum policy_kind kind);

/* A tier of tier.h as it is counted here. */
static inline int policy_tier(int tier)
{
	return tier < POLICY_TIERS ? tier : POLICY_TIERS - 1;
}

static inline bool policy_far(int tier)
{
	return tier >= TIER_FAR;
}

/* The victim with which a round begins, of `count` in the order of tier.h; they are
 * taken in a circle from there. */
static inline unsigned policy_first(const struct policy *p, unsigned count, uint64_t random)
{
	return p->kind == POLICY_FLAT && count ? (unsigned)(random % count) : 0;
}

/*
 * policy_victim - the same, for each tier by itself: which is the i-th that is come to.
 * @begin, @of_tier: in the order of tier.h, where the tier of the i-th begins, and how
 *         many it has
 * @random: the same for a whole round
 *
 * From a random one on: thieves that always begin with the same neighbour take what
 * that one has just taken from the next, smaller pieces each time (docs/design.md has
 * by how much).
 */
static inline unsigned policy_victim(const struct policy *p, unsigned i, unsigned begin, unsigned of_tier,
				     unsigned count, uint64_t random)
{
	if (p->kind == POLICY_FLAT)
		return (i + policy_first(p, count, random)) % count;
	return p->in_turn ? i : begin + (i - begin + (unsigned)(random % of_tier)) % of_tier;
}

/* Whether anybody of that tier may ever be robbed. */
static inline bool policy_reaches(const struct policy *p, int tier)
{
	return p->kind != POLICY_NONE && (p->kind != POLICY_NODE_ONLY || !policy_far(tier));
}

/* now: ns, not 0. */
static inline void policy_round_begin(struct policy_search *s, uint64_t now)
{
	s->now = now;
	s->seen = 0;
	s->refused = false;
}

/*
 * policy_step - what the searcher may do at a victim of that tier, in this round.
 * @gate: the searcher's own node's; entered by the first far victim that it comes
 *        to, and held until the search ends
 */
enum policy_step policy_step(const struct policy *p, struct policy_search *s, struct policy_gate *gate, int tier);

/* There is work at a victim of that tier, which has not been taken. */
static inline void policy_saw(struct policy_search *s, int tier)
{
	s->seen |= 1u << policy_tier(tier);
}

/* It has been taken: the tier stays open to this node for a while (rule 1). Before policy_search_end(). */
void policy_took(const struct policy *p, const struct policy_search *s, struct policy_gate *gate, int tier);

/* Work at a victim of that tier has been asked for long enough: force it. */
static inline bool policy_may_force(const struct policy *p, const struct policy_search *s, int tier)
{
	int t = policy_tier(tier);

	return s->since[t] && s->now - s->since[t] > p->force_ns[t];
}

/* What was left for that victim's CPU by name, and its worker woken for it, may be taken, too. */
static inline bool policy_may_rob_inbox(const struct policy *p, const struct policy_search *s, int tier)
{
	int t = policy_tier(tier);

	return !p->inbox_ns[t] || (s->since[t] && s->now - s->since[t] >= p->inbox_ns[t]);
}

/*
 * After a round: work is in sight that is not to be had yet, only since it is far. One who
 * gave up now would come back, and begin to wait from the start. It ends by itself: with
 * the longest delay that there is.
 */
bool policy_waits(const struct policy *p, const struct policy_search *s);

/* Nothing was taken in this round. True: work was seen somewhere. */
bool policy_round_end(struct policy_search *s);

/* Something was taken, or the searcher goes to sleep. It may search again. */
void policy_search_end(struct policy_search *s);

#endif
