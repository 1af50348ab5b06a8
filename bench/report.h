/* SPDX-License-Identifier: MIT */
/* report.h - results as JSON, an object a line, and as a table to read. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "bench/result.h"

void report_json(FILE *to, const struct run *run);
void report_table_head(FILE *to, int repeat);
/* All runs of one case. */
void report_table_case(FILE *to, const struct run *run, int runs);

#endif
