/* SPDX-License-Identifier: MIT */
/*
 * timers.h - what shall happen at a time: a timing wheel (wheel.h) for each
 * processor, under a lock.
 *
 *	         arm   cancel   run
 *	arm       L      L       L     (L: the wheel's lock; one timer: its owner
 *	cancel    L      L       L      must not arm and cancel it at once)
 *	run       L      L       L
 *
 * A timer is armed at the processor on which that happens, may be cancelled
 * from anywhere, and is fired by whichever worker first sees that it is due:
 * one in a slow round (next.c) at its home, or one that searches for work and
 * looks everywhere. `next` is when somebody must look, to be read without the
 * lock: the earliest time, or one before it, at which a bucket is to be split.
 * Only arm() makes it earlier.
 *
 * Who sees to it that somebody looks: arm() stores `next`, then reads
 * idle.until, both sequentially consistent; a worker that goes to sleep sets its
 * bit in the mask, then reads every `next`, then stores idle.until (idle.c).
 *
 * Progress: arm and cancel are constant time; the lock is held for a batch of
 * timers at most.
 */
#ifndef PERCH_SCHED_TIMERS_H
#define PERCH_SCHED_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/sched/wheel.h"
#include "rseq/bias.h"

/* Runs in the scheduler, not in a thread: it must not switch, and not wait
 * but for a lock held for a few instructions. Its last touch of the timer is
 * timer_done(); wake whoever owns it after that. */
typedef void (*timer_fire)(struct timer *t);

enum { TIMER_IDLE = 0, TIMER_ARMED, TIMER_FIRING };

/* All that a cancel touches comes first. */
struct timer {
	struct timer *next, **link; /* what points to it */
	uint64_t when;              /* clock_ns */
	int cpu;                    /* of the processor where it was armed */
	uint32_t state;
	timer_fire fire;
};

/* Part of a processor. */
struct timers {
	struct bias_lock lock;
	uint32_t firing; /* workers that are at it */
	uint64_t next;   /* CLOCK_NEVER: no timer is armed */
	struct wheel wheel;
};

static inline void timer_init(struct timer *t, timer_fire fire)
{
	t->fire = fire;
	t->state = TIMER_IDLE;
}

/* Any pthread, while the runtime is up. The timer is idle; or this is its fire
 * function, which arms it again instead of calling timer_done(). */
void timer_arm(struct timer *t, uint64_t when);
/* Any pthread. True: it was armed, and will not fire. False: it is idle, or just
 * firing; that is not waited for, so the caller may hold what fire() waits for. */
bool timer_take(struct timer *t);
/*
 * Any pthread. True: it was armed, and will not fire. False: it had fired, or
 * was never armed; when it is just firing, this waits until that is over.
 * Afterwards the timer is idle.
 */
bool timer_cancel(struct timer *t);
static inline void timer_done(struct timer *t)
{
	__atomic_store_n(&t->state, TIMER_IDLE, __ATOMIC_RELEASE);
}

void timers_start(struct timers *timers);
/* What is still armed becomes idle. */
void timers_stop(struct timers *timers);

static inline uint64_t timers_next(const struct timers *timers)
{
	return __atomic_load_n(&timers->next, __ATOMIC_SEQ_CST);
}
/* A worker: fire what is due at `now`. True when something was fired. When there is
 * very much to sort first, `next` is still in the past on return. */
bool timers_run(struct timers *timers, uint64_t now);
/* The same at every processor. */
bool timers_run_all(uint64_t now);
/* The same at those that are out of use. */
void timers_run_retired(uint64_t now);
/* The earliest `next` of all processors; CLOCK_NEVER: no timer is armed. */
uint64_t timers_earliest(void);
/* While held nothing fires; and nothing is firing any more on return. */
void timers_hold(bool hold);

#endif
