/* SPDX-License-Identifier: MIT */
/*
 * home.h - on which node a thread runs, and on which its memory is, asked of the
 * kernel each time: what a runtime says of itself is no evidence.
 */
#ifndef BENCH_WORKLOAD_HOME_H
#define BENCH_WORKLOAD_HOME_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The nodes are only described (PERCH_TOPOLOGY): CPU i is on the i-th node of
 * this list, "0,0,1,1"; a CPU beyond it on none, which is -1, as is "-1" in it.
 * 0; -EINVAL; -ENOMEM.
 */
int home_describe(const char *cpu_nodes);
/* Memory cannot be on nodes that are only described. */
bool home_described(void);

/* The node of the CPU that the caller runs on now. */
int home_here(void);

/*
 * The node of each page, -1 for one that is not in memory. All 0 on a kernel
 * without NUMA. 0 or -errno.
 */
int home_of_pages(void *const *pages, size_t n, int *nodes);

#endif
