/* SPDX-License-Identifier: MIT */
/*
 * triad.c - STREAM's triad (McCalpin): a[i] = b[i] + s * c[i], which is nothing
 * but memory. Bytes are counted as STREAM does, 24 for each i: what the caches
 * read of `a` before it is written is not among them.
 */
#include <errno.h>
#include <stdio.h>

#include "bench/workload/loop.h"
#include "bench/workload/measure.h"

#define BLOCKS 256
#define BLOCK_LEAST 1024 /* elements: two pages of each array */

struct triad {
	size_t n, block;
	double *a, *b, *c;
};

/* Other than its neighbours, and exact. */
static double b_of(size_t i)
{
	return (double)(i & 1023);
}

static double c_of(size_t i)
{
	return (double)((i >> 3) & 2047);
}

#define SCALE 3.0

static void touch(size_t block, void *arg)
{
	struct triad *t = arg;

	for (size_t i = block * t->block; i < (block + 1) * t->block; i++) {
		t->a[i] = -1;
		t->b[i] = b_of(i);
		t->c[i] = c_of(i);
	}
}

static void work(size_t block, size_t sweep, void *arg)
{
	struct triad *t = arg;
	double *restrict a = t->a + block * t->block;
	const double *restrict b = t->b + block * t->block;
	const double *restrict c = t->c + block * t->block;

	(void)sweep;
	for (size_t i = 0; i < t->block; i++)
		a[i] = b[i] + SCALE * c[i];
}

static void *page(size_t block, void *arg)
{
	struct triad *t = arg;

	return t->a + block * t->block;
}

static void check(struct measurement *m, const struct triad *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->a[i] != b_of(i) + SCALE * c_of(i)) {
			measure_wrong(m, "a[%zu] is %g, not %g", i, t->a[i], b_of(i) + SCALE * c_of(i));
			return;
		}
}

int measure_triad(struct measurement *m)
{
	size_t block = m->n / BLOCKS > BLOCK_LEAST ? m->n / BLOCKS : BLOCK_LEAST, bytes = m->n * sizeof(double);
	struct triad t = {m->n, block, pages_new(m, bytes), pages_new(m, bytes), pages_new(m, bytes)};
	struct sweeps s = {.m = m, .loop = {.blocks = m->n / block}, touch, work, page, .context = &t};
	double ns;
	int r = -ENOTSUP;

	if (m->backend->loop && t.a && t.b && t.c)
		r = sweeps_measure(&s, &ns);
	else if (m->backend->loop) {
		fprintf(stderr, "%s: triad: no memory for three times %zu bytes\n", m->backend->name, bytes);
		r = -ENOMEM;
	}
	if (!r) {
		check(m, &t);
		params_add(m, "elements=%zu bytes=%zu blocks=%zu", m->n, 3 * bytes, s.loop.blocks);
		measure_emit(m, "ns_per_element", "ns", "lower", ns / (double)m->n);
		measure_emit(m, "gb_per_s", "GB/s", "higher", 3 * (double)bytes / ns);
		sweeps_emit(&s);
		measure_counters(m);
	}
	sweeps_free(&s);
	pages_free(m, t.a, bytes);
	pages_free(m, t.b, bytes);
	pages_free(m, t.c, bytes);
	return r;
}
