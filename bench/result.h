/* SPDX-License-Identifier: MIT */
/* result.h - the samples of each metric of each run of a case, and what follows from them. */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include <stdbool.h>

#include "bench/workload/catalogue.h"

#define METRICS_MOST 40
#define RUN_EXTRA_MOST 4

struct metric {
	char name[40], unit[16], better[8];
	double *sample; /* as many as there is room for: repeat */
	int samples;
	double min, median, max; /* after run_settle() */
};

/* One backend with so many workers on one case. */
struct run {
	const char *backend;
	const char *program; /* bench_PROGRAM; NULL: as the backend */
	const char *preload; /* a library for it, or NULL */
	const struct bench_case *bench_case;
	unsigned workers;
	const char *policy; /* by which perch steals, or NULL: no matter here */
	/* further arguments for the backend's program */
	const char *extra[RUN_EXTRA_MOST];
	int extras;
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

/*
 * The value of a key in a line that a backend, or report_json(), wrote: flat
 * objects whose strings hold neither quotes nor escapes. 0; -EINVAL: there is
 * none, of that type, that fits.
 */
int json_string(const char *line, const char *key, char *to, size_t size);
int json_number(const char *line, const char *key, double *to);

const struct metric *run_metric(const struct run *run, const char *name);

#endif
