/* SPDX-License-Identifier: MIT */
/*
 * arguments.h - what the benches' command lines have in common. Errors are a
 * line on stderr that names the argument, and -EINVAL.
 */
#ifndef BENCH_ARGUMENTS_H
#define BENCH_ARGUMENTS_H

#include <stdbool.h>

#include "bench/workload/catalogue.h"

#define WORKERS_LISTED_MOST 32
#define WORKERS_MOST 4096
#define REPEAT_DEFAULT 5
#define REPEAT_MOST 1000

/* What lines on stderr begin with; each program says it first. */
extern const char *program_name;

/* What all of them are told in the same way. */
struct common_options {
	unsigned workers[WORKERS_LISTED_MOST];
	int workers_listed;
	int repeat;
	enum bench_size size;
	bool json;
	bool list, help;
	char *output; /* directory, or NULL */
};

/* One of these options; any other is an error. */
int argument_common(struct common_options *o, const char *argument);

/* Is it --NAME=VALUE, for this "--NAME"? */
bool argument_is(const char *argument, const char *name);
/* What is behind its "="; NULL: it has none. */
const char *argument_value(const char *argument);

int argument_bad(const char *argument, const char *what);
/*
 * "one,other": mark in chosen[i] each name that is listed; all others are unmarked.
 * @kind: what they are, for "no KIND 'x'; there are ..."
 */
int argument_words(const char *argument, const char *value, const char *kind, const char *const *names, int count,
		   bool *chosen);
/* `bazel run` changes directory; a relative path is meant from where the user is. NULL: no memory. */
char *argument_path(const char *path);
/* How many CPUs may be used; 1 if that cannot be told. */
unsigned argument_cpus(void);

#endif
