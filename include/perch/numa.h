/* SPDX-License-Identifier: MIT */
/*
 * perch/numa.h - memory and work on a node of a NUMA machine: the node whose CPUs
 * reach that memory fastest. Threads are aimed by perch_attr_setnode() and
 * perch_attr_setcpu() (perch/thread.h), loops by perch_for_numa() (perch/task.h).
 *
 * Nodes are the runtime's: those of the machine, or those that PERCH_TOPOLOGY
 * describes. Their numbers may be sparse. Everything here works on a machine with
 * one node too.
 */
#ifndef PERCH_NUMA_H
#define PERCH_NUMA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* None of the calls in this file switches threads or touches errno. */

/* How many nodes have a processor, in use or not; 0 while the runtime is not running. */
unsigned perch_numa_nodes(void);

/*
 * perch_numa_next - go through those nodes: the lowest that is above `node`.
 *
 *	for (int n = perch_numa_next(-1); n >= 0; n = perch_numa_next(n))
 *
 * Returns its number, or -1 when there is none (or the runtime is not running).
 */
int perch_numa_next(int node);

/* The node of the CPU that the caller runs on: a hint, since it may be moved at once.
 * -EINVAL: the runtime is not running; -ENODEV: the CPU is one that it does not know. */
int perch_numa_node(void);

/* The node of a CPU. -EINVAL: the runtime is not running, or knows no such CPU. */
int perch_numa_node_of_cpu(int cpu);

/* Processors in use on this node. -EINVAL: the runtime is not running, or no processor
 * was ever there. */
int perch_numa_procs(int node);

/*
 * perch_numa_node_of - ask the kernel on which of its nodes the page at `address` lies.
 * Works while the runtime is not running too. A system call.
 *
 * Returns the node; -ENOENT (not in memory yet: nobody has touched it), -EFAULT (nothing
 * is mapped there), -ENOSYS (a kernel without NUMA), -EPERM (a filter refuses it), or
 * another error of move_pages(2).
 */
int perch_numa_node_of(const void *address);

/* Where memory is to be, beside a node's number. */
enum {
	PERCH_NUMA_LOCAL = -1,       /* on the caller's node */
	PERCH_NUMA_INTERLEAVED = -2, /* page by page on all nodes in turn */
	PERCH_NUMA_FIRST_TOUCH = -3, /* each page on the node of who touches it first */
	PERCH_NUMA_BLOCKS = -4,      /* cut as perch_for_numa() cuts a range, each part on the node of its block */
};

/*
 * perch_numa_alloc - memory for large data: whole pages, filled with zeros.
 * @memory: where its address goes; a multiple of the page size
 * @size:   in bytes, not 0; rounded up to whole pages
 * @where:  a node's number, or one of the above
 *
 * Pages take memory when they are first touched, by whomever. A node that is full is
 * helped out by the next nearest, rather than the process being killed, and one without
 * memory by the nearest that has some. Small pages are used where a huge one would put
 * too much of the data on one node (fewer than 16 for each processor).
 *
 * PERCH_NUMA_BLOCKS is for an array that loops over its indices go through by
 * perch_for_numa(): the i-th of n equal parts of the pages is where the i-th of n equal parts
 * of the indices runs, with the processors that are in use now. By first touch a page stays where
 * it was if another node helped in the loop that wrote it first.
 *
 * Where memory cannot be placed (a kernel without NUMA, a described machine whose nodes
 * the kernel does not have) this is ordinary memory; where a filter refuses it, that is
 * said once on stderr too.
 *
 * Returns 0; -EINVAL (a NULL pointer, no such node, no memory there that the process
 * may use, or the runtime is not running), -ENOMEM, -EPERM (in the child of a fork()).
 * *memory is untouched then.
 */
int perch_numa_alloc(void **memory, size_t size, int where);

/*
 * perch_numa_free - give memory back.
 * @size: as it was asked for
 *
 * At any time, after perch_stop() too. Returns 0, also when memory is NULL; -EINVAL (not
 * an address that perch_numa_alloc() gives, or size is 0).
 */
int perch_numa_free(void *memory, size_t size);

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
