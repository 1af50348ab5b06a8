/* SPDX-License-Identifier: MIT */
/* numa.c - the experiments on machines with several nodes, and their report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/job.h"
#include "bench/machine.h"
#include "bench/numa/index.h"
#include "bench/numa/nodes.h"
#include "bench/numa/options.h"
#include "bench/numa/plan.h"
#include "bench/numa/rows.h"
#include "bench/spawn.h"

static void count_case(void *arg, struct run *run, int runs)
{
	struct job *job = arg;

	(void)run;
	job->runs += runs * job->repeat;
}

static void run_case(void *arg, struct run *run, int runs)
{
	job_case(arg, run, runs);
}

static int each_experiment(struct plan *p, void (*each)(void *arg, struct run *run, int runs))
{
	int r = 0;

	p->each = each;
	for (int e = 0; e < EXPERIMENTS && !r; e++)
		if (p->o->experiment[e])
			r = plan_experiment(p, e);
	return r;
}

/* What was asked for by name and is not run must not look as if it had been. */
static int check_hardware(const struct plan *p)
{
	const char *why = p->o->experiment[NODES] ? plan_no_nodes(p) : NULL;

	if (p->o->hardware && strcmp(machine_kind(), "real") != 0) {
		fprintf(stderr, "%s: --hardware: this machine is not real, but %s: %s\n", program_name,
			!strcmp(machine_kind(), "VM") ? "a VM" : "emulated", machine_describe());
		return -EINVAL;
	}
	if (why)
		fprintf(stderr, "%s: nodes: skipped: %s\n", program_name, why);
	return 0;
}

/* 0 all verified, 1 not, 2 could not begin. */
static int run_planned(const struct numa_options *o, struct plan *p)
{
	struct job job = {.repeat = o->common.repeat, .to_json = o->common.json};
	int r = spawn_find_backends("..");

	if (r) {
		fprintf(stderr, "%s: cannot tell where this program is: %s\n", program_name, strerror(-r));
		return 1;
	}
	if (job_open(&job, o->common.output))
		return 2;
	p->arg = &job;
	r = each_experiment(p, count_case);
	job_begin(&job);
	if (!r)
		r = each_experiment(p, run_case);
	if (r)
		fprintf(stderr, "%s: %s\n", program_name, strerror(-r));
	if (!job.runs)
		fprintf(stderr, "%s: of what was asked for, nothing can be run\n", program_name);
	r |= job_close(&job);
	return r || job.wrong || !job.runs;
}

static int run_experiments(const struct numa_options *o)
{
	struct plan p = {.o = o};
	struct topology *t = NULL;
	int r = nodes_find(&t);

	if (r) {
		fprintf(stderr, "%s: which nodes there are cannot be told: %s\n", program_name, strerror(-r));
		return 2;
	}
	p.topology = t;
	if (t->emulated)
		p.cpu_nodes = nodes_of_cpus(t);
	if (t->emulated && !p.cpu_nodes) {
		fprintf(stderr, "%s: %s\n", program_name, strerror(ENOMEM));
		r = 1;
	} else if (check_hardware(&p))
		r = 2;
	else
		r = run_planned(o, &p);
	free(p.cpu_nodes);
	topology_free(t);
	return r;
}

static int make_report(const struct numa_options *o)
{
	struct rows rows = {0};
	char *own = NULL;
	int r = 0;

	if (!o->froms && asprintf(&own, "%s/results.json", o->common.output) < 0)
		r = -ENOMEM;
	if (own)
		r = rows_read(&rows, own);
	for (int i = 0; i < o->froms && !r; i++)
		r = rows_read(&rows, o->from[i]);
	if (!r)
		r = index_write(&rows, o->common.output);
	else
		r = 2;
	rows_free(&rows);
	free(own);
	return r;
}

int main(int argc, char **argv)
{
	struct numa_options o;
	int r = 0, drawn;

	program_name = "bench/numa";
	if (numa_options_parse(&o, argc, argv))
		return 2;
	if (o.common.help || o.common.list) {
		if (o.common.help)
			numa_options_help();
		if (o.common.list)
			numa_options_list();
		return fflush(stdout) || ferror(stdout);
	}
	if (o.report && index_check_gnuplot())
		return 2; /* before hours of measurements */
#ifndef NDEBUG
	if (!o.froms)
		fprintf(stderr, "%s: built without -c opt: the figures of perch are those of a debug build\n",
			program_name);
#endif
	if (!o.froms)
		r = run_experiments(&o);
	if (!o.report || r == 2)
		return r;
	drawn = make_report(&o);
	return drawn ? drawn : r;
}
