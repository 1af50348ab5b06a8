/* SPDX-License-Identifier: MIT */
/*
 * handoff.h - who has the duty to schedule on a CPU, and giving it to another.
 *
 * A processor has seats (one, unless more workers than processors were asked
 * for). Whoever holds a seat takes threads from the CPU's queues. When a holder
 * does not come to a scheduling point, the monitor or the CPU's lookout gives its
 * seat to a spare worker, pinned to the same CPU. Nothing is taken from the one
 * that is stuck but the duty: it goes on with its thread, and its pushes and pops
 * are as right as before, since the queues belong to the CPU (design.md).
 *
 * worker.duty (with the seat, which is what its holder is taken by):
 *
 *	HOLDS -> LOST    take: by a compare-and-exchange, so just one takes it
 *	HOLDS -> SPARE   dismiss: the same, and it sleeps without work (idle.c)
 *	LOST  -> HOLDS   go on: by itself, when it took the seat back from a holder
 *	                 that has no thread to run
 *	LOST  -> SPARE   return: by itself; then it sleeps
 *	SPARE -> LOST    by itself, to run a thread that is pinned to it
 *	SPARE -> HOLDS   take: by who took it from the list, or from standby
 *	HOLDS -> LOST    empty: as take, but nobody is given the seat (resize.h)
 *
 *	           take   return  dismiss  (of one seat: by the holder's duty word;
 *	take        -       -        -     the list of spares is under a lock, which
 *	return      -       X        -     lookouts, who may starve, never take)
 *	dismiss     -       -        -
 *
 * Progress: take is lock-free but for the list. A worker that has lost its seat
 * needs nobody in order to go on with its thread.
 *
 * (Go's handoffp, with one worker more instead of a signal that preempts.)
 */
#ifndef PERCH_SCHED_HANDOFF_H
#define PERCH_SCHED_HANDOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "core/sched/processor.h"
#include "core/sched/worker.h"

/* Counted since the start. */
struct handoff_stats {
	uint64_t taken;    /* seats given to spares */
	uint64_t regained; /* seats taken back by who had lost them */
	uint64_t queued;   /* threads that had to wait, since there was no seat for their worker */
	uint64_t refused;  /* times that no spare was to be had */
};
extern struct handoff_stats handoff_stats;

void handoff_start(void);

/* Any pthread: the worker that holds it, maybe for a moment longer; NULL: the processor is
 * out of use. */
static inline struct worker *seat_holder(struct processor *p, unsigned seat)
{
	return __atomic_load_n(&p->seat[seat].holder, __ATOMIC_ACQUIRE);
}

/* Threads run without a seat, somewhere: they may yet wake others. */
bool handoff_any_lost(void);

/*
 * By the monitor: give w's seat to a spare. `spare`: one that the caller has
 * taken off the list; it goes back there when this is false: w has lost it
 * already. computing: w was not found blocked.
 */
bool handoff_take(struct worker *w, struct worker *spare, bool computing);
/* By the lookout: the same with the one on standby; false too when there is none. */
bool handoff_take_standby(struct worker *w);

/* By the monitor. One of the list, or that on standby. NULL: there is none that is at
 * home there. */
struct worker *handoff_spare(struct processor *p);
/* It is on standby then, if its processor has a lookout that lacks one; or listed. */
void handoff_spare_back(struct worker *spare);
/* See to it that there is one on standby. False: there is no spare for it. */
bool handoff_stand_by(struct processor *p);

/*
 * By the monitor: take the seat from who holds it, for good (resize.h). *was: who held
 * it, NULL when nobody did. False: another is just giving it away, try again.
 */
bool handoff_empty_seat(struct processor *p, unsigned seat, struct worker **was);
/* By the monitor: the one on standby goes back to the spares. */
void handoff_no_standby(struct processor *p);
/*
 * By the monitor: a spare of a retired processor moves to another. NULL: there is
 * none, or one of its workers is just looking at who held its seat.
 */
struct worker *handoff_move_spare(struct processor *from, struct processor *to);

/*
 * A worker that is not on duty, on its own stack: returns a thread that only it
 * can run; or NULL, when it is on duty again (*searching: and counts as a
 * searcher), or the runtime ends.
 */
struct thread *handoff_return(struct worker *w, bool *searching);
/* Something is pinned to w, and it did not sleep in the ordinary way. */
void handoff_wake_spare(struct worker *w);

/* The current thread goes on after a call that blocked, and its worker may have
 * lost its seat meanwhile. May switch threads. */
void handoff_go_on(void);

#endif
