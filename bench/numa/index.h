/* SPDX-License-Identifier: MIT */
/* index.h - the report: a page with the pictures and figures of each machine, apart. */
#ifndef BENCH_NUMA_INDEX_H
#define BENCH_NUMA_INDEX_H

#include "bench/numa/rows.h"

/* Draw all pictures, and write directory/index.html. 0; 1, after a message, when
 * something cannot be drawn or written, or is not verified. */
int index_write(const struct rows *rows, const char *directory);

/* -ENOENT after a message: pictures cannot be drawn. */
int index_check_gnuplot(void);

#endif
