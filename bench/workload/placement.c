/* SPDX-License-Identifier: MIT */
#include "bench/workload/placement.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/workload/home.h"
#include "bench/workload/measure.h"

/* So long a thread computes when it starts: else the one that makes them would run most itself. */
#define BUSY_NS 5000

void placement_born(struct placement *p, size_t i)
{
	char in_stack;
	uint64_t until = now_ns() + BUSY_NS;

	p->thread[i].born = home_here();
	p->thread[i].page = &in_stack;
	while (now_ns() < until)
		;
	atomic_fetch_add(&p->arrived, 1);
}

void placement_look(struct placement *p)
{
	void **page;

	if (home_described())
		return;
	page = calloc(p->n, sizeof(*page));
	p->r = page ? 0 : -ENOMEM;
	for (size_t i = 0; page && i < p->n; i++)
		page[i] = p->thread[i].page;
	if (page)
		p->r = home_of_pages(page, p->n, p->node);
	free(page);
}

void placement_woken(struct placement *p, size_t i)
{
	p->thread[i].woken = home_here();
}

struct placement_run {
	struct measurement *m;
	struct placement p;
	int maker; /* the node of who makes them, when it begins */
	int r;
};

static void placement_once(void *arg)
{
	struct placement_run *run = arg;

	run->maker = home_here();
	run->r = run->m->backend->placement(&run->p);
}

static void emit_share(const struct measurement *m, const char *metric, size_t of, size_t n)
{
	measure_emit(m, metric, "%", "higher", 100.0 * (double)of / (double)n);
}

static void emit(struct placement_run *run)
{
	size_t home = 0, woken = 0, far = 0, n = run->p.n;

	for (size_t i = 0; i < n; i++) {
		const struct placed *t = &run->p.thread[i];
		/* where nodes are only described, memory would be where it was touched */
		int node = home_described() ? t->born : run->p.node[i];

		far += t->born != run->maker;
		home += node == t->born;
		woken += node == t->woken;
	}
	measure_emit(run->m, "ns_per_thread", "ns", "lower", (double)run->p.ns / (double)n);
	/* without any, the shares say nothing */
	emit_share(run->m, "percent_started_abroad", far, n);
	if (!home_described())
		emit_share(run->m, "percent_stacks_home", home, n);
	emit_share(run->m, "percent_woken_home", woken, n);
	if (run->p.pages_home + run->p.pages_abroad)
		emit_share(run->m, "percent_pages_home", run->p.pages_home, run->p.pages_home + run->p.pages_abroad);
}

int measure_placement(struct measurement *m)
{
	struct placement_run run = {.m = m, .p = {.n = m->n}};
	int r = -ENOTSUP;

	if (!m->backend->placement)
		return r;
	run.p.thread = calloc(m->n, sizeof(*run.p.thread));
	run.p.node = calloc(m->n, sizeof(*run.p.node));
	r = run.p.thread && run.p.node ? measure_inside(m, placement_once, &run, &run.r) : -ENOMEM;
	if (!r && run.p.r) {
		r = run.p.r;
		fprintf(stderr, "%s: where pages are cannot be asked: error %d\n", m->backend->name, -r);
	}
	if (!r) {
		params_add(m, "threads=%zu", m->n);
		if (run.p.right != m->n)
			measure_wrong(m, "%zu of %zu threads did what they should", run.p.right, m->n);
		emit(&run);
	}
	free(run.p.thread);
	free(run.p.node);
	return r;
}
