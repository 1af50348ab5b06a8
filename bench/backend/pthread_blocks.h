/* SPDX-License-Identifier: MIT */
/* pthread_blocks.h - pthreads that the kernel takes a CPU from (block.h). */
#ifndef BENCH_BACKEND_PTHREAD_BLOCKS_H
#define BENCH_BACKEND_PTHREAD_BLOCKS_H

#include "bench/workload/block.h"

int pthread_baton(struct baton *b);
int pthread_beside(struct beside *b);

#endif
