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
	PERCH_NUMA_FIRST_TOUCH = -3, /* each page on the node of who touches it first, as in perch_for_numa() */
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

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
