/* SPDX-License-Identifier: MIT */
/*
 * park.h - the only way a thread sleeps.
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
 */
#ifndef PERCH_SCHED_PARK_H
#define PERCH_SCHED_PARK_H

#include "core/thread/thread.h"

/* Sleep until unparked. Works on any pthread. May switch threads. */
void park(enum park_reason reason);

/* Wake it, or let its next park return at once. From any pthread. `t` may end
 * as soon as this has taken effect; the caller must not touch it afterwards. */
void unpark(struct thread *t);

#endif
