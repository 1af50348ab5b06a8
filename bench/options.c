/* SPDX-License-Identifier: MIT */
#include "bench/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void options_help(void)
{
	printf("bench - user threads beside pthreads, OpenMP and Go, every result verified\n\n"
	       "usage: bench [WORKLOAD...] [OPTION...]\n"
	       "  no WORKLOAD: the main job: uts nqueens sort fib fib-typed, in about two minutes\n\n"
	       "  --backend=LIST   such as perch,go; --list has them all, and says which run in the\n"
	       "                   main job; default: each for the workloads that it is for\n"
	       "  --workers=LIST   how many workers, such as 1,2,4; default: 1 and the number of CPUs\n"
	       "  --repeat=N       runs of each, one of every backend in turn; default %d\n"
	       "  --size=SIZE      small, medium (default) or large\n"
	       "  --format=FORMAT  table (default), or json: one object a line\n"
	       "  --output=DIR     also write DIR/results.json and DIR/table.txt\n"
	       "  --file=PATH      the text whose lines `sort` sorts; default: generated lines\n"
	       "  --list           workloads, backends and sizes\n"
	       "  --help           this\n\n"
	       "exit status: 0 all verified; 1 a wrong result or a run that failed; 2 bad arguments\n",
	       REPEAT_DEFAULT);
}

void options_list(void)
{
	printf("workloads (* in the main job)\n");
	for (size_t i = 0; i < workload_info_count; i++) {
		const struct workload_info *w = &workload_infos[i];

		printf("  %c %-10s %s; %s\n", w->main_job ? '*' : ' ', w->name, w->what, w->metric);
		for (int size = 0; size < SIZES; size++) {
			printf("      %-7s", size_name((enum bench_size)size));
			for (size_t c = 0; c < bench_case_count; c++)
				if (bench_cases[c].size == (enum bench_size)size &&
				    !strcmp(bench_cases[c].workload, w->name)) {
					printf(" %s", bench_cases[c].name);
					if (bench_cases[c].n)
						printf("(n=%zu)", bench_cases[c].n);
				}
			printf("\n");
		}
	}
	printf("backends (* in the main job); [...]: other workloads only where the backend is named\n");
	for (int i = 0; i < BACKENDS; i++) {
		const struct backend_info *b = &backend_infos[i];

		printf("  %c %-14s %s", b->main_job ? '*' : ' ', b->name, b->what);
		if (b->only)
			printf(" [%.*s]", (int)strlen(b->only) - 2, b->only + 1);
		printf("\n");
	}
	printf("forms: params say form=tasks, threads or calls where a workload forks and joins\n");
}

static int parse_file(struct options *o, const char *argument, const char *value)
{
	struct stat st;

	char *path = argument_path(value);

	if (!*value || !path || access(path, R_OK) || stat(path, &st) || asprintf(&o->file, "--file=%s", path) < 0) {
		free(path);
		return argument_bad(argument, *value ? strerror(errno) : "no path given");
	}
	free(path);
	if (S_ISDIR(st.st_mode))
		return argument_bad(argument, "is a directory, not a text");
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return argument_bad(argument, "is empty: no lines to sort");
	return 0;
}

static int parse_option(struct options *o, const char *argument)
{
	const char *value = argument_value(argument);

	if (argument_is(argument, "--backend")) {
		o->backend_named = true;
		return argument_words(argument, value, "backend", backend_names, BACKENDS, o->backend);
	}
	if (argument_is(argument, "--file"))
		return parse_file(o, argument, value);
	return argument_common(&o->common, argument);
}

static int parse_workload(struct options *o, const char *name)
{
	const struct workload_info *w = workload_find(name);
	char message[160];
	size_t used;

	if (w) {
		for (int i = 0; i < o->workloads; i++)
			if (o->workload[i] == w)
				return argument_bad(name, "this workload is named twice");
		o->workload[o->workloads++] = w;
		return 0;
	}
	used = (size_t)snprintf(message, sizeof(message), "no such workload; there are");
	for (size_t i = 0; i < workload_info_count && used < sizeof(message); i++)
		used += (size_t)snprintf(message + used, sizeof(message) - used, " %s", workload_infos[i].name);
	return argument_bad(name, message);
}

static void defaults(struct options *o)
{
	unsigned cpus = argument_cpus();

	memset(o, 0, sizeof(*o));
	o->common.repeat = REPEAT_DEFAULT;
	o->common.size = SIZE_MEDIUM;
	o->common.workers[o->common.workers_listed++] = 1;
	if (cpus > 1)
		o->common.workers[o->common.workers_listed++] = cpus;
}

int options_parse(struct options *o, int argc, char **argv)
{
	bool sorts = false;

	defaults(o);
	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '-' ? parse_option(o, argv[i]) : parse_workload(o, argv[i]))
			return -EINVAL;
	for (int i = 0; i < BACKENDS && !o->backend_named; i++)
		o->backend[i] = o->workloads || backend_infos[i].main_job;
	if (!o->workloads)
		for (size_t i = 0; i < workload_info_count; i++)
			if (workload_infos[i].main_job)
				o->workload[o->workloads++] = &workload_infos[i];
	for (int i = 0; i < o->workloads; i++)
		sorts |= !strcmp(o->workload[i]->name, "sort");
	if (o->file && !sorts)
		return argument_bad("--file", "none of the named workloads sorts");
	return 0;
}
