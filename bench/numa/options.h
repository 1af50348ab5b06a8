/* SPDX-License-Identifier: MIT */
/* options.h - which experiments, from the command line. */
#ifndef BENCH_NUMA_OPTIONS_H
#define BENCH_NUMA_OPTIONS_H

#include <stdbool.h>

#include "bench/arguments.h"

enum { STEALS, PLACEMENT, JACOBI, TRIAD, NODES, EXPERIMENTS };
extern const char *const experiment_names[EXPERIMENTS];

#define POLICIES 4
extern const char *const policy_names[POLICIES];

/* Of bench's; perch is first. */
#define PEERS 5
extern const char *const peer_names[PEERS];

#define FROM_MOST 16

struct numa_options {
	struct common_options common;
	bool experiment[EXPERIMENTS];
	bool policy[POLICIES], peer[PEERS];
	bool hardware;
	bool report;           /* draw pictures, and the index */
	char *from[FROM_MOST]; /* results that are there already: nothing is run */
	int froms;
};

/* 0; or -EINVAL after a line on stderr that names the argument. */
int numa_options_parse(struct numa_options *o, int argc, char **argv);
void numa_options_help(void);
void numa_options_list(void);

#endif
