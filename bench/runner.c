/* SPDX-License-Identifier: MIT */
/*
 * runner.c - runs the backends' programs, a process for each run, in turn
 * (A B C A B C ...), so that what disturbs the machine meets all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/options.h"
#include "bench/report.h"
#include "bench/result.h"
#include "bench/spawn.h"

struct job {
	const struct options *o;
	FILE *json, *table; /* files of --output, or NULL */
	int done, runs;     /* single runs, for the progress line */
	time_t start;
	bool wrong;
};

static void progress(const struct job *job, const struct run *run, int round)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (!run) {
		fprintf(stderr, "\r\033[K");
		return;
	}
	fprintf(stderr, "\r\033[K[%d/%d] %lds  %s %s: %s, %u workers, run %d of %d", job->done + 1, job->runs,
		(long)(time(NULL) - job->start), run->bench_case->workload, run->bench_case->name, run->backend,
		run->workers, round + 1, job->o->repeat);
	fflush(stderr);
}

/* The runs of a case: each backend with each number of workers it takes. */
static int plan(const struct options *o, const struct bench_case *c, struct run *run)
{
	bool one = case_one_worker(c);
	int runs = 0;

	for (int b = 0; b < BACKENDS; b++) {
		bool once = one || !strcmp(backend_names[b], "serial");

		for (int w = 0; o->backend[b] && w < (once ? 1 : o->workers_listed); w++) {
			struct run *r = &run[runs++];

			memset(r, 0, sizeof(*r));
			r->backend = backend_names[b];
			r->bench_case = c;
			r->workers = once ? 1 : o->workers[w];
			r->verified = true;
			r->room = o->repeat;
		}
	}
	return runs;
}

static void publish(struct job *job, const struct run *run, int runs)
{
	if (!job->o->json)
		report_table_case(stdout, run, runs);
	if (job->table)
		report_table_case(job->table, run, runs);
	for (int i = 0; i < runs; i++) {
		if (job->o->json)
			report_json(stdout, &run[i]);
		if (job->o->json && *run[i].skipped)
			fprintf(stderr, "bench: %s %s: %s, %u workers: skipped: %s\n", run[i].bench_case->workload,
				run[i].bench_case->name, run[i].backend, run[i].workers, run[i].skipped);
		if (job->json)
			report_json(job->json, &run[i]);
	}
	fflush(stdout);
}

static void run_case(struct job *job, const struct bench_case *c)
{
	struct run run[BACKENDS * WORKERS_LISTED_MOST];
	int runs = plan(job->o, c, run);

	for (int round = 0; round < job->o->repeat; round++)
		for (int i = 0; i < runs; i++) {
			progress(job, &run[i], round);
			job->done++;
			/* no use in failing again */
			if (!*run[i].error && !*run[i].skipped)
				spawn_run(&run[i], job->o);
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

static bool of_workload(const struct bench_case *c, const struct options *o, int workload)
{
	return c->size == o->size && !strcmp(c->workload, o->workload[workload]->name);
}

static void count_runs(struct job *job)
{
	struct run run[BACKENDS * WORKERS_LISTED_MOST];

	for (int w = 0; w < job->o->workloads; w++)
		for (size_t c = 0; c < bench_case_count; c++)
			if (of_workload(&bench_cases[c], job->o, w))
				job->runs += plan(job->o, &bench_cases[c], run) * job->o->repeat;
}

static FILE *open_result(const struct options *o, const char *name)
{
	char *path;
	FILE *f;

	if (asprintf(&path, "%s/%s", o->output, name) < 0)
		return NULL;
	f = fopen(path, "we");
	if (!f)
		fprintf(stderr, "bench: --output: %s: %s\n", path, strerror(errno));
	free(path);
	return f;
}

/* Has all of it arrived? A full disk must not look like a result. */
static int close_result(FILE *f, const char *name)
{
	int failed;

	if (!f)
		return 0;
	failed = ferror(f);
	if (fflush(f) || (f != stdout && fclose(f)) || failed) {
		fprintf(stderr, "bench: %s: cannot be written: %s\n", name, strerror(errno));
		return -1;
	}
	return 0;
}

static void run_all(struct job *job)
{
	const struct options *o = job->o;

	count_runs(job);
	job->start = time(NULL);
	if (!o->json)
		report_table_head(stdout, o->repeat);
	if (job->table)
		report_table_head(job->table, o->repeat);
	for (int w = 0; w < o->workloads; w++)
		for (size_t c = 0; c < bench_case_count; c++)
			if (of_workload(&bench_cases[c], o, w))
				run_case(job, &bench_cases[c]);
}

int main(int argc, char **argv)
{
	struct options o;
	struct job job = {.o = &o};
	int r;

	if (options_parse(&o, argc, argv))
		return 2;
	if (o.help || o.list) {
		if (o.help)
			options_help();
		if (o.list)
			options_list();
		return close_result(stdout, "standard output") ? 1 : 0;
	}
	r = spawn_find_backends();
	if (r) {
		fprintf(stderr, "bench: cannot tell where this program is: %s\n", strerror(-r));
		return 1;
	}
#ifndef NDEBUG
	fprintf(stderr, "bench: built without -c opt: the figures of perch are those of a debug build\n");
#endif
	if (o.output) {
		job.json = open_result(&o, "results.json");
		job.table = open_result(&o, "table.txt");
		if (!job.json || !job.table)
			return 2;
	}
	run_all(&job);
	if (job.wrong)
		fprintf(stderr, "bench: NOT everything is verified; see above\n");
	r = close_result(stdout, "standard output");
	r |= close_result(job.json, "results.json");
	r |= close_result(job.table, "table.txt");
	return job.wrong || r ? 1 : 0;
}
