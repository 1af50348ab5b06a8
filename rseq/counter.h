/* SPDX-License-Identifier: MIT */
/*
 * counter.h - counters per CPU: added to by a section, summed by reading.
 * A sum taken while others add is some value between the one before and the
 * one after. No counter is lost, wherever the caller runs.
 */
#ifndef PERCH_RSEQ_COUNTER_H
#define PERCH_RSEQ_COUNTER_H

#include "rseq/percpu.h"

/* For callers on a CPU without a processor, and for the fallback. */
extern uint64_t counter_elsewhere[PERCPU_COUNTERS];

static inline void counter_add(unsigned counter, uint64_t n)
{
	if (__builtin_expect(section_add(counter, n) != SECTION_DONE, 0))
		__atomic_fetch_add(&counter_elsewhere[counter], n, __ATOMIC_RELAXED);
}

/* Over the areas of the `n` CPUs in `cpus`. */
static inline uint64_t counter_sum(unsigned counter, const int *cpus, int n)
{
	uint64_t sum = __atomic_load_n(&counter_elsewhere[counter], __ATOMIC_ACQUIRE);

	for (int i = 0; i < n; i++)
		sum += __atomic_load_n(&percpu_of(cpus[i])->counter[counter], __ATOMIC_ACQUIRE);
	return sum;
}

#endif
