/* SPDX-License-Identifier: MIT */
/* random.h - splitmix64: the same numbers on every machine. */
#ifndef BENCH_WORKLOAD_RANDOM_H
#define BENCH_WORKLOAD_RANDOM_H

#include <stdint.h>

static inline uint64_t random_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static inline uint64_t random_next(uint64_t *state)
{
	return random_mix(*state += 0x9e3779b97f4a7c15u);
}

#endif
