/* SPDX-License-Identifier: MIT */
#include "bench/workload/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/workload/home.h"
#include "bench/workload/measure.h"

static bool bound(const struct measurement *m)
{
	return m && case_bound(m->bench_case->name) && m->backend->blocks_new;
}

void *pages_new(const struct measurement *m, size_t size)
{
	void *start;

	if (bound(m))
		start = m->backend->blocks_new(size);
	else
		start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!start || start == MAP_FAILED)
		return NULL;
	/* a huge page would put several blocks where the first of them was touched */
	madvise(start, size, MADV_NOHUGEPAGE);
	return start;
}

void pages_free(const struct measurement *m, void *start, size_t size)
{
	if (start && bound(m))
		m->backend->blocks_free(start, size);
	else if (start)
		munmap(start, size);
}

static void touch_block(size_t b, void *arg)
{
	struct sweeps *s = arg;

	s->touch(b, s->context);
	s->home[b] = home_here();
	s->times[b]++;
}

static void work_block(size_t b, void *arg)
{
	struct sweeps *s = arg;

	s->work(b, s->sweep, s->context);
	s->node[b] = home_here();
	s->times[b]++;
}

static void once(void *arg)
{
	struct sweeps *s = arg;
	int r = s->m->backend->loop(&s->loop);

	if (r)
		s->r = r;
	s->sweep++;
}

/* Each block as often as there were sweeps. */
static void check_times(struct sweeps *s)
{
	for (size_t b = 0; b < s->loop.blocks; b++)
		if (s->times[b] != s->sweep) {
			measure_wrong(s->m, "block %zu was run %" PRIu32 " times in %zu loops", b, s->times[b],
				      s->sweep);
			return;
		}
}

int sweeps_measure(struct sweeps *s, double *ns)
{
	size_t blocks = s->loop.blocks;
	int r;

	s->times = calloc(blocks, sizeof(*s->times));
	s->node = calloc(blocks, sizeof(*s->node));
	s->home = calloc(blocks, sizeof(*s->home));
	if (!s->times || !s->node || !s->home) {
		fprintf(stderr, "%s: %s: no memory\n", s->m->backend->name, s->m->bench_case->workload);
		return -ENOMEM;
	}
	s->loop.by_node = case_by_node(s->m->bench_case->name);
	s->loop.context = s;
	s->loop.body = touch_block;
	r = measure_inside(s->m, once, s, &s->r);
	if (r)
		return r;
	s->loop.body = work_block;
	r = measure_time(s->m, once, s, ns);
	if (!r && s->r) {
		fprintf(stderr, "%s: %s: %s\n", s->m->backend->name, s->m->bench_case->workload, strerror(-s->r));
		r = s->r;
	}
	if (!r)
		check_times(s);
	return r;
}

/* The kernel knows where memory is; where nodes are only described, it is where it was touched. */
static int find_homes(struct sweeps *s)
{
	void **pages;
	int r;

	if (home_described())
		return 0;
	pages = calloc(s->loop.blocks, sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	for (size_t b = 0; b < s->loop.blocks; b++)
		pages[b] = s->page(b, s->context);
	r = home_of_pages(pages, s->loop.blocks, s->home);
	free(pages);
	return r;
}

void sweeps_emit(struct sweeps *s)
{
	size_t at_home = 0;
	int r = find_homes(s);

	if (r) { /* a filter refuses to tell: no figure, rather than a wrong one */
		fprintf(stderr, "%s: where pages are cannot be asked: %s\n", s->m->backend->name, strerror(-r));
		return;
	}
	for (size_t b = 0; b < s->loop.blocks; b++)
		at_home += s->node[b] == s->home[b];
	measure_emit(s->m, "percent_home", "%", "higher", 100.0 * (double)at_home / (double)s->loop.blocks);
}

void sweeps_free(struct sweeps *s)
{
	free(s->times);
	free(s->node);
	free(s->home);
}
