/* SPDX-License-Identifier: MIT */
/* stress_worker.h - what one worker of the stress test does: every operation, at random. */
#ifndef PERCH_TESTS_RSEQ_STRESS_WORKER_H
#define PERCH_TESTS_RSEQ_STRESS_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/rseq/stress_item.h"

/* What happened, counted. The names are printed as they stand. */
/* a table */
/* clang-format off */
#define STRESS_COUNTS(X) \
	X(pushed) X(popped) X(joined) X(published) X(taken_back) X(steals) X(stolen) X(asked) X(answered) \
	X(forced_reveals) X(forced_fair) X(force_refused) X(fair_pushed) X(fair_popped) X(empty) X(full) X(fair_full) \
	X(frozen) X(not_here) X(inherited) X(inherited_fair) X(counted) X(signals) X(cuts)
/* clang-format on */

enum stress_count {
#define STRESS_COUNT_ENUM(name) COUNT_##name,
	STRESS_COUNTS(STRESS_COUNT_ENUM) COUNTS
};

struct worker {
	pthread_t pthread;
	pid_t tid; /* 0 until it runs */
	int cpu;   /* it is pinned there; -1: it is moved about */
	uint64_t random;
	uint64_t operations;
	uint64_t count[COUNTS];
	struct hoard hoard;
	uintptr_t batch[RING_CAPACITY];
};

/* What all workers of a round share. */
struct stress_floor {
	const int *cpus;
	unsigned n_cpus;
	const int *producers_cpu; /* by worker; -1: any */
	unsigned signal_hz;       /* 0: no timer signals */
	bool stop;                /* the round is over */
};

extern struct stress_floor stress_floor;

static inline uint64_t stress_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x >> 16; /* the low bits are the weak ones */
}

/* The body of a worker's pthread, until the round is over. */
void *worker_run(void *worker);

#endif
