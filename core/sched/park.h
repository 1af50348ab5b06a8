/* SPDX-License-Identifier: MIT */
/*
 * park.h - the only way a thread sleeps, in two forms.
 *
 * park/unpark, for who is told by a word of its own:
 *
 * thread.park is EMPTY, NOTIFIED or PARKED:
 *
 *	           EMPTY              NOTIFIED           PARKED
 *	park       switch away, then  EMPTY, return      -
 *	           on the next stack:
 *	           PARKED, or make
 *	           ready if NOTIFIED
 *	unpark     NOTIFIED           -                  EMPTY, make ready
 *
 * One unpark before park is not lost, a second is. park may return though
 * nobody meant to wake this wait (a wake-up that came late for the last one):
 * callers loop on their condition.
 *
 *	          park   unpark
 *	park       X       -       (a thread parks only itself)
 *	unpark     -       -
 *
 * Ordering: what happened before unpark is visible after the park that it
 * ends. Progress: unpark is wait-free but for making ready.
 *
 * park_with/wake, for who waits in a queue under a lock: the waiter puts itself
 * into the queue, and park_with() lets go of the lock only once its stack has
 * been left. So whoever finds it there, finds it asleep, and needs no atomic
 * instruction to wake it: each park_with is ended by just one wake.
 *
 *	            park_with   wake
 *	park_with       X        X    (the lock that the hook releases)
 *	wake            X        X    (the same: one wake for each park_with)
 *
 * (After Go's gopark with its unlock function.)
 */
#ifndef PERCH_SCHED_PARK_H
#define PERCH_SCHED_PARK_H

#include "core/sched/foreign.h"
#include "core/sched/sched.h"
#include "core/thread/switch.h"
#include "core/thread/thread.h"
#include "rseq/inject.h"

/* Sleep until unparked. Works on any pthread. May switch threads. The result is for switch_return_as_told(). */
int park(enum park_reason reason, const void *wait_for);

/* Wake it, or let its next park return at once. From any pthread. `t` may end
 * as soon as this has taken effect; the caller must not touch it afterwards. */
void unpark(struct thread *t);

/* What a foreign pthread does in park_with() (turn.h). */
void park_foreign(struct thread *t, enum park_reason reason, const void *wait_for, switch_hook unlock, void *arg);
/* The same with an end: false when `deadline` (clock_ns) came first, which only
 * foreign pthreads do by themselves; a thread needs somebody who wakes it. */
bool park_foreign_until(switch_hook unlock, void *arg, uint64_t deadline);
void wake_foreign(struct thread *t);

/* By the one who wakes it: from here on `next` is a queue's link, and no longer
 * what it waits for. */
static inline void end_wait(struct thread *t)
{
	__atomic_store_n(&t->reason, PARK_NONE, __ATOMIC_RELAXED);
}

/* Who wakes another is counted, or known from now on. */
static inline __attribute__((always_inline)) void note_waker(void)
{
	struct worker *w = worker_self();

	if (__builtin_expect(w != NULL, 1))
		stat_add(&w->stats.unparks, 1);
	else
		foreign_note();
}

/* Wake who sleeps in park_with(). Once for each. It may end at once. */
static inline __attribute__((always_inline)) void wake(struct thread *t)
{
	inject();
	if (__builtin_expect(t->flags & THREAD_FOREIGN, 0)) {
		wake_foreign(t);
		return;
	}
	end_wait(t);
	note_waker();
	if (goes_elsewhere(t) || __builtin_expect(section_push((uintptr_t)t) != SECTION_DONE, 0))
		sched_ready_woken(t); /* which tries again, and otherwise makes room */
}

/*
 * The same where a signal handler may be, which may have interrupted anything, on any pthread. It
 * takes no lock that its pthread may hold: where wake() would, the thread goes into an inbox.
 * Sections are no matter: the kernel aborts one that a signal cuts.
 */
void wake_in_handler(struct thread *t);

/* The same, behind those who are ready. */
void wake_last(struct thread *t);

#endif
