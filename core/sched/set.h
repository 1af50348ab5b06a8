/* SPDX-License-Identifier: MIT */
/*
 * set.h - the set of processors: all that there have been since the start. It
 * only grows. A processor that is taken out of use stays in it, retired: what
 * lies in its queues is then everybody's, like an overflow queue, and its timers
 * are seen to by whoever makes a fair round (next.c). So nothing need be
 * moved, and whoever looks everywhere looks there too.
 *
 *	         look  add     `sched.set` and each processor's `victims` are replaced
 *	look      -     -      whole, and what they were is kept until the runtime
 *	add       -     X      stops: no reader is waited for, not even one that is
 *	                       stuck. There are as many as CPUs at most.
 */
#ifndef PERCH_SCHED_SET_H
#define PERCH_SCHED_SET_H

#include <stdint.h>

#include <numa.h>

struct nodes;
struct processor;

/* What there was is `older`; replaced whole, never changed in place. */
struct processor_set {
	struct processor_set *older;
	struct nodes *nodes; /* they are on (nodes.h) */
	unsigned count;
	struct processor *processor[];
};

/* Whom a processor robs, tiers (numa/tier.h) ascending: all of the set but itself. On
 * its node. */
struct victim {
	struct processor *processor;
	int tier;                /* far just if it is of another node than the robber */
	unsigned begin, of_tier; /* where its tier begins, and how many it has */
};

struct victims {
	unsigned count;
	struct victim victim[];
};

/* Of sched.policy, which is set before. The first `count` of the allowed CPUs get a processor each, with so many seats
 * together. 0 or -errno. */
int set_start(const struct bitmask *allowed, unsigned count, unsigned seats);
void set_stop(void);

/* By the monitor: processors for those of `cpus` that have none yet, retired. With
 * -errno there are none. */
int set_add(const struct bitmask *cpus, unsigned seats_each);

/* An active one; which one is by chance, or in turn. */
struct processor *set_choose(uint64_t chance);

#endif
