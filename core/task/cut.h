/* SPDX-License-Identifier: MIT */
/*
 * cut.h - how a range is cut by node: a part for each processor in use, in the order of
 * nodes, then of CPUs. The same range and the same processors give the same parts, so a
 * loop finds what was put there for it.
 */
#ifndef PERCH_TASK_CUT_H
#define PERCH_TASK_CUT_H

#include <stddef.h>

struct processor;
struct processor_set;

/* Those that are in use now, as far as one look tells; at least one. There is room in `out` for all. */
unsigned cut_processors(const struct processor_set *set, struct processor **out);

/* The beginning of the i-th of n parts: they differ by one at most. */
static inline size_t cut_part(size_t length, unsigned i, unsigned n)
{
	return length / n * i + (size_t)((__extension__(unsigned __int128)(length % n) * i) / n);
}

#endif
