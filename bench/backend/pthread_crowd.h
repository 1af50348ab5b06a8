/* SPDX-License-Identifier: MIT */
/* pthread_crowd.h - workloads about pthreads themselves: flat, yield, burst, mem, placement. */
#ifndef BENCH_BACKEND_PTHREAD_CROWD_H
#define BENCH_BACKEND_PTHREAD_CROWD_H

#include "bench/backend/backend.h"

/* Alive at the same time; the machine's limit is near 32,000. */
#define PTHREAD_FLAT_AT_ONCE 10000

size_t pthread_flat(size_t n);
uint64_t pthread_yield_pair(size_t n, uint64_t *ns);
int pthread_burst(struct burst *b);
int pthread_parked(struct crowd *c);
int pthread_placement(struct placement *p);

#endif
