/* SPDX-License-Identifier: MIT */
/* perch_crowd.h - workloads about threads themselves: flat, yield, burst, mem; and periodic timers. */
#ifndef BENCH_BACKEND_PERCH_CROWD_H
#define BENCH_BACKEND_PERCH_CROWD_H

#include "bench/backend/backend.h"

size_t perch_flat(size_t n);
uint64_t perch_yield_pair(size_t n, uint64_t *ns);
int perch_burst(struct burst *b);
int perch_periodic(struct periodic *p);
int perch_spawned(struct crowd *c);
int perch_parked(struct crowd *c);

#endif
