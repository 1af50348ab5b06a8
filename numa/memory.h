/* SPDX-License-Identifier: MIT */
/*
 * memory.h - memory for a program's data: mapped, and left to a node, to all of
 * them, or to whoever touches it first. place.h is what the library's own is
 * placed by. No call touches errno, or the memory.
 */
#ifndef PERCH_NUMA_MEMORY_H
#define PERCH_NUMA_MEMORY_H

#include <numa.h>
#include <stddef.h>

/* Whole pages, of zeros. 0, -EINVAL (no size), -ENOMEM. */
int memory_map(void **memory, size_t size);
/* -EINVAL: not whole pages from there on. NULL is nothing. */
int memory_unmap(void *memory, size_t size);

/*
 * From now on its pages come from all of those nodes in turn / from the node of who
 * touches them first, whatever the process' own policy is. Both take what
 * memory_map() gave.
 *
 * 0, also where the kernel has no NUMA; -EINVAL (the process may use none of these
 * nodes), -EPERM (a filter refuses it), -ENOMEM.
 */
int memory_interleave(void *memory, size_t size, const struct bitmask *nodes);
int memory_first_touch(void *memory, size_t size);

/* What a page takes, in bytes. */
size_t memory_page(void);
/* No huge pages there. */
void memory_small_pages(void *memory, size_t size);
/* What a huge page takes, in bytes; 0: there are none. Reads a file the first time. */
size_t memory_huge_page(void);

/* On which node the page is. -ENOENT: not in memory; -EFAULT, -ENOSYS, -EPERM, ... */
int memory_node(const void *address);

#endif
