/* SPDX-License-Identifier: MIT */
/*
 * class.h - size classes: multiples of 16 bytes up to 256, then eight to each doubling
 * up to 32 KiB. Beyond 128 bytes no more than an eighth of the size asked for is lost; up to there it
 * is 15 bytes at most, since every object is aligned to 16.
 */
#ifndef PERCH_ALLOC_CLASS_H
#define PERCH_ALLOC_CLASS_H

#include <stddef.h>
#include <stdint.h>

#include "core/thread/lists.h"
#include "rseq/percpu.h"

#define CLASSES 72
#define CLASS_MOST ((size_t)32 << 10)

/* size: 1 to CLASS_MOST; of one less */
static inline unsigned class_of_last(size_t last)
{
	unsigned e;

	if (__builtin_expect(last < 256, 1))
		return (unsigned)(last >> 4);
	e = 63u - (unsigned)__builtin_clzl(last);
	return e * 8 - 48 + (unsigned)(last >> (e - 3)) % 8;
}

static inline size_t class_size(unsigned class)
{
	unsigned e = class / 8 + 6;

	return class < 16 ? ((size_t) class + 1) * 16 : ((size_t) class % 8 + 9) << (e - 3);
}

/* The most that lie on a CPU: 32 KiB of them, within bounds. */
#define LIST_MOST 256
static inline unsigned class_capacity(unsigned class)
{
	size_t n = CLASS_MOST / class_size(class) / 2 * 2;

	return n > LIST_MOST ? LIST_MOST : n < 4 ? 4 : (unsigned)n;
}

/* How many move between a CPU and a depot at once. */
#define BATCH_MOST (LIST_MOST / 2)
static inline unsigned class_batch(unsigned class)
{
	return class_capacity(class) / 2;
}

_Static_assert(LIST_OBJECT + CLASSES <= LIST_FAR_OBJECT && LIST_FAR_OBJECT < PERCPU_LISTS, "layout.h");

#endif
