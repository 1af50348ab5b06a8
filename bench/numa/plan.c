/* SPDX-License-Identifier: MIT */
#include "bench/numa/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/machine.h"
#include "bench/numa/nodes.h"

#define RUNS_MOST ((size_t)WORKERS_LISTED_MOST * (POLICIES + PEERS))

static const char *const steal_arguments[POLICIES] = {"--steal=near-first", "--steal=flat", "--steal=node-only",
						      "--steal=none"};

static struct run *add(const struct plan *p, struct run *run, int *runs, const struct bench_case *c,
		       const char *backend, unsigned workers)
{
	struct run *r = &run[(*runs)++];

	r->backend = backend;
	r->bench_case = c;
	r->workers = workers;
	r->verified = true;
	r->room = p->o->common.repeat;
	if (p->cpu_nodes)
		r->extra[r->extras++] = p->cpu_nodes;
	return r;
}

/* perch by each policy with each number of workers. */
static void add_perch(const struct plan *p, struct run *run, int *runs, const struct bench_case *c)
{
	for (int w = 0; p->o->peer[0] && w < p->o->common.workers_listed; w++)
		for (int i = 0; i < POLICIES; i++) {
			struct run *r;

			if (!p->o->policy[i])
				continue;
			r = add(p, run, runs, c, "perch", p->o->common.workers[w]);
			r->policy = policy_names[i];
			r->extra[r->extras++] = steal_arguments[i];
			r->extra[r->extras++] = "--tiers";
		}
}

/* Which of the others can do it: serial only once. */
static bool is_peer(const char *workload, const char *peer)
{
	if (!strcmp(workload, "placement"))
		return !strcmp(peer, "pthread");
	return (!strcmp(workload, "triad") || !strcmp(workload, "jacobi")) && strcmp(peer, "pthread") != 0;
}

static void add_peers(const struct plan *p, struct run *run, int *runs, const struct bench_case *c)
{
	for (int i = 1; i < PEERS; i++) {
		bool once = !strcmp(peer_names[i], "serial");

		/* a loop by node is perch's */
		if (!p->o->peer[i] || !is_peer(c->workload, peer_names[i]) || case_by_node(c->name))
			continue;
		for (int w = 0; w < (once ? 1 : p->o->common.workers_listed); w++)
			add(p, run, runs, c, peer_names[i], once ? 1 : p->o->common.workers[w]);
	}
}

static int plan_workload(const struct plan *p, const char *workload)
{
	for (size_t i = 0; i < bench_case_count; i++) {
		const struct bench_case *c = &bench_cases[i];
		struct run *run;
		int runs = 0;

		if (c->size != p->o->common.size || strcmp(c->workload, workload) != 0)
			continue;
		run = calloc(RUNS_MOST, sizeof(*run));
		if (!run)
			return -ENOMEM;
		add_peers(p, run, &runs, c);
		add_perch(p, run, &runs, c);
		if (runs)
			p->each(p->arg, run, runs);
		free(run);
	}
	return 0;
}

const char *plan_no_nodes(const struct plan *p)
{
	if (p->topology->emulated)
		return "the nodes are only described, there is nothing to measure";
	if (!strcmp(machine_kind(), "real") && p->topology->nodes_present > 1 && !p->o->hardware)
		return "a real machine with several nodes, whose memory would be kept busy: say --hardware";
	return NULL;
}

/* From each node with CPUs to each with memory; a case for each pair. */
static int plan_nodes(const struct plan *p)
{
	const struct topology *t = p->topology;
	struct run *run;
	char name[32];

	if (plan_no_nodes(p))
		return 0;
	run = calloc(1, sizeof(*run));
	if (!run)
		return -ENOMEM;
	for (int from = 0; from < t->nodes; from++)
		for (int to = 0; to < t->nodes; to++) {
			struct bench_case c = {"nodes", p->o->common.size, name, 0, 0};
			int cpus = nodes_allowed_cpus(t, from), runs = 0;

			if (!cpus || !t->node[to].present || !t->node[to].memory)
				continue;
			snprintf(name, sizeof(name), "%d-%d", from, to);
			memset(run, 0, sizeof(*run));
			add(p, run, &runs, &c, "libnuma", (unsigned)cpus);
			p->each(p->arg, run, runs);
		}
	free(run);
	return 0;
}

int plan_experiment(const struct plan *p, int experiment)
{
	int r = 0;

	switch (experiment) {
	case NODES:
		return plan_nodes(p);
	case STEALS:
		r = plan_workload(p, "uts");
		if (!r)
			r = plan_workload(p, "nqueens");
		return r ? r : plan_workload(p, "fib");
	default:
		return plan_workload(p, experiment_names[experiment]);
	}
}
