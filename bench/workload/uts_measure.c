/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "bench/workload/measure.h"
#include "bench/workload/uts.h"

struct uts_run {
	struct measurement *m;
	const struct uts_tree *tree;
};

static void uts_once(void *arg)
{
	struct uts_run *run = arg;
	const struct uts_totals *want = &run->tree->expected;
	struct uts_totals got = run->m->backend->uts(run->tree);

	if (got.nodes != want->nodes || got.leaves != want->leaves || got.depth != want->depth)
		measure_wrong(run->m,
			      "%" PRIu64 " nodes, %" PRIu64 " leaves, depth %" PRIu64 ", not %" PRIu64 ", %" PRIu64
			      ", %" PRIu64,
			      got.nodes, got.leaves, got.depth, want->nodes, want->leaves, want->depth);
}

int measure_uts(struct measurement *m)
{
	struct uts_run run = {m, uts_find(m->bench_case->name)};
	double nodes, ns;
	int r;

	if (!m->backend->uts)
		return -ENOTSUP;
	nodes = (double)run.tree->expected.nodes;
	params_add(m, "tree=%s nodes=%.0f leaves=%" PRIu64 " depth=%" PRIu64, run.tree->name, nodes,
		   run.tree->expected.leaves, run.tree->expected.depth);
	r = measure_time(m, uts_once, &run, &ns);
	if (r)
		return r;
	measure_emit(m, "ns_per_node", "ns", "lower", ns / nodes);
	measure_emit(m, "mnodes_per_s", "10^6/s", "higher", nodes * 1e3 / ns);
	measure_counters(m);
	return 0;
}
