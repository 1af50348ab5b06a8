/* SPDX-License-Identifier: MIT */
/* plan.h - what each experiment runs. */
#ifndef BENCH_NUMA_PLAN_H
#define BENCH_NUMA_PLAN_H

#include "bench/numa/options.h"
#include "bench/result.h"
#include "numa/topology.h"

struct plan {
	const struct numa_options *o;
	const struct topology *topology;
	char *cpu_nodes; /* an argument for backends where the nodes are only described, or NULL */
	/* What is to be done with each case and its runs, which are zero but for what is to be run. */
	void (*each)(void *arg, struct run *run, int runs);
	void *arg;
};

/* All cases of an experiment. 0, or -ENOMEM. */
int plan_experiment(const struct plan *p, int experiment);

/* Why `nodes` is not to be run here, or NULL. */
const char *plan_no_nodes(const struct plan *p);

#endif
