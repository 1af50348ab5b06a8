/* SPDX-License-Identifier: MIT */
/*
 * nqueens.h - the board as three words: which columns, and which squares of
 * the next row by either diagonal, are under attack.
 */
#ifndef BENCH_WORKLOAD_NQUEENS_H
#define BENCH_WORKLOAD_NQUEENS_H

#include <stdint.h>

#define QUEENS_MOST 16

/* The squares of the next row that no queen attacks. */
static inline uint32_t queens_safe(uint32_t all, uint32_t columns, uint32_t left, uint32_t right)
{
	return all & ~(columns | left | right);
}

/* Solutions from here on, by plain calls: the serial backend, and below a cut-off. */
uint64_t queens_walk(uint32_t all, uint32_t columns, uint32_t left, uint32_t right);

#endif
