/* SPDX-License-Identifier: MIT */
/*
 * idle.h - sleeping workers, and waking just enough of them.
 *
 * The cost of "does anybody sleep?" is on the sleeper's side. A push looks at
 * one word, the request on its own CPU's line, and has no fence; the last
 * searcher, before it sleeps, leaves a request on every CPU, issues the rseq
 * membarrier, and looks at every queue once more. A push that did not see the
 * request committed before the barrier, so the last look sees its item; one
 * that commits later started over, and sees the request.
 *
 * Rules (those of Go's scheduler, with requests in place of its fence)
 *   A. While a worker searches, nobody need be woken: it will look everywhere
 *      before it sleeps.
 *   B. A searcher that finds something, and was the last, wakes another.
 *   C. Whoever takes a request off a CPU's line publishes and calls
 *      idle_notify(). A request that is not answered stays.
 *   D. Whoever posts to an inbox or an overflow queue (they have a full fence)
 *      calls idle_notify() afterwards.
 *
 *	               sleep  notify  search
 *	sleep            -      -       -       (atomics on masks and the count)
 *
 * A woken worker counts as a searcher from the moment it was chosen.
 */
#ifndef PERCH_SCHED_IDLE_H
#define PERCH_SCHED_IDLE_H

#include <stdbool.h>

#include "core/sched/worker.h"

int idle_start(unsigned workers);
void idle_stop(void);

/* Wake one sleeper if there is one and nobody searches. */
void idle_notify(void);
/* Wake everybody (to stop). */
void idle_wake_all(void);

/* Become a searcher, unless half as many search as are busy. */
bool idle_search_begin(void);
/* No longer one. found: rule B. */
void idle_search_end(bool found);

/*
 * Sleep until there may be something to do. searching: the caller counts as a
 * searcher, and stops being one. Returns true when it counts as one afterwards.
 */
bool idle_sleep(struct worker *w, bool searching);

#endif
