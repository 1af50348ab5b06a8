/* SPDX-License-Identifier: MIT */
/*
 * sched.h - what processors and workers share, and the calls that the floors
 * above make: ready, park, unpark, yield, end.
 *
 * Items in queues are a thread's address, or a task's with PERCH_TASK_TAG.
 *
 * Order in which a worker takes what to run next (sched_next):
 *	the ring's top; then the fair queue and the inbox, in turn; then the
 *	node's overflow queue. Threads that are pinned to the worker come in every
 *	second round, while there are any. Every 61st round the inbox, the fair queue, the
 *	ring's old end and the overflow queue come first, in turn, so that no runnable
 *	thread waits for ever, whatever the others do.
 */
#ifndef PERCH_SCHED_SCHED_H
#define PERCH_SCHED_SCHED_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/sched/processor.h"
#include "core/sched/set.h"
#include "core/sched/worker.h"
#include "core/thread/switch.h"
#include "core/thread/thread.h"
#include "numa/policy.h"

#define SCHED_FAIR_ROUND 61

enum sched_state {
	SCHED_DOWN = 0,
	SCHED_UP,
	SCHED_FORKED, /* the child of a fork(): the workers are gone */
};

struct sched {
	uint32_t state; /* enum sched_state */
	uint32_t quitting;
	bool shuffle;              /* perch_config.shuffle, and there is another processor to go to */
	bool wake_home;            /* who is woken on another node goes to the one where its stack is */
	uint8_t sort_wakes;        /* shuffle, or there are several nodes: a look at who is woken */
	struct processor_set *set; /* all there have been since the start (set.h) */
	unsigned active;           /* those of them in use */
	unsigned retired;          /* those that were in use, and are not now */
	struct policy policy;      /* whom a worker robs, and when */
	struct policy_gate *gate;  /* one for each of node_slots */
	unsigned node_slots;       /* the highest node at the start, plus one */
	unsigned nodes;            /* of the machine, at the start */
	bool emulated;             /* ... which was described, not read */
	struct worker *workers;    /* room for all that may ever be; an index is never given twice */
	unsigned worker_count;     /* so far; grows, but only the monitor makes it */
	unsigned workers_most;
	unsigned seats;         /* workers that have the duty at once */
	bool crowded;           /* more seats than processors */
	sigset_t signals;       /* the mask of who started it, and so of every worker */
	char name[16];          /* of that pthread, and so of theirs */
	unsigned default_class; /* of stacks */
	uint64_t began_ns;
	uint64_t never_ran; /* detached threads for which there was no stack */
};

extern struct sched sched;

/* The runtime's age: what thread.since counts in. */
static inline uint32_t sched_age_ms(uint64_t now)
{
	return (uint32_t)((now - sched.began_ns) / 1000000u);
}

static inline unsigned sched_workers(void)
{
	return __atomic_load_n(&sched.worker_count, __ATOMIC_ACQUIRE);
}

/* Any pthread. */
static inline struct processor_set *sched_set(void)
{
	return __atomic_load_n(&sched.set, __ATOMIC_ACQUIRE);
}

/* Its node, as the scheduler counts them: one that came later may share its number with another. */
static inline unsigned sched_node(const struct processor *p)
{
	return (unsigned)p->node % sched.node_slots;
}

static inline bool sched_up(void)
{
	return __atomic_load_n(&sched.state, __ATOMIC_ACQUIRE) == SCHED_UP;
}

/* Workers are to end. */
static inline bool sched_ends(void)
{
	return __atomic_load_n(&sched.quitting, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&sched.state, __ATOMIC_RELAXED) == SCHED_FORKED;
}

/* 0 when the runtime is up; else -EINVAL, or -EPERM in the child of a fork(),
 * where it says so once. */
int sched_check(void);

/* After a switch: the pthread, and so the place of errno, may be another. */
void sched_set_errno(int value);

/* It is pinned, or all are shuffled: it does not go where others go. */
static inline __attribute__((always_inline)) bool goes_apart(const struct thread *t)
{
	return __builtin_expect((t->flags & THREAD_PINNED) | sched.shuffle, 0);
}

/* Who is woken does not, perhaps, go where it is woken; sched_ready() knows. */
static inline __attribute__((always_inline)) bool goes_elsewhere(const struct thread *t)
{
	return __builtin_expect((t->flags & THREAD_PINNED) | __atomic_load_n(&sched.sort_wakes, __ATOMIC_RELAXED), 0);
}

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
/* The same for a thread; always succeeds: it can wait in an inbox. A pinned one
 * goes to its worker, one whose stack is on another node to that node (aim.h), and while
 * threads are shuffled, any other elsewhere. */
void sched_ready(struct thread *t);
/* The same for one that is woken by a thread. */
void sched_ready_woken(struct thread *t);
/* The same, behind those who are ready. */
void sched_ready_last(struct thread *t);
/* The same for one that is not pinned, and has just come from another CPU. */
void sched_ready_here(struct thread *t);
/* The same for an item that has already been in a queue: without memory for
 * it, a task goes back to its forker. */
void sched_ready_item_always(uintptr_t item);

/* The next to run here, made ready to be switched to; NULL: nothing in reach. */
struct thread *sched_next(struct worker *w);
/* A thread that is pinned to this worker and ready, made switchable; or NULL. */
struct thread *sched_next_pinned(struct worker *w);
/* Make an item switchable: a task gets a carrier, a new thread a stack. NULL
 * when that failed and was dealt with. */
struct thread *sched_admit(uintptr_t item);

/* Leave `from` for `to`, and run hook(arg) there. Returns when `from` is
 * resumed, perhaps by another worker. */
void sched_switch(struct worker *w, struct thread *from, struct thread *to, switch_hook hook, void *arg);

/* The end of a thread's life, seen from another stack or from its own last
 * moments: after this, t may be gone. */
void sched_finish(struct thread *t);
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
/* By a worker: the older half of this CPU's fair queue, or a part of that; the caller notifies. False: nothing moved.
 */
bool spill_fair(struct worker *w);
/* One item into the overflow queue. False: no memory. */
bool spill_item(uintptr_t item);
/* Any item, the oldest first; some more go to this CPU's ring. 0: empty. */
uintptr_t spill_take(void);
bool spill_empty(void);
/* For dumps: how many queues, and what each holds. */
unsigned spill_queues(void);
uint64_t spill_length(unsigned i);
int spill_start(unsigned highest_node);
void spill_stop(void);
/* In the child of a fork(): they are empty from now on, whoever holds a lock. */
void spill_forget(void);

#endif
