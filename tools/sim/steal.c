/* SPDX-License-Identifier: MIT */
/* steal.c - a round over the victims, as core/sched/steal.c makes it. */
#include "tools/sim/inside.h"

/* From one CPU to another's line, ps. */
static uint64_t miss(const struct sim *s, const struct cpu *c, const struct cpu *victim, unsigned tier)
{
	return tier < TIER_FAR ? s->miss[tier] : s->far[c->node * s->machine->nodes + victim->node];
}

static uint64_t next_random(struct cpu *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random >> 16;
}

void steal_round_begin(struct cpu *c)
{
	policy_round_begin(&c->search, c->clock / SIM_NS);
	c->round_random = next_random(c);
	c->at = 0;
	c->in_round = true;
}

/* Take of what is shared there, which is something. The oldest is begun with. */
static void take(struct sim *s, struct cpu *c, struct cpu *victim, unsigned tier, uint64_t line)
{
	struct ring *r = &victim->ring;
	uint32_t n = (ring_shared(r) + 1) / 2;
	int t = policy_tier((int)tier);
	uintptr_t first = r->slot[r->head % RING_SLOTS];

	if (n > HAUL)
		n = HAUL;
	/* the one word, eight slots to a line, and what is begun with */
	c->clock += line * (2 + (n + 7) / 8);
	s->result->steals++;
	s->result->stolen += n;
	s->result->steals_by_tier[t]++;
	s->result->stolen_by_tier[t] += n;
	c->in_round = false;
	c->state = STATE_SEARCH;
	for (uint32_t i = 1; i < n; i++) {
		spend(c, s->ns.item);
		ring_push(s, c, r->slot[(r->head + i) % RING_SLOTS]);
	}
	r->head += n;
	if (n > 1 && policy_far((int)tier) && !s->setup->keep_home)
		ring_publish(&c->ring);
	policy_took(s->policy, &c->search, &s->gate[c->node], (int)tier);
	policy_search_end(&c->search);
	idle_found(s, c);
	run_begin(s, c, first);
}

static bool force(struct sim *s, struct cpu *c, struct cpu *victim)
{
	if (c->clock < victim->forced + costs_ps(s->ns.force_gap))
		return false;
	victim->forced = c->clock;
	victim->debt += costs_ps(s->ns.interrupt);
	ring_publish(&victim->ring);
	spend(c, s->ns.force);
	s->result->forced++;
	return ring_shared(&victim->ring);
}

/* At one victim. True: something was taken. */
static bool visit(struct sim *s, struct cpu *c, struct cpu *victim, unsigned tier, enum policy_step step)
{
	struct ring *r = &victim->ring;
	uint64_t line = miss(s, c, victim, tier);

	c->clock += victim->state == STATE_RUN ? line : costs_ps(s->ns.cached);
	if (r->head == r->tail)
		return false;
	if (step == POLICY_LOOK) {
		policy_saw(&c->search, (int)tier);
		return false;
	}
	if (ring_shared(r)) {
		take(s, c, victim, tier, line);
		return true;
	}
	policy_saw(&c->search, (int)tier);
	if (!r->request) {
		r->request = true;
		c->clock += line;
		s->result->asked++;
	}
	if (policy_may_force(s->policy, &c->search, (int)tier) && force(s, c, victim)) {
		take(s, c, victim, tier, line);
		return true;
	}
	return false;
}

bool steal_some(struct sim *s, struct cpu *c)
{
	const struct machine_victim *victims = machine_victims(s->machine, c->id);
	unsigned count = s->machine->cpus - 1;
	uint64_t horizon = queue_second(&s->queue), ahead = c->clock + LOOK_AHEAD;

	if (!victims) {
		s->failed = true;
		return false;
	}
	for (; c->at < count; c->at++) {
		struct machine_victim v = victims[c->at];
		unsigned i = policy_victim(s->policy, c->at, v.begin, v.of_tier, count, c->round_random);
		struct cpu *victim;
		enum policy_step step;

		v = victims[i];
		victim = &s->cpu[v.cpu];
		if (c->clock > horizon && (c->clock > ahead || victim->ring.head != victim->ring.tail))
			return false; /* it goes on when it is its turn */
		step = policy_step(s->policy, &c->search, &s->gate[c->node], v.tier);
		if (step != POLICY_PASS) {
			if (visit(s, c, victim, v.tier, step))
				return true;
			continue;
		}
		/* whatever is as far is passed as well; and if nobody may go there, what is farther */
		if (c->search.refused || !policy_reaches(s->policy, v.tier))
			break;
		c->at = v.begin + v.of_tier - 1u;
	}
	c->in_round = false;
	policy_round_end(&c->search);
	return false;
}
