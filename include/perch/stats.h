/* SPDX-License-Identifier: MIT */
/* perch/stats.h - what the scheduler did, counted. */
#ifndef PERCH_STATS_H
#define PERCH_STATS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * How far away a CPU is from which something is stolen, as the thief sees it: 0 the same core,
 * 1 the same last-level cache, 2 the same node, 3 the nearest other node (or nodes), and so on by
 * distance; the last has all that are farther.
 */
#define PERCH_TIERS 8

/* Sums over all workers since perch_start(). Read while others run, the
 * fields may be a moment apart from each other. Times in nanoseconds. */
struct perch_stats {
	uint64_t spawned;        /* threads created */
	uint64_t finished;       /* threads that ended */
	uint64_t carried;        /* tasks that ran on a stack of their own */
	uint64_t switches;       /* from thread to thread */
	uint64_t yields;         /* calls of perch_yield that switched */
	uint64_t parks;          /* times a thread went to sleep */
	uint64_t unparks;        /* times a thread was woken */
	uint64_t steals;         /* takings from another CPU's queue */
	uint64_t stolen;         /* threads and tasks so taken */
	uint64_t asked;          /* requests left at a busy CPU */
	uint64_t asked_steals;   /* steals from what a victim had revealed */
	uint64_t asked_steal_ns; /* time in those */
	uint64_t forced;         /* forced reveals */
	uint64_t forced_ns;      /* time in those, the barrier included */
	uint64_t reveals;        /* times an owner answered a request */
	uint64_t spilled;        /* items moved to an overflow queue */
	uint64_t barriers;       /* membarriers paid before a sleep */
	uint64_t sleeps;         /* times a worker slept in the kernel */
	uint64_t wakes;          /* times a sleeping worker was woken */
	/* perch/block.h: */
	uint64_t handoffs;         /* times a CPU was given from a worker that was stuck to a spare one */
	uint64_t handoffs_undone;  /* times it was taken back, since the spare one had nothing to run */
	uint64_t handoffs_queued;  /* times a thread had to wait after a marked call */
	uint64_t handoffs_refused; /* times that no spare worker was to be had */
	uint64_t spares;           /* pthreads made for that, so far */
	uint64_t stacks;           /* stacks that exist now */
	uint64_t stack_bytes;      /* addresses reserved for them */
	/* steals, and stolen, by how far away the other CPU was */
	uint64_t steals_by_tier[PERCH_TIERS];
	uint64_t stolen_by_tier[PERCH_TIERS];
	/* on machines with several nodes, of threads that were woken from a node other than their stack's: */
	uint64_t wakes_home;   /* left for a processor of their own node */
	uint64_t wakes_across; /* queued where they were woken */
	/* perch/numa.h, when the kernel was last asked: */
	uint64_t pages_placed;    /* in memory, on the node where they belong */
	uint64_t pages_misplaced; /* in memory, on another */
	/* perch/alloc.h; since the process began: */
	uint64_t alloc_bytes;       /* addresses that are in use for objects of some size, the large ones' aside */
	uint64_t alloc_free;        /* bytes of objects in depots: given back, and on no CPU's list */
	uint64_t alloc_returned;    /* bytes given back to the system, so far */
	uint64_t alloc_large;       /* objects with a mapping of their own */
	uint64_t alloc_large_bytes; /* mapped for them */
	uint64_t alloc_refills;     /* times that some objects came from a depot */
	uint64_t alloc_flushes;     /* times that some went there */
	uint64_t alloc_sent_home;   /* objects that were freed on another node's CPU, and went to their depots */
};

/* Fill *out. Returns 0, or -EINVAL (out is NULL, or the runtime is not
 * running). Does not switch threads. */
int perch_stats_get(struct perch_stats *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
