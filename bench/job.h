/* SPDX-License-Identifier: MIT */
/*
 * job.h - runs the backends' programs, a process for each run, in turn
 * (A B C A B C ...), so that what disturbs the machine meets all of them; and
 * writes what came out.
 */
#ifndef BENCH_JOB_H
#define BENCH_JOB_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "bench/result.h"

struct job {
	int repeat;
	bool to_json; /* on stdout, else tables */
	bool quiet;   /* nothing on stdout */

	/* for job.c */
	FILE *json, *table; /* files of --output, or NULL */
	int done, runs;     /* single runs, for the progress line */
	time_t start;
	bool wrong; /* something was not verified */
};

/* Open results.json and table.txt in a directory, if one is given. 0, or -errno after a message. */
int job_open(struct job *job, const char *directory);
/* The head of the tables. */
void job_begin(struct job *job);
/* Run a case: `repeat` times each of its runs, in turn. Publishes and frees them. job->runs counts
 * what will be run in all, for the progress. */
void job_case(struct job *job, struct run *run, int runs);
/* Close. Has all of it arrived? A full disk must not look like a result. 0 or -1, after a message. */
int job_close(struct job *job);

#endif
