/* SPDX-License-Identifier: MIT */
/*
 * arguments.h - what the benches' command lines have in common. Errors are a
 * line on stderr that names the argument, and -EINVAL.
 */
#ifndef BENCH_ARGUMENTS_H
#define BENCH_ARGUMENTS_H

#include <stdbool.h>

#define WORKERS_LISTED_MOST 32
#define WORKERS_MOST 4096
#define REPEAT_DEFAULT 5
#define REPEAT_MOST 1000

/* What lines on stderr begin with; each program says it first. */
extern const char *program_name;

int argument_bad(const char *argument, const char *what);
/* Decimal digits only, least to most. No message. */
int argument_number(const char *text, unsigned least, unsigned most, unsigned *number);
/* "1,2,4"; the list is taken apart. */
int argument_workers(const char *argument, char *list, unsigned workers[WORKERS_LISTED_MOST], int *listed);
/*
 * "one,other": mark in chosen[i] each name that is listed; all others are unmarked.
 * @kind: what they are, for "no KIND 'x'; there are ..."
 */
int argument_words(const char *argument, char *list, const char *kind, const char *const *names, int count,
		   bool *chosen);
/* A directory that is there, or is made now, and can be written to; to be freed. */
int argument_directory(const char *argument, const char *value, char **directory);
/* `bazel run` changes directory; a relative path is meant from where the user is. NULL: no memory. */
char *argument_path(const char *path);
/* How many CPUs may be used; 1 if that cannot be told. */
unsigned argument_cpus(void);

#endif
