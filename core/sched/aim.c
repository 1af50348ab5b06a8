/* SPDX-License-Identifier: MIT */
#include "core/sched/aim.h"

#include "core/sched/carrier.h"
#include "core/sched/handoff.h"
#include "core/sched/idle.h"
#include "core/sched/nodes.h"
#include "core/sched/sched.h"
#include "core/thread/group.h"
#include "core/thread/stack.h"
#include "rseq/inject.h"

/* To find a sleeper, so many processors of a node are looked at. */
#define LOOKS 16

struct aim_stats aim_stats;

void aim_start(void)
{
	aim_stats = (struct aim_stats){0, 0};
}

/* ---- whom to wake ---- */

static bool schedules(struct processor *p)
{
	for (unsigned i = 0; i < p->seats; i++) {
		struct worker *w = seat_holder(p, i);

		if (w && worker_current(w) == &w->base)
			return true;
	}
	return false;
}

static struct node *node_of(const struct nodes *nodes, int node)
{
	return node >= 0 && (unsigned)node < nodes->count ? &nodes->node[node] : NULL;
}

/* Of the same node, and of those who may rob p (idle.h); those after p first, so that not all neighbours fall to the
 * first. */
static bool wake_neighbour(struct processor *p)
{
	const struct nodes *nodes = sched_set()->nodes;
	const struct node *node = node_of(nodes, p->node);
	unsigned count = node ? node->end - node->begin : 0, own = 0;

	while (own < count && nodes->order[node->begin + own] != p)
		own++;
	for (unsigned i = 1; i < count && i <= LOOKS; i++) {
		struct processor *q = nodes->order[node->begin + (own + i) % count];

		if (q->domain == p->domain && idle_wake_holder(q))
			return true;
	}
	return false;
}

void aim_at(struct processor *p, struct thread *t)
{
	processor_post(p, t);
	inject();
	if (idle_wake_holder(p))
		return;
	if (!schedules(p) && wake_neighbour(p))
		return;
	idle_notify_at(p);
}

void aim_task(struct processor *p, perch_task_t *task)
{
	struct thread *t = carrier_new(task, sched.default_class);

	if (t)
		aim_at(p, t);
}

/* ---- which processor ---- */

static bool asleep(struct processor *p)
{
	for (unsigned i = 0; i < p->seats; i++) {
		struct worker *w = seat_holder(p, i);

		if (w && idle_asleep_one(w->index))
			return true;
	}
	return false;
}

/* Each worker has a turn of its own, from its own place on: no line is shared. */
static uint32_t next_turn(void)
{
	static uint32_t outside;
	struct worker *self = worker_self();

	return self ? self->aim_turn++ : __atomic_fetch_add(&outside, 1, __ATOMIC_RELAXED);
}

struct processor *aim_node(int number)
{
	const struct nodes *nodes = sched_set()->nodes;
	const struct node *node = node_of(nodes, number);
	unsigned count = node ? node->end - node->begin : 0;
	struct processor *awake = NULL;
	uint32_t turn;

	if (!count)
		return NULL;
	turn = next_turn();
	for (unsigned i = 0, looks = 0; i < count && (looks < LOOKS || !awake); i++) {
		struct processor *p = nodes->order[node->begin + (turn + i) % count];

		if (processor_retired(p))
			continue;
		looks++;
		if (asleep(p))
			return p;
		if (!awake)
			awake = p;
	}
	return awake;
}

struct processor *aim_cpu(int cpu)
{
	const struct nodes *nodes = sched_set()->nodes;
	struct processor *p = cpu >= 0 && (unsigned)cpu < nodes->cpus ? nodes->at[cpu] : NULL;

	return p && !processor_retired(p) ? p : NULL;
}

/* ---- threads that are woken ---- */

/* Where this runs; NULL: no processor is there, so nothing can be queued here. */
static const struct processor *here(const struct worker *self)
{
	struct percpu *a;

	if (self)
		return self->home;
	a = percpu_here();
	return a ? area_processor(a) : NULL;
}

static bool is_of(const struct processor *p, uint32_t group)
{
	return p && group_of_node(p->node) == group;
}

/* Where it first ran, with its stack, if that is in use: its caches may know it. Nodes that
 * share a group's number (group.h) count as one; else it is the node's number. */
static struct processor *home_of(const struct thread *t, uint32_t group)
{
	struct processor *p = aim_cpu(t->stack->cpu);

	return is_of(p, group) ? p : aim_node((int)group);
}

bool aim_home(struct thread *t)
{
	struct worker *self = worker_self();
	uint32_t group = (uint32_t)t->stack_home - 1;
	struct processor *p;

	if (!t->stack_home || !(t->flags & THREAD_STARTED) || is_of(here(self), group))
		return false;
	p = __atomic_load_n(&sched.wake_home, __ATOMIC_RELAXED) ? home_of(t, group) : NULL;
	if (self)
		stat_add(p ? &self->stats.wakes_home : &self->stats.wakes_across, 1);
	else
		__atomic_add_fetch(p ? &aim_stats.home : &aim_stats.across, 1, __ATOMIC_RELAXED);
	if (!p)
		return false;
	aim_at(p, t);
	return true;
}
