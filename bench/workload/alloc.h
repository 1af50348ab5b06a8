/* SPDX-License-Identifier: MIT */
/*
 * alloc.h - objects allocated and freed: by one thread, by a producer for a consumer, and by
 * several that free each other's. What the backend is asked to do, and what it did; what its
 * threads run is in alloc_bodies.h, the checks are shared (alloc.c).
 */
#ifndef BENCH_WORKLOAD_ALLOC_H
#define BENCH_WORKLOAD_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One thread: allocate, write the first word, read it back, free. */
struct alloc_pairs {
	size_t size, n;
	uint64_t sum; /* of the words read back: 1 to n */
};

/* Pointers go to the consumer so many at a time, in a ring that holds some batches. */
#define HANDOVER_BATCH 64
#define HANDOVER_RING 4096
#define HANDOVER_WORDS 8

/* A producer allocates and writes 64 bytes, a consumer reads and frees them. */
struct alloc_handover {
	size_t n; /* a multiple of HANDOVER_BATCH */
	unsigned workers;
	uint64_t *ring[HANDOVER_RING];
	/* each on a cache line of its own: objects sent, objects taken */
	uint64_t sent __attribute__((aligned(64)));
	uint64_t taken __attribute__((aligned(64)));
	uint64_t right __attribute__((aligned(64))); /* held what was sent */
	bool apart; /* begun and ended on two CPUs; asked for when there are two workers */
	uint64_t ns;
};

/* Each thread again and again puts a new object into any slot, and frees what was there. */
#define LARSON_THREADS 4
#define LARSON_SLOTS 4096
#define LARSON_LEAST 24
#define LARSON_MOST 4096

struct alloc_larson {
	size_t each;                  /* replacements of a thread */
	uint64_t *slot[LARSON_SLOTS]; /* NULL, or an object: its words, its maker, ..., its mark */
	uint64_t right;               /* freed as they were made */
	uint64_t made_by_others;      /* of those */
	uint64_t failed;              /* allocations */
	uint64_t sum;                 /* over the makers of all that were made, less that of all that were freed: 0 */
	uint64_t ns;
};

#endif
