/* SPDX-License-Identifier: MIT */
/*
 * sort.c - sort keys, or lines. Verified by order and by a sum over hashes of
 * all elements, which a lost or doubled one changes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/lines.h"
#include "bench/workload/measure.h"
#include "bench/workload/random.h"

#define SORT_NAME(x) key_##x
#define SORT_ELEMENT uint64_t
#define SORT_LESS(a, b) (*(a) < *(b))
#define SORT_NO_BRANCH
#include "bench/workload/merge_sort.h"
#undef SORT_NAME
#undef SORT_ELEMENT
#undef SORT_LESS
#undef SORT_NO_BRANCH

#define SORT_NAME(x) line_##x
#define SORT_ELEMENT struct line
#define SORT_LESS(a, b) (line_compare(a, b) < 0)
#include "bench/workload/merge_sort.h"

/* One timed sort for each filling: sorted input would be another problem. */
struct sort_run {
	struct measurement *m;
	size_t n;
	void *array, *space;
	double ns;
};

static void sort_keys(void *arg)
{
	struct sort_run *run = arg;
	struct key_range all = {run->array, run->space, run->n, false};
	uint64_t start = now_ns();

	key_sort_parallel(&all);
	run->ns = (double)(now_ns() - start);
}

static void sort_lines(void *arg)
{
	struct sort_run *run = arg;
	struct line_range all = {run->array, run->space, run->n, false};
	uint64_t start = now_ns();

	line_sort_parallel(&all);
	run->ns = (double)(now_ns() - start);
}

/* Both halves of the memory are touched before the clock starts. */
static int get_memory(struct sort_run *run, size_t size)
{
	run->array = malloc((run->n ? run->n : 1) * size);
	run->space = malloc((run->n ? run->n : 1) * size);
	if (!run->array || !run->space) {
		fprintf(stderr, "sort: no memory for %zu elements\n", run->n);
		return -ENOMEM;
	}
	memset(run->space, 1, run->n * size);
	return 0;
}

static int run_inside(struct sort_run *run, void (*sort)(void *))
{
	const struct backend *b = run->m->backend;
	int r = b->inside(sort, run);

	if (r)
		fprintf(stderr, "%s: cannot run inside the runtime: %s\n", b->name, strerror(-r));
	return r;
}

static uint64_t fill_keys(uint64_t *keys, size_t n)
{
	uint64_t state = 42, sum = 0;

	for (size_t i = 0; i < n; i++) {
		keys[i] = random_next(&state);
		sum += random_mix(keys[i]);
	}
	return sum;
}

static int do_keys(struct sort_run *run)
{
	uint64_t *keys, before, after = 0;
	int r = get_memory(run, sizeof(*keys));

	if (r)
		return r;
	keys = run->array;
	before = fill_keys(keys, run->n);
	r = run_inside(run, sort_keys);
	if (r)
		return r;
	for (size_t i = 0; i < run->n; i++) {
		after += random_mix(keys[i]);
		if (i && keys[i] < keys[i - 1]) {
			measure_wrong(run->m, "key %zu is less than the one before it", i);
			return 0;
		}
	}
	if (after != before)
		measure_wrong(run->m, "the keys are not those that went in");
	return 0;
}

static uint64_t line_hash(const struct line *l)
{
	uint64_t h = l->length;

	for (size_t i = 0; i < l->length; i++)
		h = random_mix(h ^ (unsigned char)l->text[i]);
	return h;
}

static int do_lines(struct sort_run *run)
{
	struct measurement *m = run->m;
	uint64_t before = 0, after = 0;
	struct line *line;
	struct lines l;
	int r = m->file ? lines_read(&l, m->file) : lines_generate(&l, m->n);

	if (r) {
		fprintf(stderr, "sort: %s: %s\n", m->file ? m->file : "lines", strerror(-r));
		return r;
	}
	if (!l.n) {
		fprintf(stderr, "sort: %s: no lines in it\n", m->file);
		lines_free(&l);
		return -EINVAL;
	}
	run->n = l.n;
	r = get_memory(run, sizeof(*l.line));
	if (!r) {
		memcpy(run->array, l.line, l.n * sizeof(*l.line));
		r = run_inside(run, sort_lines);
	}
	line = run->array;
	for (size_t i = 0; !r && i < l.n; i++) {
		before += line_hash(&l.line[i]);
		after += line_hash(&line[i]);
		if (i && line_compare(&line[i], &line[i - 1]) < 0) {
			measure_wrong(m, "line %zu comes before the one ahead of it", i);
			break;
		}
	}
	if (!r && m->verified && after != before)
		measure_wrong(m, "the lines are not those that went in");
	lines_free(&l);
	return r;
}

int measure_sort(struct measurement *m)
{
	struct sort_run run = {m, m->n, NULL, NULL, 0};
	bool lines = !strcmp(m->bench_case->name, "lines");
	int r;

	if (!m->backend->both)
		return -ENOTSUP;
	r = lines ? do_lines(&run) : do_keys(&run);
	if (!r) {
		params_add(m, "of=%s n=%zu grain=%d", lines ? m->file ? "file" : "generated-lines" : "keys", run.n,
			   SORT_GRAIN);
		measure_emit(m, "ns_per_key", "ns", "lower", run.ns / (double)run.n);
		measure_emit(m, "mkeys_per_s", "10^6/s", "higher", (double)run.n * 1e3 / run.ns);
	}
	free(run.array);
	free(run.space);
	return r;
}
