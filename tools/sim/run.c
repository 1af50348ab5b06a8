/* SPDX-License-Identifier: MIT */
/* run.c - forking, syncing and ending tasks on one CPU. */
#include <stdlib.h>

#include "tools/sim/inside.h"

/* ---- the ring, on its own CPU ---- */

static void answer(struct sim *s, struct cpu *c)
{
	c->ring.request = false;
	ring_publish(&c->ring);
	/* the line comes back from who asked */
	spend(c, s->ns.miss_node + s->ns.answer);
	s->result->reveals++;
	idle_notify(s, c);
}

/* False: it is full; never for a thread that goes on. */
bool ring_push(struct sim *s, struct cpu *c, uintptr_t item)
{
	struct ring *r = &c->ring;

	if (r->tail - r->head >= RING_CAPACITY + (item & 1 ? 0 : RING_CAPACITY - 1))
		return false;
	r->slot[r->tail++ % RING_SLOTS] = item;
	if (r->request)
		answer(s, c);
	return true;
}

/* wanted: only that one, or whatever is on top (0). Returns it, or 0. */
static uintptr_t pop(struct sim *s, struct cpu *c, uintptr_t wanted)
{
	struct ring *r = &c->ring;

	if (r->head == r->tail)
		return 0;
	if (r->request && ring_private(r) >= 2)
		answer(s, c);
	if (wanted && r->slot[(r->tail - 1) % RING_SLOTS] != wanted)
		return 0;
	if (r->tail == r->split) {
		r->split = r->head + ring_shared(r) / 2;
		spend(c, s->ns.take_back);
	}
	return r->slot[--r->tail % RING_SLOTS];
}

/* ---- frames ---- */

static struct frame *frame_new(struct sim *s, unsigned children)
{
	unsigned class = 0;
	struct frame *f;

	while (class < CLASSES - 1 && 1u << class < children)
		class ++;
	f = s->free[class];
	if (f)
		s->free[class] = f->up;
	else
		f = malloc(sizeof(*f) + ((size_t)1 << class) * sizeof(f->child[0]));
	if (!f) {
		s->failed = true;
		return NULL;
	}
	f->class = (uint16_t) class;
	s->frames++;
	return f;
}

static void frame_end(struct sim *s, struct frame *f)
{
	f->up = s->free[f->class];
	s->free[f->class] = f;
	s->frames--;
}

void run_free(struct sim *s)
{
	for (int i = 0; i < CLASSES; i++)
		while (s->free[i]) {
			struct frame *f = s->free[i];

			s->free[i] = f->up;
			free(f);
		}
}

/* ---- tasks ---- */

/* A thread that carried `task` has come to its end. */
static void ended(struct sim *s, struct cpu *c, struct task *task)
{
	c->frame = NULL;
	task->ended = true;
	if (task == &s->root) {
		s->done = true;
		s->result->makespan_ps = c->clock - SIM_NS;
		return;
	}
	spend(c, s->ns.miss_node);
	if (task->waiter) {
		spend(c, s->ns.park);
		ring_push(s, c, (uintptr_t)task->waiter);
	}
}

/* A node of the tree begins: its own work is done, and if it has children there is a frame. */
static void enter(struct sim *s, struct cpu *c, uint64_t node, uint32_t depth, unsigned home, struct frame *up,
		  struct task *carried)
{
	const struct load *load = s->load;
	struct sim_result *r = s->result;
	uint64_t work = load_work(load, node), extra = 0;
	unsigned children = load_children(load, node);
	struct frame *f;

	if (s->setup->data == DATA_BLOCKS)
		home = load_block(load, node, s->machine->nodes);
	r->nodes++;
	r->work_ps += work;
	if (depth > r->depth)
		r->depth = depth;
	if (home != c->node) {
		extra = work * s->factor[home * s->machine->nodes + c->node] / 1024;
		r->remote_ps += work;
		r->extra_ps += extra;
	}
	c->clock += work + extra;
	if (!children) {
		r->leaves++;
		r->value += load_value(load, node);
		if (up)
			c->frame = up;
		else
			ended(s, c, carried);
		return;
	}
	f = frame_new(s, children);
	if (!f)
		return;
	f->up = up;
	f->task = carried;
	f->node = node;
	f->depth = depth;
	f->home = (uint16_t)home;
	f->children = children;
	f->begun = f->synced = 0;
	c->frame = f;
}

static void enter_task(struct sim *s, struct cpu *c, struct task *t, struct frame *up)
{
	enter(s, c, t->node, t->depth, t->home, up, up ? NULL : t);
}

/* The next child is forked, or called. */
static void fork_child(struct sim *s, struct cpu *c, struct frame *f)
{
	unsigned i = f->begun++;
	struct task *t = &f->child[i];

	*t = (struct task){
		.node = load_child(s->load, f->node, i, i ? f->child[i - 1].node : 0),
		.depth = f->depth + 1,
		.home = f->depth < s->setup->data_depth ? c->node : f->home,
	};
	if (i + 1 == f->children && s->load->calls_last) {
		t->ended = true;
		enter_task(s, c, t, f);
		return;
	}
	spend(c, s->ns.fork);
	if (!ring_push(s, c, item_task(t))) { /* full: it is run here, at once */
		t->ended = true;
		enter_task(s, c, t, f);
	}
}

/* What it takes, or else it has nothing to run. */
static void next(struct sim *s, struct cpu *c)
{
	uintptr_t item = pop(s, c, 0);

	if (item) {
		run_begin(s, c, item);
		return;
	}
	s->running--;
	s->result->busy_ps += c->clock - c->run_since;
	idle_search(s, c);
}

void run_step(struct sim *s, struct cpu *c)
{
	struct frame *f = c->frame, *up;
	struct task *t;

	if (!f) {
		next(s, c);
		return;
	}
	if (f->begun < f->children) {
		fork_child(s, c, f);
		return;
	}
	while (f->synced < f->children) {
		t = &f->child[f->children - 1 - f->synced];
		if (t->ended) {
			f->synced++;
			continue;
		}
		if (!t->taken && pop(s, c, item_task(t))) {
			f->synced++;
			enter_task(s, c, t, f);
			return;
		}
		/* it wakes this thread when it ends; which then looks again */
		t->waiter = f;
		s->result->parks++;
		spend(c, s->ns.park);
		c->frame = NULL;
		return;
	}
	up = f->up;
	t = f->task;
	frame_end(s, f);
	if (up)
		c->frame = up;
	else
		ended(s, c, t);
}

void run_begin(struct sim *s, struct cpu *c, uintptr_t item)
{
	if (c->state != STATE_RUN) {
		c->state = STATE_RUN;
		c->run_since = c->clock;
		if (++s->running > s->result->busy_most) {
			s->result->busy_most = s->running;
			s->result->all_busy_ps = c->clock;
		}
	}
	if (item & 1) {
		struct task *t = (struct task *)(item - 1);

		t->taken = true;
		spend(c, s->ns.start);
		enter_task(s, c, t, NULL);
	} else {
		spend(c, s->ns.park);
		c->frame = (struct frame *)item;
	}
}
