/* SPDX-License-Identifier: MIT */
/* result.h - the samples of each metric of each run of a case, and what follows from them. */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include <stdbool.h>

#include "bench/workload/catalogue.h"

#define METRICS_MOST 40

struct metric {
	char name[40], unit[16], better[8];
	double *sample; /* as many as there is room for: repeat */
	int samples;
	double min, median, max; /* after run_settle() */
};

/* One backend with so many workers on one case. */
struct run {
	const char *backend;
	const struct bench_case *bench_case;
	unsigned workers;
	char params[256];
	char skipped[160]; /* why it was; empty: it was not */
	char error[160];   /* how it failed; empty: it did not */
	bool verified;     /* every sample so far */
	struct metric metric[METRICS_MOST];
	int metrics;
	int room; /* for samples of a metric */
};

/* Take in one line that a backend wrote. 0; -EINVAL: not what it should be. */
int run_take(struct run *run, const char *line);
void run_settle(struct run *run);
void run_free(struct run *run);

const struct metric *run_metric(const struct run *run, const char *name);

#endif
