/* SPDX-License-Identifier: MIT */
/* perch_numa.h - perch in what is about nodes: loops over memory, and placement. */
#ifndef BENCH_BACKEND_PERCH_NUMA_H
#define BENCH_BACKEND_PERCH_NUMA_H

#include "bench/backend/backend.h"

struct perch_config;
struct perch_stats;

int perch_bench_loop(struct memory_loop *l);
void *perch_bench_blocks_new(size_t size);
void perch_bench_blocks_free(void *start, size_t size);
int perch_bench_placement(struct placement *p);

/* The stealing policy of a name, as PERCH_STEAL takes it, into the configuration. 0; -EINVAL. */
int perch_set_policy(struct perch_config *config, const char *name);
/* Which share of the threads that were stolen came from the own node. */
void perch_report_tiers(struct measurement *m, const struct perch_stats *before, const struct perch_stats *after);

#endif
