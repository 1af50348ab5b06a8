/* SPDX-License-Identifier: MIT */
/*
 * messages.h - messages that say who sent them and as which of its own, so that
 * whoever takes them sees a lost, doubled or overtaken one.
 */
#ifndef BENCH_WORKLOAD_MESSAGES_H
#define BENCH_WORKLOAD_MESSAGES_H

#include "bench/workload/waits.h"

#define PRODUCERS_MOST 64
#define PRODUCER_SHIFT 56

/* number: from 1. */
static inline uint64_t message(size_t producer, uint64_t number)
{
	return (uint64_t)producer << PRODUCER_SHIFT | number;
}

/* What one consumer has taken. */
struct taken {
	uint64_t last[PRODUCERS_MOST];
	uint64_t count, sum;
	bool disordered;
};

static inline void message_take(struct taken *t, uint64_t message)
{
	size_t producer = message >> PRODUCER_SHIFT & (PRODUCERS_MOST - 1);

	t->disordered |= message <= t->last[producer];
	t->last[producer] = message;
	t->sum += message;
	t->count++;
}

/* The sum of all that are to be sent. */
static inline uint64_t messages_sum(size_t producers, size_t each)
{
	uint64_t numbers = (uint64_t)each * (each + 1) / 2, sum = 0;

	for (size_t p = 0; p < producers; p++)
		sum += numbers + each * message(p, 0);
	return sum;
}

static inline void taken_add(struct traffic *x, const struct taken *t)
{
	x->count += t->count;
	x->sum += t->sum;
	x->disordered |= t->disordered;
}

#endif
