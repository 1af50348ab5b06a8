/* SPDX-License-Identifier: MIT */
/* perch_blocks.h - threads that keep a CPU from the others (block.h). */
#ifndef BENCH_BACKEND_PERCH_BLOCKS_H
#define BENCH_BACKEND_PERCH_BLOCKS_H

#include "bench/workload/block.h"

int perch_bench_calls(struct calls *c);
int perch_bench_baton(struct baton *b);
int perch_bench_beside(struct beside *b);

#endif
