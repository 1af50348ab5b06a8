/* SPDX-License-Identifier: MIT */
/* options.h - what is to be run, from the command line. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>

#include "bench/arguments.h"
#include "bench/backends.h"
#include "bench/workload/catalogue.h"

struct options {
	struct common_options common;
	const struct workload_info *workload[24]; /* in the order named */
	int workloads;
	bool backend[BACKENDS], backend_named;
	char *file; /* "--file=" and the text whose lines are sorted; or NULL */
};

/* 0; or -EINVAL after a line on stderr that names the argument. */
int options_parse(struct options *o, int argc, char **argv);
void options_help(void);
void options_list(void);

#endif
