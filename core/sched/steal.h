/* SPDX-License-Identifier: MIT */
/*
 * steal.h - getting work from other CPUs: take what is shared, ask for more,
 * force at last.
 *
 * Asking costs the victim a cache miss at its next push or pop; forcing costs
 * it an interrupt (4-10 us in a VM) and is for owners that compute for long.
 * So a victim is asked first, forced when it has not answered for ASK_NS, and
 * not more often than every FORCE_NS.
 */
#ifndef PERCH_SCHED_STEAL_H
#define PERCH_SCHED_STEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/sched/worker.h"

/* State of one search, over its rounds. */
struct steal_search {
	uint64_t began; /* ns */
	bool force;     /* asked long enough ago */
};

/*
 * One round over all victims, nearest first. Returns an item to run, 0 when
 * there was none; what else was taken is in this CPU's queue.
 */
uintptr_t steal_round(struct worker *w, struct steal_search *search);

/* What is left in the queues of processors that are out of use: an item to run, or 0. */
uintptr_t steal_left(struct worker *w);

#endif
