/* SPDX-License-Identifier: MIT */
/* idle.c - searching, sleeping and waking, by the rules of core/sched/idle.h. */
#include "tools/sim/inside.h"

/* The next sleeper in a range of CPUs that nobody has chosen; end: none. */
static unsigned next_asleep(const struct sim *s, unsigned from, unsigned end)
{
	while (from < end) {
		uint64_t word = s->asleep[from / 64] >> from % 64;

		if (word) {
			from += (unsigned)__builtin_ctzll(word);
			return from < end ? from : end;
		}
		from = (from | 63) + 1;
	}
	return end;
}

static void set_asleep(struct sim *s, unsigned cpu, bool asleep)
{
	uint64_t bit = UINT64_C(1) << cpu % 64;

	if (asleep)
		s->asleep[cpu / 64] |= bit;
	else
		s->asleep[cpu / 64] &= ~bit;
}

/* A sleeper of the caller's node, or any. */
static struct cpu *choose(struct sim *s, const struct cpu *c)
{
	const struct domain *d = c->domain;
	unsigned from = s->setup->wake_any ? c->id / 64 * 64 : s->machine->first[c->node];
	unsigned end = s->setup->wake_any ? from + 64 : s->machine->first[c->node + 1], i;

	if (from < d->first)
		from = d->first;
	if (end > d->end)
		end = d->end;
	i = next_asleep(s, from, end);
	if (i == end)
		i = next_asleep(s, end, d->end);
	if (i == d->end)
		i = next_asleep(s, d->first, d->end);
	return i == d->end ? NULL : &s->cpu[i];
}

void idle_notify(struct sim *s, struct cpu *c)
{
	struct cpu *w;

	if (!c->domain->sleeping || c->domain->searching || !(w = choose(s, c)))
		return;
	set_asleep(s, w->id, false);
	c->domain->searching++;
	spend(c, s->ns.notify);
	s->result->wakes++;
	w->state = STATE_WOKEN;
	w->clock = c->clock + 1 + costs_ps(s->ns.wake); /* never before the caller's own event */
	queue_insert(&s->queue, w->clock, w->id);
}

/* Not more than half as many as are busy. */
static bool may_search(struct domain *d)
{
	unsigned busy = d->seats - d->sleeping;

	if (busy > d->searching)
		busy -= d->searching;
	if (2 * d->searching >= busy && d->searching)
		return false;
	d->searching++;
	return true;
}

static void begin(struct sim *s, struct cpu *c)
{
	c->until = c->clock + (c->searching ? c->spin : costs_ps(s->ns.linger));
	c->in_round = false;
}

void idle_search(struct sim *s, struct cpu *c)
{
	c->state = STATE_SEARCH;
	c->searching = may_search(c->domain);
	begin(s, c);
}

/* Leave requests, interrupt, look. True: something is there. */
static bool last_look(struct sim *s, struct cpu *c)
{
	uint64_t interrupt = costs_ps(s->ns.interrupt);
	bool something = false;

	s->result->barriers++;
	spend(c, s->ns.barrier);
	for (unsigned i = c->domain->first; i < c->domain->end; i++) {
		struct cpu *other = &s->cpu[i];

		other->ring.request = true;
		if (other->state == STATE_RUN && other != c) {
			other->debt += interrupt;
			s->result->interrupts++;
		}
		something |= other->ring.head != other->ring.tail;
	}
	return something;
}

void idle_found(struct sim *s, struct cpu *c)
{
	struct domain *d = c->domain;

	c->searching = false;
	if (--d->searching)
		return;
	if (d->sleeping && d->sleeping == d->seats - 1 && !last_look(s, c))
		return;
	idle_notify(s, c);
}

void idle_woken(struct sim *s, struct cpu *c)
{
	uint64_t least = costs_ps(s->ns.spin_least), most = costs_ps(s->ns.spin_most);

	c->domain->sleeping--;
	if (c->clock - c->slept < costs_ps(s->ns.short_sleep))
		c->spin = c->spin * 2 < most ? c->spin * 2 : most;
	else
		c->spin = c->spin / 2 > least ? c->spin / 2 : least;
	c->state = STATE_SEARCH;
	c->searching = true;
	begin(s, c);
}

/* True: it has to stay awake after all. */
static bool go_to_sleep(struct sim *s, struct cpu *c)
{
	struct domain *d = c->domain;

	policy_search_end(&c->search);
	d->sleeping++;
	if (c->searching)
		d->searching--;
	if (!d->searching && last_look(s, c)) {
		d->sleeping--;
		d->searching++;
		c->searching = true;
		begin(s, c);
		return true;
	}
	set_asleep(s, c->id, true);
	spend(c, s->ns.sleep);
	c->searching = false;
	c->state = STATE_ASLEEP;
	c->slept = c->clock;
	c->debt = 0;
	s->result->sleeps++;
	return false;
}

bool idle_step(struct sim *s, struct cpu *c)
{
	if (!c->in_round) {
		if (!c->searching && may_search(c->domain)) {
			c->searching = true;
			begin(s, c);
		}
		if (c->searching)
			steal_round_begin(c);
	}
	if (c->searching && (steal_some(s, c) || c->in_round))
		return true;
	spend(c, s->ns.round);
	return c->clock < c->until || (c->searching && policy_waits(s->policy, &c->search)) || go_to_sleep(s, c);
}
