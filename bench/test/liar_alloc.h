/* SPDX-License-Identifier: MIT */
/* liar_alloc.h - an allocator that at times gives the same memory to two. */
#ifndef BENCH_TEST_LIAR_ALLOC_H
#define BENCH_TEST_LIAR_ALLOC_H

#include "bench/workload/alloc.h"

int liar_pairs(struct alloc_pairs *a);
int liar_handover(struct alloc_handover *h);
int liar_larson(struct alloc_larson *l);

#endif
