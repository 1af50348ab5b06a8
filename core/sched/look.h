/* SPDX-License-Identifier: MIT */
/*
 * look.h - whether anything is there to run: as one look tells, and so that a worker may
 * rely on the answer when it goes to sleep (idle.h).
 *
 * The last look must see every push that did not tell anybody. A push looks at one word, the
 * request on its own CPU's line, and has no fence. So a request is left on every CPU, the
 * rseq membarrier is issued, and then all queues are looked at: a push that had not
 * seen the request committed before the barrier, so it is seen now; one that commits later
 * started over, and answers the request.
 *
 * Such a request *stands* until it is answered, and as long as it does nothing is pushed
 * there in silence. So where all requests still stand, nobody need be interrupted again:
 *   - on the caller's own CPU a request stands as soon as it is stored there by a section:
 *     whoever else is inside of one on this CPU has been preempted, and starts over;
 *   - whoever has taken a request, and pushes without minding others, has a full fence before
 *     he looks whether anybody searches (idle_answer()): so he sees that nobody does, or
 *     his push is seen here;
 *   - a wake that leaves a request where it is (ready_quietly()) has none. But only one who is
 *     awake does that: so all others must sleep, and nobody run a thread without a seat.
 * A thief's request does not stand: it was left without a barrier.
 *
 *	          look   push   ask    answer
 *	look        -     B      -       -       B: the barrier, or the same CPU; else single
 *	                                         sequentially consistent instructions on the request
 *
 * tests/model/idle.pml has all of it. Progress: wait-free, but for the kernel's barrier.
 */
#ifndef PERCH_SCHED_LOOK_H
#define PERCH_SCHED_LOOK_H

#include <stdbool.h>

#include "core/sched/worker.h"

/* As far as one look tells, some queue has something to run. Without what is pinned: that only
 * its worker can run, which may be blocked for long, and nobody is to search as long as that. */
bool look_anything(void);
/* ... that those at home there may take. */
bool look_anything_for(const struct processor *p);
/* Some worker has a thread pinned to it that is ready. */
bool look_anything_pinned(void);

/* The last searcher's duty, of its domain, when it counts as one no more: rule A's other half.
 * True: something is there. */
bool look_last(struct worker *w);

#endif
