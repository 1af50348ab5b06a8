/* SPDX-License-Identifier: MIT */
#include "bench/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/arguments.h"
#include "bench/report.h"
#include "bench/spawn.h"

static void progress(const struct job *job, const struct run *run, int round)
{
	/* a guest's console is a terminal too, but one that goes into a file */
	if (!isatty(STDERR_FILENO) || !getenv("TERM"))
		return;
	if (!run) {
		fprintf(stderr, "\r\033[K");
		return;
	}
	fprintf(stderr, "\r\033[K[%d/%d] %lds  %s %s: %s, %u workers, run %d of %d", job->done + 1, job->runs,
		(long)(time(NULL) - job->start), run->bench_case->workload, run->bench_case->name, run->backend,
		run->workers, round + 1, job->repeat);
	fflush(stderr);
}

static void publish(struct job *job, const struct run *run, int runs)
{
	if (!job->to_json && !job->quiet)
		report_table_case(stdout, run, runs);
	if (job->table)
		report_table_case(job->table, run, runs);
	for (int i = 0; i < runs; i++) {
		if (job->to_json && !job->quiet)
			report_json(stdout, &run[i]);
		if (job->to_json && *run[i].skipped)
			fprintf(stderr, "%s: %s %s: %s, %u workers: skipped: %s\n", program_name,
				run[i].bench_case->workload, run[i].bench_case->name, run[i].backend, run[i].workers,
				run[i].skipped);
		if (job->json)
			report_json(job->json, &run[i]);
	}
	fflush(stdout);
}

void job_case(struct job *job, struct run *run, int runs)
{
	for (int round = 0; round < job->repeat; round++)
		for (int i = 0; i < runs; i++) {
			progress(job, &run[i], round);
			job->done++;
			/* no use in failing again */
			if (!*run[i].error && !*run[i].skipped)
				spawn_run(&run[i]);
		}
	progress(job, NULL, 0);
	for (int i = 0; i < runs; i++) {
		run_settle(&run[i]);
		job->wrong |= !run[i].verified;
	}
	publish(job, run, runs);
	for (int i = 0; i < runs; i++)
		run_free(&run[i]);
}

static FILE *open_result(const char *directory, const char *name)
{
	char *path;
	FILE *f;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return NULL;
	f = fopen(path, "we");
	if (!f)
		fprintf(stderr, "%s: --output: %s: %s\n", program_name, path, strerror(errno));
	free(path);
	return f;
}

static int close_result(FILE *f, const char *name)
{
	int failed;

	if (!f)
		return 0;
	failed = ferror(f);
	if (fflush(f) || (f != stdout && fclose(f)) || failed) {
		fprintf(stderr, "%s: %s: cannot be written: %s\n", program_name, name, strerror(errno));
		return -1;
	}
	return 0;
}

int job_open(struct job *job, const char *directory)
{
	if (!directory)
		return 0;
	job->json = open_result(directory, "results.json");
	job->table = open_result(directory, "table.txt");
	return job->json && job->table ? 0 : -EIO;
}

void job_begin(struct job *job)
{
	job->start = time(NULL);
	if (!job->to_json && !job->quiet)
		report_table_head(stdout, job->repeat);
	if (job->table)
		report_table_head(job->table, job->repeat);
}

int job_close(struct job *job)
{
	int r = close_result(stdout, "standard output");

	r |= close_result(job->json, "results.json");
	r |= close_result(job->table, "table.txt");
	if (job->wrong)
		fprintf(stderr, "%s: NOT everything is verified; see above\n", program_name);
	return r;
}
