/* SPDX-License-Identifier: MIT */
/* runner.c - every backend on the workloads that are asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/job.h"
#include "bench/options.h"
#include "bench/spawn.h"

/* The runs of a case: each backend with each number of workers it takes. */
static int plan(const struct options *o, const struct bench_case *c, struct run *run)
{
	bool one = case_one_worker(c);
	int runs = 0;

	for (int b = 0; b < BACKENDS; b++) {
		const struct backend_info *info = &backend_infos[b];
		bool wanted = o->backend[b] && (o->backend_named || backend_runs(info, c->workload));
		bool once = one || !strcmp(info->name, "serial");

		for (int w = 0; wanted && w < (once ? 1 : o->common.workers_listed); w++) {
			struct run *r = &run[runs++];

			memset(r, 0, sizeof(*r));
			r->backend = info->name;
			r->program = info->program;
			r->preload = info->preload;
			r->bench_case = c;
			r->workers = once ? 1 : o->common.workers[w];
			r->verified = true;
			r->room = o->common.repeat;
			if (info->variant)
				r->extra[r->extras++] = info->variant;
			if (o->file)
				r->extra[r->extras++] = o->file;
		}
	}
	return runs;
}

static bool of_workload(const struct bench_case *c, const struct options *o, int workload)
{
	return c->size == o->common.size && !strcmp(c->workload, o->workload[workload]->name);
}

/* Count the runs of all cases, or run them. */
static void all_cases(struct job *job, const struct options *o, bool count)
{
	static struct run run[BACKENDS * WORKERS_LISTED_MOST];

	for (int w = 0; w < o->workloads; w++)
		for (size_t c = 0; c < bench_case_count; c++) {
			int runs;

			if (!of_workload(&bench_cases[c], o, w))
				continue;
			runs = plan(o, &bench_cases[c], run);
			if (count)
				job->runs += runs * o->common.repeat;
			else
				job_case(job, run, runs);
		}
}

int main(int argc, char **argv)
{
	struct options o;
	struct job job = {0};
	int r;

	if (options_parse(&o, argc, argv))
		return 2;
	if (o.common.help || o.common.list) {
		if (o.common.help)
			options_help();
		if (o.common.list)
			options_list();
		return job_close(&job) ? 1 : 0;
	}
	r = spawn_find_backends("");
	if (r) {
		fprintf(stderr, "bench: cannot tell where this program is: %s\n", strerror(-r));
		return 1;
	}
#ifndef NDEBUG
	fprintf(stderr, "bench: built without -c opt: the figures of perch are those of a debug build\n");
#endif
	job.repeat = o.common.repeat;
	job.to_json = o.common.json;
	if (job_open(&job, o.common.output))
		return 2;
	all_cases(&job, &o, true);
	job_begin(&job);
	all_cases(&job, &o, false);
	r = job_close(&job);
	return job.wrong || r ? 1 : 0;
}
