/* SPDX-License-Identifier: MIT */
/*
 * periodic.h - many timers that are due again and again. What the backend is asked to do, and
 * what each timer notes of its calls; the checks are shared (periodic.c).
 */
#ifndef BENCH_WORKLOAD_PERIODIC_H
#define BENCH_WORKLOAD_PERIODIC_H

#include <stddef.h>
#include <stdint.h>

struct periodic;

struct ticker {
	struct periodic *all;
	uint64_t armed_ns;   /* when: the k-th call is due k periods later */
	uint64_t last_ns;    /* its last call */
	uint64_t longest_ns; /* between two calls */
	uint64_t calls, early;
};

struct periodic {
	size_t timers;
	uint64_t period_ns, for_ns;
	struct ticker *ticker;
	/* While they are counted; the backend calls periodic_begin() when all are armed. */
	uint64_t begin_ns, end_ns;
};

/* Before a timer is armed. */
void ticker_arm(struct ticker *t);
/* A call of the timer. */
void ticker_call(struct ticker *t);
/* All timers are armed: what comes from now on for for_ns is counted. */
void periodic_begin(struct periodic *p);

#endif
