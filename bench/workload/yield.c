/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/workload/measure.h"

struct yield_run {
	const struct backend *backend;
	size_t n;
	uint64_t switches, ns;
};

static void yield_once(void *arg)
{
	struct yield_run *run = arg;

	(void)run->backend->yield(run->n / 10, &run->ns); /* warms up */
	run->switches = run->backend->yield(run->n, &run->ns);
}

int measure_yield(struct measurement *m)
{
	struct yield_run run = {m->backend, m->n, 0, 0};
	int r;

	if (!m->backend->yield)
		return -ENOTSUP;
	params_add(m, "n=%zu", m->n);
	r = m->backend->inside(yield_once, &run);
	if (r) {
		fprintf(stderr, "%s: cannot run inside the runtime: %s\n", m->backend->name, strerror(-r));
		return r;
	}
	if (!run.switches) {
		measure_wrong(m, "the two did not take turns");
		run.switches = m->n;
	}
	measure_emit(m, "ns_per_switch", "ns", "lower", (double)run.ns / (double)run.switches);
	return 0;
}
