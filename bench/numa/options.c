/* SPDX-License-Identifier: MIT */
#include "bench/numa/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NUMA_REPEAT_DEFAULT 3

const char *const experiment_names[EXPERIMENTS] = {"steals", "placement", "jacobi", "triad", "nodes"};

static const char *const experiment_what[EXPERIMENTS] = {
	"uts, nqueens, fib by stealing policy: how near the stolen threads were, and the time",
	"stacks on the node of their CPU, threads woken where their stack is",
	"a blocked 5-point stencil by policy and form of the loop, beside OpenMP",
	"STREAM's triad, the same",
	"latency and bandwidth from each node to each node's memory, over libnuma",
};

const char *const policy_names[POLICIES] = {"near-first", "flat", "node-only", "none"};
const char *const peer_names[PEERS] = {"perch", "serial", "pthread", "omp", "libomp"};

void numa_options_help(void)
{
	printf("bench/numa - what NUMA does to a scheduler, and the scheduler about it; every result verified\n\n"
	       "usage: numa [EXPERIMENT...] [OPTION...]\n"
	       "       numa report --output=DIR [EXPERIMENT...] [OPTION...]\n"
	       "       numa report --output=DIR --from=FILE...\n"
	       "  no EXPERIMENT: all: steals placement jacobi triad nodes\n"
	       "  report: also draw DIR/*.svg and DIR/*.png (by gnuplot) and write DIR/index.html;\n"
	       "          with --from of results.json files that are there, nothing is run\n\n"
	       "  --policy=LIST    of near-first,flat,node-only,none; default: all\n"
	       "  --backend=LIST   of perch,serial,pthread,omp,libomp; default: all, where they fit\n"
	       "  --workers=LIST   how many workers, such as 1,2,4; default: the number of CPUs\n"
	       "  --repeat=N       runs of each, one of every kind in turn; default %d\n"
	       "  --size=SIZE      small, medium (default) or large\n"
	       "  --format=FORMAT  table (default), or json: one object a line\n"
	       "  --output=DIR     also write DIR/results.json and DIR/table.txt\n"
	       "  --from=FILE      results.json of an earlier run; up to %d of them\n"
	       "  --hardware       `nodes` on a real machine with several nodes, whose memory it keeps\n"
	       "                   busy; refused where the machine is a VM, or emulated\n"
	       "  --list           experiments, policies and what they run in each size\n"
	       "  --help           this\n\n"
	       "Each result says whether its machine is real, a VM or emulated (PERCH_TOPOLOGY);\n"
	       "no picture shows two of these, or two machines.\n\n"
	       "exit status: 0 all verified; 1 a wrong result, a run that failed, or no picture;\n"
	       "2 bad arguments, or results that cannot be used\n",
	       NUMA_REPEAT_DEFAULT, FROM_MOST);
}

static void list_cases(const char *workload)
{
	for (int size = 0; size < SIZES; size++) {
		printf("      %-8s %-7s", workload, size_name((enum bench_size)size));
		for (size_t c = 0; c < bench_case_count; c++)
			if (bench_cases[c].size == (enum bench_size)size && !strcmp(bench_cases[c].workload, workload))
				printf(" %s", bench_cases[c].name);
		printf("\n");
	}
}

void numa_options_list(void)
{
	printf("experiments\n");
	for (int e = 0; e < EXPERIMENTS; e++) {
		printf("    %-10s %s\n", experiment_names[e], experiment_what[e]);
		if (e == STEALS) {
			list_cases("uts");
			list_cases("nqueens");
			list_cases("fib");
		} else if (e == NODES)
			printf("      pairs of nodes that this machine has\n");
		else
			list_cases(experiment_names[e]);
	}
	printf("policies\n   ");
	for (int p = 0; p < POLICIES; p++)
		printf(" %s", policy_names[p]);
	printf("\n");
}

static int parse_from(struct numa_options *o, const char *argument, const char *value)
{
	if (!*value)
		return argument_bad(argument, "no file given");
	if (o->froms == FROM_MOST)
		return argument_bad(argument, "more than 16 files");
	o->from[o->froms] = argument_path(value);
	if (!o->from[o->froms])
		return argument_bad(argument, strerror(ENOMEM));
	o->froms++;
	return 0;
}

static int parse_option(struct numa_options *o, const char *argument)
{
	const char *value = argument_value(argument);

	if (!strcmp(argument, "--hardware")) {
		o->hardware = true;
		return 0;
	}
	if (argument_is(argument, "--policy"))
		return argument_words(argument, value, "policy", policy_names, POLICIES, o->policy);
	if (argument_is(argument, "--backend"))
		return argument_words(argument, value, "backend", peer_names, PEERS, o->peer);
	if (argument_is(argument, "--from"))
		return parse_from(o, argument, value);
	return argument_common(&o->common, argument);
}

static int parse_experiment(struct numa_options *o, const char *name)
{
	if (!strcmp(name, "report")) {
		o->report = true;
		return 0;
	}
	for (int e = 0; e < EXPERIMENTS; e++)
		if (!strcmp(name, experiment_names[e])) {
			if (o->experiment[e])
				return argument_bad(name, "this experiment is named twice");
			o->experiment[e] = true;
			return 0;
		}
	return argument_bad(name, "no such experiment; there are steals placement jacobi triad nodes, and report");
}

static void defaults(struct numa_options *o)
{
	memset(o, 0, sizeof(*o));
	memset(o->policy, true, sizeof(o->policy));
	memset(o->peer, true, sizeof(o->peer));
	o->common.repeat = NUMA_REPEAT_DEFAULT;
	o->common.size = SIZE_MEDIUM;
	o->common.workers[o->common.workers_listed++] = argument_cpus();
}

int numa_options_parse(struct numa_options *o, int argc, char **argv)
{
	bool any = false;

	defaults(o);
	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '-' ? parse_option(o, argv[i]) : parse_experiment(o, argv[i]))
			return -EINVAL;
	for (int e = 0; e < EXPERIMENTS; e++)
		any |= o->experiment[e];
	if (o->report && !o->common.output && !o->common.help && !o->common.list)
		return argument_bad("report", "needs --output=DIR");
	if (o->froms && !o->report)
		return argument_bad("--from", "is for report");
	if (o->froms && any)
		return argument_bad("--from",
				    "nothing is run beside results that are there: no experiment can be named");
	if (!any)
		memset(o->experiment, true, sizeof(o->experiment));
	return 0;
}
