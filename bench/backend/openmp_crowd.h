/* SPDX-License-Identifier: MIT */
/* openmp_crowd.h - flat by tasks; yield and mem by OpenMP's threads, since its tasks can do neither. */
#ifndef BENCH_BACKEND_OPENMP_CROWD_H
#define BENCH_BACKEND_OPENMP_CROWD_H

#include "bench/backend/backend.h"

size_t openmp_flat(size_t n);
uint64_t openmp_yield_pair(size_t n, uint64_t *ns);
int openmp_parked(struct crowd *c);

#endif
