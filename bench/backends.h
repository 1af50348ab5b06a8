/* SPDX-License-Identifier: MIT */
/* backends.h - what can be compared, which program runs it, and what for. */
#ifndef BENCH_BACKENDS_H
#define BENCH_BACKENDS_H

#include <stdbool.h>

#define BACKENDS 16

struct backend_info {
	const char *name;    /* as in --backend and in the results */
	const char *program; /* bench_PROGRAM; NULL: as the name */
	const char *variant; /* "--variant=..." for the program, or NULL */
	const char *preload; /* a library that is preloaded into it, or NULL */
	bool main_job;       /* runs in it, unless backends are named */
	/* The workloads for which it runs unless it is named, between spaces; NULL: all, but of alloc only
	 * perch does. */
	const char *only;
	const char *what; /* one line for --list */
};

extern const struct backend_info backend_infos[BACKENDS];
extern const char *const backend_names[BACKENDS];

/* It runs this workload although nobody named it. */
bool backend_runs(const struct backend_info *b, const char *workload);

#endif
