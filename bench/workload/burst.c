/* SPDX-License-Identifier: MIT */
/* burst.c - what a thread costs that comes, waits once and goes, by how many there are at once. */
#include "bench/workload/burst.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bench/workload/measure.h"

struct burst_run {
	const struct backend *backend;
	struct burst warm, b;
	int r;
};

static void burst_once(void *arg)
{
	struct burst_run *run = arg;

	run->r = run->backend->burst(&run->warm);
	if (!run->r) {
		memset(run->b.thread, 0, run->b.at_once * sizeof(*run->b.thread));
		run->r = run->backend->burst(&run->b);
	}
}

static void check(struct measurement *m, const struct burst *b)
{
	size_t threads = b->at_once * b->bursts, begun = 0, back = 0;

	for (size_t i = 0; i < b->at_once; i++) {
		begun += b->thread[i].begun;
		back += b->thread[i].back;
	}
	if (begun != threads || back != threads || b->joined != threads)
		measure_wrong(m, "of %zu threads %zu began, %zu came back from their yield, %zu were joined", threads,
			      begun, back, b->joined);
	if (b->yields < b->yields_least)
		measure_wrong(m, "%" PRIu64 " yields switched, not %" PRIu64, b->yields, b->yields_least);
}

int measure_burst(struct measurement *m)
{
	struct burst_run run = {.backend = m->backend};
	double threads;
	int r;

	if (!m->backend->burst)
		return -ENOTSUP;
	run.b.at_once = strtoul(m->bench_case->name, NULL, 10);
	run.b.bursts = m->n / run.b.at_once;
	run.b.thread = calloc(run.b.at_once, sizeof(*run.b.thread));
	if (!run.b.thread)
		return -ENOMEM;
	run.warm = run.b;
	run.warm.bursts = run.b.bursts / 10 + 1;
	threads = (double)(run.b.at_once * run.b.bursts);
	params_add(m, "at_once=%zu threads=%.0f", run.b.at_once, threads);
	r = measure_inside(m, burst_once, &run, &run.r);
	if (!r) {
		check(m, &run.b);
		measure_emit(m, "ns_per_thread", "ns", "lower", (double)run.b.ns / threads);
	}
	free(run.b.thread);
	return r;
}
