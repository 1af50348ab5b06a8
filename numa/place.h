/* SPDX-License-Identifier: MIT */
/*
 * place.h - memory on a node, and looking whether it got there. Neither call
 * touches errno or the memory.
 */
#ifndef PERCH_NUMA_PLACE_H
#define PERCH_NUMA_PLACE_H

#include <stdbool.h>
#include <stddef.h>

/* Node numbers are below this: the kernel's largest CONFIG_NODES_SHIFT is 10. */
#define PLACE_NODES 1024

/*
 * place_bind - pages of [start, start + size) that are touched from now on
 * come from `node`, or from the nearest to it while it is full: preferred
 * rather than strict, since running out on one node would kill the process,
 * and place_verify() shows what went elsewhere. Pages already there stay.
 * Both ends are rounded outwards to whole pages. Takes one more mapping where
 * the neighbours have another policy.
 *
 * Returns 0, also where the kernel has no NUMA and all memory is alike;
 * -EINVAL (no such node, or it has no memory), -EPERM (a filter refuses it),
 * -EFAULT (not all of it is mapped), -ENOMEM.
 */
int place_bind(void *start, size_t size, int node);

/* Fills for each node whether memory of this process may be there (cpuset.mems).
 * 0, or -errno: it is not told, and *allowed is as it was. */
int place_allowed(bool allowed[PLACE_NODES]);

/* The calling pthread has a memory policy of its own, other than "where it is first
 * touched" (numactl, set_mempolicy); children and new pthreads inherit it. */
bool place_own_policy(void);

/*
 * place_verify - count the pages that are in memory now, and how many of them
 * are on another node (*wrong).
 *
 * Returns how many pages are in memory and could be looked at; 0 where the
 * kernel has no NUMA; -EINVAL, -EPERM (a filter refuses it), -EFAULT.
 */
int place_verify(void *start, size_t size, int node, size_t *wrong);

#endif
