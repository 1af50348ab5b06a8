/* SPDX-License-Identifier: MIT */
/* alloc.c - what it costs to allocate and free an object. Every object is read before it is freed. */
#include "bench/workload/alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/measure.h"

struct pairs_run {
	struct measurement *m;
	struct alloc_pairs a;
	int r;
};

static void pairs_once(void *arg)
{
	struct pairs_run *run = arg;
	struct alloc_pairs *a = &run->a;

	a->sum = 0;
	run->r = run->m->backend->alloc_pairs(a);
	if (!run->r && a->sum != (uint64_t)a->n * (a->n + 1) / 2)
		measure_wrong(run->m, "what was written into the objects is not what was read: %" PRIu64 " in all",
			      a->sum);
}

static int measure_pairs(struct measurement *m)
{
	struct pairs_run run = {m, {.n = m->n}, 0};
	double ns;
	int r;

	if (!m->backend->alloc_pairs)
		return -ENOTSUP;
	run.a.size = strtoul(m->bench_case->name + strlen("pair-"), NULL, 10);
	params_add(m, "size=%zu n=%zu", run.a.size, m->n);
	r = measure_time(m, pairs_once, &run, &ns);
	if (!r)
		r = run.r;
	if (!r)
		measure_emit(m, "ns_per_pair", "ns", "lower", ns / (double)m->n);
	return r;
}

struct threads_run {
	const struct backend *backend;
	struct alloc_handover *handover;
	struct alloc_larson *larson;
	int r;
};

/* Once, a tenth as long, to warm up; then what is measured. */
static void handover_once(void *arg)
{
	struct threads_run *run = arg;
	struct alloc_handover *h = run->handover;
	size_t n = h->n;

	h->n = n / 10 / HANDOVER_BATCH * HANDOVER_BATCH;
	run->r = run->backend->alloc_handover(h);
	h->n = n;
	h->sent = h->taken = h->right = 0;
	if (!run->r)
		run->r = run->backend->alloc_handover(h);
}

static int measure_handover(struct measurement *m)
{
	static struct alloc_handover h;
	struct threads_run run = {.backend = m->backend, .handover = &h};
	int r;

	if (!m->backend->alloc_handover)
		return -ENOTSUP;
	h.n = m->n / HANDOVER_BATCH * HANDOVER_BATCH;
	h.workers = m->workers;
	params_add(m, "size=64 n=%zu ring=%d batch=%d", h.n, HANDOVER_RING, HANDOVER_BATCH);
	r = measure_inside(m, handover_once, &run, &run.r);
	if (r)
		return r;
	if (h.right != h.n)
		measure_wrong(m, "%" PRIu64 " of %zu objects held what was sent", h.right, h.n);
	if (m->workers > 1 && !h.apart)
		measure_wrong(m, "producer and consumer were not on two CPUs");
	measure_emit(m, "ns_per_object", "ns", "lower", (double)h.ns / (double)h.n);
	return 0;
}

static void larson_once(void *arg)
{
	struct threads_run *run = arg;
	struct alloc_larson *l = run->larson;
	size_t each = l->each;

	l->each = each / 10 + 1;
	run->r = run->backend->alloc_larson(l);
	l->each = each;
	l->right = l->made_by_others = l->failed = l->sum = 0;
	if (!run->r)
		run->r = run->backend->alloc_larson(l);
}

static int measure_larson(struct measurement *m)
{
	static struct alloc_larson l;
	struct threads_run run = {.backend = m->backend, .larson = &l};
	double objects;
	int r;

	if (!m->backend->alloc_larson)
		return -ENOTSUP;
	l.each = m->n / LARSON_THREADS;
	objects = (double)l.each * LARSON_THREADS;
	params_add(m, "sizes=%d-%d n=%.0f threads=%d slots=%d", LARSON_LEAST, LARSON_MOST, objects, LARSON_THREADS,
		   LARSON_SLOTS);
	r = measure_inside(m, larson_once, &run, &run.r);
	if (r)
		return r;
	if ((double)l.right != objects || l.failed)
		measure_wrong(m, "%" PRIu64 " of %.0f objects were freed as they were made, %" PRIu64 " not had",
			      l.right, objects, l.failed);
	else if (l.sum)
		measure_wrong(m, "the objects that were freed are not those that were made");
	if ((double)l.made_by_others < objects / 20)
		measure_wrong(m, "%" PRIu64 " of %.0f objects were freed by others: too few", l.made_by_others,
			      objects);
	measure_emit(m, "ns_per_object", "ns", "lower", (double)l.ns / objects);
	return 0;
}

int measure_alloc(struct measurement *m)
{
	if (!strncmp(m->bench_case->name, "pair-", 5))
		return measure_pairs(m);
	return !strcmp(m->bench_case->name, "handover") ? measure_handover(m) : measure_larson(m);
}
