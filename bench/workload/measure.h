/* SPDX-License-Identifier: MIT */
/*
 * measure.h - one measurement: a workload's case on a backend with so many
 * workers, timed, verified and written out as raw JSON, an object a line.
 */
#ifndef BENCH_WORKLOAD_MEASURE_H
#define BENCH_WORKLOAD_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/backend/backend.h"
#include "bench/workload/catalogue.h"

struct measurement {
	const struct backend *backend;
	const struct bench_case *bench_case;
	size_t n; /* the case's n for this backend */
	unsigned workers;
	const char *file;    /* --file, or NULL */
	const char *variant; /* --variant, or NULL: the backend in another form */
	/* For the experiments of bench/numa, each NULL or false when not given: */
	const char *steal;     /* --steal: by which policy perch steals */
	const char *cpu_nodes; /* --cpu-nodes: the node of each CPU, where they are only described (home.h) */
	bool tiers;            /* --tiers: count steals by tier */
	const char *note;      /* the backend's own words, after params; or NULL */
	char params[256];
	bool verified;
};

/* One for each workload. 0, or -errno after a message on stderr. */
int measure_fib(struct measurement *m);
int measure_nqueens(struct measurement *m);
int measure_uts(struct measurement *m);
int measure_sort(struct measurement *m);
int measure_burst(struct measurement *m);
int measure_flat(struct measurement *m);
int measure_yield(struct measurement *m);
int measure_mem(struct measurement *m);
int measure_pingpong(struct measurement *m);
int measure_mutex(struct measurement *m);
int measure_chan(struct measurement *m);
int measure_select(struct measurement *m);
int measure_timers(struct measurement *m);
int measure_periodic(struct measurement *m); /* a case of timers */
int measure_wake(struct measurement *m);
int measure_echo(struct measurement *m);
int measure_block(struct measurement *m);
int measure_triad(struct measurement *m);
int measure_jacobi(struct measurement *m);
int measure_placement(struct measurement *m);
int measure_alloc(struct measurement *m);

/* Add words to m->params, as printf. */
void params_add(struct measurement *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something came out wrong: say what, as printf, and remember. */
void measure_wrong(struct measurement *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Time once(arg) inside the backend's runtime. What is short is run until
 * TIMED_LEAST_NS have passed, after one run that is not timed.
 * Returns 0 and the mean of a run in *ns; or -errno after a message.
 */
#define TIMED_LEAST_NS UINT64_C(50000000)
int measure_time(struct measurement *m, void (*once)(void *arg), void *arg, double *ns);

/* Run fn(arg) once inside the backend's runtime; *result is what it left there,
 * 0 or -errno. Returns it, after a message when it is not 0. */
int measure_inside(struct measurement *m, void (*fn)(void *arg), void *arg, const int *result);

/* better: "lower" or "higher". */
void measure_emit(const struct measurement *m, const char *metric, const char *unit, const char *better, double value);
/* What the runtime counted in the last measure_time(), per run. */
void measure_counters(struct measurement *m);

uint64_t now_ns(void);

/* Where the p-th percentile is among n in order. */
static inline size_t percentile(size_t n, size_t p)
{
	return (n * p + 99) / 100 - 1;
}

/* For qsort(). */
int compare_signed(const void *a, const void *b);
int compare_unsigned(const void *a, const void *b);

#endif
