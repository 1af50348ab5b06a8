/* SPDX-License-Identifier: MIT */
/* figures.h - which pictures the results of one machine make. */
#ifndef BENCH_NUMA_FIGURES_H
#define BENCH_NUMA_FIGURES_H

#include "bench/numa/chart.h"

/*
 * Make each picture of the results that are of `machine`, and give it to draw();
 * its file is "PREFIX-NAME". Stops at the first that draw() does not return 0 for.
 * 0, -ENOMEM, what chart_cell() said, or what draw() returned.
 */
int figures_make(const struct rows *rows, const struct row *machine, const char *prefix,
		 int (*draw)(void *arg, const struct chart *chart), void *arg);

#endif
