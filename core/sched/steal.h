/* SPDX-License-Identifier: MIT */
/*
 * steal.h - getting work from other CPUs: take what is shared, ask for more,
 * force at last. Whose, and when, is the policy's (numa/policy.h): that says what a
 * round may do at each victim; this does it, and says what it saw.
 *
 * Asking costs the victim a cache miss at its next push or pop; forcing costs
 * it an interrupt (4-10 us in a VM) and is for owners that compute for long.
 * So a victim is asked first, forced when it has not answered for as long as the
 * policy wants, and not more often than every FORCE_NS.
 *
 * A worker enters its node's gate (struct policy_gate) only here, and so only while it
 * counts as a searcher (idle.h); whoever makes rounds calls policy_search_end() before it
 * stops being one. So nobody who sleeps, or runs threads, keeps others from looking far.
 *
 * Whatever the policy: what lies at a processor that is out of use, and in the overflow
 * queues (spill.c), is everybody's; and what is at a worker's own CPU is its own, even
 * when the kernel has put it on another.
 */
#ifndef PERCH_SCHED_STEAL_H
#define PERCH_SCHED_STEAL_H

#include <stdint.h>

#include "core/sched/worker.h"
#include "numa/policy.h"

/*
 * One round over all victims, nearest first. Returns an item to run, 0 when
 * there was none; what else was taken is in this CPU's queue.
 */
uintptr_t steal_round(struct worker *w, struct policy_search *search);

/* What is left in the queues of processors that are out of use: an item to run, or 0. */
uintptr_t steal_left(struct worker *w);

#endif
