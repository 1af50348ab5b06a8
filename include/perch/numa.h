/* SPDX-License-Identifier: MIT */
/* perch/numa.h - memory and nodes. */
#ifndef PERCH_NUMA_H
#define PERCH_NUMA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What of the runtime's memory belongs to a node. */
enum perch_numa_kind {
	PERCH_NUMA_AREAS = 0,   /* of CPUs: run queues, inboxes, timers */
	PERCH_NUMA_QUEUES,      /* overflow queues; lists of whom to rob */
	PERCH_NUMA_DESCRIPTORS, /* of threads */
	PERCH_NUMA_STACKS,      /* of threads */
	PERCH_NUMA_KINDS
};

#define PERCH_NUMA_NOTE 240 /* bytes, the NUL included */

/* Pages in memory, as the kernel told. A page that was not touched yet is in none. */
struct perch_numa_pages {
	uint32_t nodes;                       /* that have memory which this process may use */
	uint32_t bound;                       /* 1: memory is bound to them; 0: see the note, or there is one only */
	uint64_t placed[PERCH_NUMA_KINDS];    /* on the node of their CPUs, or the nearest that has memory */
	uint64_t misplaced[PERCH_NUMA_KINDS]; /* on another */
	char note[PERCH_NUMA_NOTE];           /* why not bound, what the kernel refused; "" otherwise */
};

/*
 * perch_numa_verify - ask the kernel where the runtime's memory is.
 * @out: filled in; all counts are 0 where there is one node with memory, or the nodes
 *       are only described (PERCH_TOPOLOGY)
 *
 * One system call for every 128 pages of addresses that stacks and the rest may use: about
 * a millisecond for each 1,000 stacks of 64 KiB, for which the caller's CPU is not given to
 * other threads. Others may run, and touch memory, meanwhile.
 *
 * The sums are in perch_stats too, until the next call; perch_dump() and PERCH_STATS=1 ask as well.
 *
 * From any pthread. Does not switch threads. Returns 0; -EINVAL (out is NULL, or the runtime is
 * not running); -EPERM (in the child of a fork()); -ENOMEM. Where the kernel refuses to tell, the
 * note says so, and the counts are of what it had told before.
 */
int perch_numa_verify(struct perch_numa_pages *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
