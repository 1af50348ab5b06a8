/* SPDX-License-Identifier: MIT */
/*
 * inside.h - the state of a run: CPUs, their rings, and the frames of threads.
 *
 * A thread is nothing but the chain of its frames, so one that waits is known by its
 * newest. An item of a ring is a task or such a frame, told apart by the lowest bit.
 *
 * Exactness: a CPU acts at the time of its event, and acts on while its own clock is
 * not past the next event of any other. Only looks at victims that have nothing go
 * further ahead, by LOOK_AHEAD at most: whatever they could change is done at its time.
 */
#ifndef SIM_INSIDE_H
#define SIM_INSIDE_H

#include "numa/policy.h"
#include "tools/sim/queue.h"
#include "tools/sim/sim.h"

#define RING_CAPACITY 4096 /* of tasks; threads that go on find room above that */
#define RING_SLOTS ((size_t)2 * RING_CAPACITY)
#define HAUL 256 /* as core/sched/steal.c */
#define LOOK_AHEAD (500 * SIM_NS)
#define CLASSES 18

struct task {
	uint64_t node;
	struct frame *waiter; /* who has got to its sync */
	uint32_t depth;
	uint16_t home;
	bool taken, ended; /* by another than who forked it */
};

struct frame {
	struct frame *up;  /* who called it; NULL: the thread's first */
	struct task *task; /* of the thread's first: what it carries */
	uint64_t node;
	uint32_t depth, children, begun, synced;
	uint16_t home;
	uint16_t class;
	struct task child[];
};

struct ring {
	uintptr_t *slot;
	uint32_t head, split, tail; /* run on; shared: head to split, private: split to tail */
	bool request;
};

enum state { STATE_RUN, STATE_SEARCH, STATE_ASLEEP, STATE_WOKEN };

struct cpu {
	uint64_t clock;      /* ps */
	uint64_t debt;       /* interrupts, to be added when it goes on */
	uint64_t run_since;  /* STATE_RUN */
	struct frame *frame; /* STATE_RUN; NULL: it is about to take the next */
	struct ring ring;
	enum state state;
	uint32_t id;
	uint16_t node;
	struct domain *domain;
	/* a search, over its rounds */
	struct policy_search search;
	bool searching, in_round;
	unsigned at; /* how many victims have been seen in this round */
	uint64_t round_random;
	uint64_t until, spin, slept, forced;
	uint64_t random;
};

/* Those who can reach each other's work count searchers and sleepers together. */
struct domain {
	unsigned searching, sleeping, seats, first, end;
};

struct sim {
	const struct sim_setup *setup;
	struct machine *machine;
	const struct load *load;
	const struct policy *policy;
	struct costs ns;
	uint64_t miss[3]; /* by near tier, ps */
	uint64_t *far;    /* [from * nodes + to]: a line, ps */
	uint32_t *factor; /* [of * nodes + at]: work on data of a node, in 1/1024 */
	struct cpu *cpu;
	uint64_t *asleep; /* a bit for each CPU: sleeps, and nobody has chosen it */
	struct domain *domain;
	struct policy_gate *gate;
	struct queue queue;
	struct frame *free[CLASSES];
	struct task root;
	uint64_t frames; /* in use */
	unsigned running;
	bool done, failed; /* no memory */
	struct sim_result *result;
};

/* The clock goes on by so many ns. */
static inline void spend(struct cpu *c, double ns)
{
	c->clock += costs_ps(ns);
}

/* run.c: tasks. */
bool ring_push(struct sim *s, struct cpu *c, uintptr_t item);
void run_step(struct sim *s, struct cpu *c);
/* It begins with what it has taken. */
void run_begin(struct sim *s, struct cpu *c, uintptr_t item);
void run_free(struct sim *s);

/* idle.c: who searches, sleeps and is woken. */
void idle_notify(struct sim *s, struct cpu *c);
void idle_search(struct sim *s, struct cpu *c);
void idle_found(struct sim *s, struct cpu *c);
void idle_woken(struct sim *s, struct cpu *c);
/* False: it sleeps from now on. */
bool idle_step(struct sim *s, struct cpu *c);

/* steal.c: a part of a round. True: something was found, and runs. */
bool steal_some(struct sim *s, struct cpu *c);
void steal_round_begin(struct cpu *c);

static inline uintptr_t item_task(struct task *t)
{
	return (uintptr_t)t | 1;
}

static inline uint32_t ring_private(const struct ring *r)
{
	return r->tail - r->split;
}

static inline uint32_t ring_shared(const struct ring *r)
{
	return r->split - r->head;
}

static inline void ring_publish(struct ring *r)
{
	r->split += (ring_private(r) + 1) / 2;
}

#endif
