/* SPDX-License-Identifier: MIT */
/*
 * range.h - the addresses of all objects that belong to a size class. One range is
 * reserved once and kept; each class has a part of it, a power of two, so that the class of an
 * object follows from its address without a look at any memory. A part is used from below,
 * in chunks, each of which belongs to a group of CPUs (core/thread/group.h); objects
 * are cut from a chunk's start on, so that those of a class that is a multiple of a power of two
 * are aligned to it.
 *
 * Of each chunk there is a note, found by its number: whose it is, and how many objects in
 * each of its pages are parked (depot.h).
 */
#ifndef PERCH_ALLOC_RANGE_H
#define PERCH_ALLOC_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/alloc/class.h"

#define CHUNK_SHIFT 18
#define CHUNK ((size_t)1 << CHUNK_SHIFT)
#define PAGE_LEAST 4096 /* pages are as large, or larger */

struct chunk {
	uint16_t parked[CHUNK / PAGE_LEAST];
	uint8_t group;
} __attribute__((aligned(64)));

struct alloc_range {
	uintptr_t base;
	/* What lies so far from the base at most is given back without a look at whose it is:
	 * all of the range, or none of it. */
	size_t near;
	unsigned shift; /* of a class's part */
	unsigned page_shift;
	size_t size;
	struct chunk *chunk;
	bool grouped;               /* some chunk is not of group 0 */
	uint32_t capacity[CLASSES]; /* class_capacity() */
} __attribute__((aligned(64)));

extern struct alloc_range alloc_range;

/* Once. When no addresses are to be had nothing is in the range, and every object is a large one. */
void range_start(void);

static inline bool range_has(const void *p)
{
	return (uintptr_t)p - alloc_range.base < alloc_range.size;
}

/* The object, or an address within it, is in the range. */
static inline size_t range_class(const void *p)
{
	return (((uintptr_t)p - alloc_range.base) >> alloc_range.shift);
}

static inline struct chunk *range_chunk(const void *p)
{
	return &alloc_range.chunk[((uintptr_t)p - alloc_range.base) >> CHUNK_SHIFT];
}

/* An address in the range at which an object may begin. */
bool range_is_object(const void *p);

/* What is cut from a class's part next: some chunks in a row, that may be written to from now on.
 * *size: how much is wanted, a multiple of CHUNK; what was had, maybe less. NULL: nothing. */
char *range_take(unsigned class, uint32_t group, size_t *size);

/* Taken so far, of all classes. */
size_t range_taken(void);

/* Around a fork(). */
void range_lock(void);
void range_unlock(void);

#endif
