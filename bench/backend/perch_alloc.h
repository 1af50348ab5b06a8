/* SPDX-License-Identifier: MIT */
/* perch_alloc.h - perch_alloc and perch_free. */
#ifndef BENCH_BACKEND_PERCH_ALLOC_H
#define BENCH_BACKEND_PERCH_ALLOC_H

#include "bench/workload/alloc.h"

int perch_bench_pairs(struct alloc_pairs *a);
int perch_bench_handover(struct alloc_handover *h);
int perch_bench_larson(struct alloc_larson *l);

#endif
