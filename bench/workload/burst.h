/* SPDX-License-Identifier: MIT */
/*
 * burst.h - so many threads are created, each yields once, all are joined; again and again. What
 * the backend is asked to do, and what it did; the checks are shared (burst.c).
 */
#ifndef BENCH_WORKLOAD_BURST_H
#define BENCH_WORKLOAD_BURST_H

#include <stdint.h>
#include <stdlib.h>

/* What one thread of each burst counts: when it has begun, and when its yield has returned. */
struct burst_thread {
	uint32_t begun, back;
};

struct burst {
	size_t at_once, bursts;
	struct burst_thread *thread; /* at_once of them, all zero */
	size_t joined;               /* that returned their burst_thread */
	/* Yields by the runtime's own count, for a backend that has one and one worker only: at
	 * least so many were to be counted. */
	uint64_t yields, yields_least;
	uint64_t ns;
};

#endif
