/* SPDX-License-Identifier: MIT */
/*
 * mem.c - what a thread costs while it exists: resident bytes and page tables,
 * by the kernel's own books of this process. What the kernel keeps elsewhere
 * (a pthread's kernel stack and task_struct, mappings) is not in them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/workload/measure.h"

static int read_memory(struct memory *now)
{
	FILE *f = fopen("/proc/self/status", "re");
	int found = 0;
	char line[128];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		found += sscanf(line, "VmRSS: %lu kB", &now->rss) == 1;
		found += sscanf(line, "VmPTE: %lu kB", &now->pte) == 1;
	}
	fclose(f);
	now->rss *= 1024;
	now->pte *= 1024;
	return found == 2 ? 0 : -ENODATA;
}

struct mem_run {
	int (*crowd)(struct crowd *c);
	struct crowd c;
	int r;
};

static void mem_once(void *arg)
{
	struct mem_run *run = arg;

	run->r = run->crowd(&run->c);
}

/* Less than before counts as nothing: some page was given back meanwhile. */
static double per_thread(uint64_t before, uint64_t peak, size_t n)
{
	return peak > before ? (double)(peak - before) / (double)n : 0;
}

int measure_mem(struct measurement *m)
{
	bool spawned = !strcmp(m->bench_case->name, "spawned");
	struct mem_run run = {
		spawned ? m->backend->spawned : m->backend->parked, {.asked = m->n, .read = read_memory}, 0};
	double rss, pte;
	int r;

	if (!run.crowd)
		return -ENOTSUP;
	r = m->backend->inside(mem_once, &run);
	if (!r)
		r = run.r;
	if (!r && !run.c.made)
		r = -EAGAIN;
	if (r) {
		fprintf(stderr, "%s: mem %s: %s\n", m->backend->name, m->bench_case->name, strerror(-r));
		return r;
	}
	params_add(m, "%s=%zu", spawned ? "spawned" : "parked", run.c.made);
	if (run.c.made < run.c.asked)
		params_add(m, "asked=%zu", run.c.asked);
	if (run.c.right != run.c.made)
		measure_wrong(m, "%zu of %zu threads did what they should", run.c.right, run.c.made);
	rss = per_thread(run.c.before.rss, run.c.peak.rss, run.c.made);
	pte = per_thread(run.c.before.pte, run.c.peak.pte, run.c.made);
	measure_emit(m, "ns_per_thread", "ns", "lower", (double)run.c.ns / (double)run.c.made);
	if (!spawned)
		measure_emit(m, "release_ns_per_thread", "ns", "lower", (double)run.c.release_ns / (double)run.c.made);
	measure_emit(m, "bytes_per_thread", "B", "lower", rss + pte);
	measure_emit(m, "rss_bytes_per_thread", "B", "lower", rss);
	measure_emit(m, "pte_bytes_per_thread", "B", "lower", pte);
	return 0;
}
