/* SPDX-License-Identifier: MIT */
/*
 * sched.h - what processors and workers share, and the calls that the floors
 * above make: ready, park, unpark, yield, end.
 *
 * Items in queues are a thread's address, or a task's with PERCH_TASK_TAG.
 *
 * Order in which a worker takes what to run next (sched_next):
 *	the ring's top; then the fair queue and the inbox, in turn; then the
 *	node's overflow queue. Every 61st round the inbox, the fair queue, the
 *	ring's old end and the overflow queue come first, in turn, so that no runnable
 *	thread waits for ever, whatever the others do.
 */
#ifndef PERCH_SCHED_SCHED_H
#define PERCH_SCHED_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/sched/processor.h"
#include "core/sched/worker.h"
#include "core/thread/switch.h"
#include "core/thread/thread.h"

#define SCHED_FAIR_ROUND 61

enum sched_state {
	SCHED_DOWN = 0,
	SCHED_UP,
	SCHED_FORKED, /* the child of a fork(): the workers are gone */
};

/* The set of processors; replaced whole (by RCU), never changed in place. */
struct processor_set {
	unsigned count;
	struct processor *processor[];
};

struct sched {
	uint32_t state; /* enum sched_state */
	uint32_t quitting;
	struct processor_set *set; /* rcu_dereference; workers are QSBR readers */
	struct worker *workers;
	unsigned worker_count;
	bool crowded;           /* more workers than processors */
	unsigned default_class; /* of stacks */
};

extern struct sched sched;

static inline bool sched_up(void)
{
	return __atomic_load_n(&sched.state, __ATOMIC_ACQUIRE) == SCHED_UP;
}

/* 0 when the runtime is up; else -EINVAL, or -EPERM in the child of a fork(),
 * where it says so once. */
int sched_check(void);

/* The thread that runs this: a perch thread, or the stand-in of a foreign
 * pthread, which can park too. Never NULL. */
struct thread *sched_foreign_self(void);
static inline struct thread *sched_self(void)
{
	struct worker *w = worker_self();

	return w ? w->current : sched_foreign_self();
}

/*
 * Any pthread: put an item where it will be run: on top of this CPU's ring, or
 * where there is room. False only when there is no memory for it (then nothing
 * was done).
 */
bool sched_ready_item(uintptr_t item);
/* The same for a thread; always succeeds: it can wait in an inbox. */
void sched_ready(struct thread *t);
/* The same for an item that has already been in a queue: without memory for
 * it, a task goes back to its forker. */
void sched_ready_item_always(uintptr_t item);

/* The next to run here, made ready to be switched to; NULL: nothing in reach. */
struct thread *sched_next(struct worker *w);
/* Make an item switchable: a task gets a carrier, a new thread a stack. NULL
 * when that failed and was dealt with. */
struct thread *sched_admit(uintptr_t item);

/* Leave `from` for `to`, and run hook(arg) there. Returns when `from` is
 * resumed, perhaps by another worker. */
void sched_switch(struct worker *w, struct thread *from, struct thread *to, switch_hook hook, void *arg);

/* The current thread has ended with its result in t->arg: free what it held,
 * wake its joiner, go on with others. */
void sched_end(void) __attribute__((__noreturn__));

/* Yield; 0. */
int sched_yield_now(void);

/* A worker's life, on its pthread's own stack. */
void sched_loop(struct worker *w);

/* ---- spill.c: what does not fit in a ring ---- */

/* Move half of this CPU's ring to the overflow queue. False: no memory. */
bool spill_ring(struct worker *w);
/* One item into the overflow queue. False: no memory. */
bool spill_item(uintptr_t item);
/* Any item, the oldest first; some more go to this CPU's ring. 0: empty. */
uintptr_t spill_take(void);
bool spill_empty(void);
int spill_start(unsigned highest_node);
void spill_stop(void);
/* In the child of a fork(): they are empty from now on, whoever holds a lock. */
void spill_forget(void);

#endif
