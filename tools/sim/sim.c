/* SPDX-License-Identifier: MIT */
#include "tools/sim/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/sim/inside.h"

/* ---- what the costs come to ---- */

static void set_costs(struct sim *s)
{
	const struct machine *m = s->machine;

	s->ns = *s->setup->costs;
	s->miss[TIER_SIBLING] = costs_ps(s->ns.miss_sibling);
	s->miss[TIER_CACHE] = costs_ps(s->ns.miss_cache);
	s->miss[TIER_NODE] = costs_ps(s->ns.miss_node);
	for (unsigned from = 0; from < m->nodes; from++)
		for (unsigned to = 0; to < m->nodes; to++) {
			double times = machine_distance(m, from, to) / 10.0;

			s->far[from * m->nodes + to] = costs_ps(s->ns.miss_local * times);
			/* who runs it reads memory of `to` */
			s->factor[to * m->nodes + from] = (uint32_t)(1024 * s->ns.memory_share * (times - 1) + 0.5);
		}
}

/* ---- begin ---- */

/* Who can reach whose work: everybody, those of a node, or nobody. */
static void set_domains(struct sim *s)
{
	const struct machine *m = s->machine;

	for (unsigned i = 0; i < m->cpus; i++) {
		struct cpu *c = &s->cpu[i];
		unsigned first = 0, end = m->cpus, at = 0;

		if (s->policy->kind == POLICY_NODE_ONLY) {
			at = c->node;
			first = m->first[at];
			end = m->first[at + 1];
		} else if (s->policy->kind == POLICY_NONE) {
			at = first = i;
			end = i + 1;
		}
		c->domain = &s->domain[at];
		*c->domain = (struct domain){0, 0, end - first, first, end};
	}
}

static int set_cpus(struct sim *s)
{
	for (unsigned i = 0; i < s->machine->cpus; i++) {
		struct cpu *c = &s->cpu[i];

		c->id = i;
		c->node = s->machine->node[i];
		c->ring.slot = calloc(RING_SLOTS, sizeof(*c->ring.slot));
		if (!c->ring.slot)
			return -ENOMEM;
		c->random =
			(s->setup->seed + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (i + 1) * UINT64_C(0xbf58476d1ce4e5b9);
		c->spin = costs_ps(s->ns.spin_least);
		c->clock = SIM_NS; /* the policy's clock is not 0 */
	}
	set_domains(s);
	for (unsigned i = 0; i < s->machine->cpus; i++) {
		struct cpu *c = &s->cpu[i];

		c->ring.request = s->machine->cpus > 1;
		if (!i)
			continue;
		c->state = STATE_ASLEEP;
		c->domain->sleeping++;
		s->asleep[i / 64] |= UINT64_C(1) << i % 64;
	}
	return 0;
}

static int start(struct sim *s)
{
	const struct machine *m = s->machine;
	size_t pairs = (size_t)m->nodes * m->nodes;

	s->far = calloc(pairs, sizeof(*s->far));
	s->factor = calloc(pairs, sizeof(*s->factor));
	s->cpu = calloc(m->cpus, sizeof(*s->cpu));
	s->asleep = calloc(m->cpus / 64 + 1, sizeof(*s->asleep));
	s->domain = calloc(m->cpus, sizeof(*s->domain));
	s->gate = aligned_alloc(64, m->nodes * sizeof(*s->gate));
	s->queue.event = calloc(m->cpus, sizeof(*s->queue.event));
	if (!s->far || !s->factor || !s->cpu || !s->asleep || !s->domain || !s->gate || !s->queue.event)
		return -ENOMEM;
	memset(s->gate, 0, m->nodes * sizeof(*s->gate));
	set_costs(s);
	return set_cpus(s);
}

static void stop(struct sim *s)
{
	for (unsigned i = 0; s->cpu && i < s->machine->cpus; i++)
		free(s->cpu[i].ring.slot);
	run_free(s);
	free(s->queue.event);
	free(s->gate);
	free(s->domain);
	free(s->asleep);
	free(s->cpu);
	free(s->factor);
	free(s->far);
}

/* ---- run ---- */

/* It has the first event. True: it has a next one. */
static bool act(struct sim *s, struct cpu *c)
{
	c->clock += c->debt;
	c->debt = 0;
	if (c->state == STATE_WOKEN)
		idle_woken(s, c);
	if (c->state == STATE_RUN) {
		run_step(s, c);
		return true;
	}
	return idle_step(s, c);
}

static void run(struct sim *s)
{
	while (s->queue.count && !s->done && !s->failed) {
		struct cpu *c = &s->cpu[s->queue.event[0].cpu];
		bool goes_on;

		s->result->events++;
		do
			goes_on = act(s, c);
		while (goes_on && !s->done && !s->failed && c->clock <= queue_second(&s->queue));
		if (goes_on)
			queue_delay(&s->queue, c->clock);
		else
			queue_drop(&s->queue);
	}
}

/* ---- what came out ---- */

static void compare(struct sim_result *r, const char *what, uint64_t got, uint64_t want)
{
	if (got != want && !*r->wrong)
		snprintf(r->wrong, sizeof(r->wrong), "%s: %" PRIu64 ", not %" PRIu64, what, got, want);
}

static void check(const struct sim *s)
{
	struct sim_result *r = s->result;
	const struct load *l = s->load;
	uint64_t left = 0;

	if (!s->done) {
		snprintf(r->wrong, sizeof(r->wrong), "all CPUs sleep, and %" PRIu64 " of %" PRIu64 " nodes have run",
			 r->nodes, l->nodes);
		return;
	}
	for (unsigned i = 0; i < s->machine->cpus; i++) {
		const struct cpu *c = &s->cpu[i];

		left += c->ring.tail - c->ring.head + (c->frame != NULL);
		if (c->state == STATE_RUN)
			r->busy_ps += c->clock - c->run_since;
	}
	compare(r, "nodes", r->nodes, l->nodes);
	compare(r, "leaves", r->leaves, l->leaves);
	compare(r, "value", r->value, l->value);
	compare(r, "depth", r->depth, l->depth);
	compare(r, "work in ps", r->work_ps, s->setup->work);
	compare(r, "threads and tasks that are left over", left, 0);
	compare(r, "frames that are left over", s->frames, 0);
	if (!*r->wrong &&
	    (r->makespan_ps < s->setup->span || (double)r->makespan_ps * s->machine->cpus < (double)r->work_ps))
		snprintf(r->wrong, sizeof(r->wrong), "it is over after %" PRIu64 " ps, sooner than can be",
			 r->makespan_ps);
}

int sim_run(const struct sim_setup *setup, struct sim_result *result)
{
	struct sim s = {
		.setup = setup,
		.machine = setup->machine,
		.load = setup->load,
		.policy = setup->policy,
		.result = result,
	};
	int r = start(&s);

	memset(result, 0, sizeof(*result));
	if (!r) {
		s.root = (struct task){.node = load_root(s.load)};
		queue_insert(&s.queue, s.cpu[0].clock, 0);
		s.cpu[0].state = STATE_SEARCH;
		run_begin(&s, &s.cpu[0], item_task(&s.root));
		run(&s);
	}
	if (!r && s.failed)
		r = -ENOMEM;
	if (!r)
		check(&s);
	stop(&s);
	return r ? r : *result->wrong ? -EINVAL : 0;
}
