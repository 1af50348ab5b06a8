/* SPDX-License-Identifier: MIT */
/*
 * jacobi.c - Jacobi's iteration for the plane Laplace equation: each point
 * becomes the mean of its four neighbours, from one grid into the other. A block
 * is a strip of rows, worked on in tiles of columns that stay in the cache.
 *
 * The result of each point is the same whoever computes it, so the grid is
 * compared with one that was computed serially, bit by bit.
 */
#include <errno.h>
#include <stdio.h>

#include "bench/workload/loop.h"
#include "bench/workload/measure.h"

#define TILE 512 /* columns */

struct jacobi {
	const struct measurement *m; /* whose memory it is; or NULL */
	size_t n, rows;              /* of the grid; of a strip */
	double *grid[2];
};

static size_t rows_of(size_t n)
{
	return n <= 256 ? 8 : n <= 2048 ? 16 : 32;
}

/* One side is hot; inside it is uneven, so that rows that are mixed up show. */
static double start_of(const struct jacobi *j, size_t row, size_t column)
{
	if (row == 0)
		return 100;
	if (row == j->n - 1 || column == 0 || column == j->n - 1)
		return 0;
	return (double)((row * 31 + column * 17) % 64);
}

static void touch(size_t strip, void *arg)
{
	struct jacobi *j = arg;

	for (size_t row = strip * j->rows; row < (strip + 1) * j->rows; row++)
		for (size_t column = 0; column < j->n; column++)
			j->grid[0][row * j->n + column] = j->grid[1][row * j->n + column] = start_of(j, row, column);
}

static void tile(const double *restrict from, double *restrict to, size_t n, size_t first, size_t last)
{
	for (size_t column = first; column < last; column++)
		to[column] = 0.25 * (from[column - n] + from[column + n] + from[column - 1] + from[column + 1]);
}

static void work(size_t strip, size_t sweep, void *arg)
{
	struct jacobi *j = arg;
	const double *from = j->grid[(sweep + 1) & 1];
	double *to = j->grid[sweep & 1];
	size_t first = strip * j->rows, last = first + j->rows;

	first += first == 0;
	last -= last == j->n;
	for (size_t left = 1; left < j->n - 1; left += TILE) {
		size_t right = left + TILE < j->n - 1 ? left + TILE : j->n - 1;

		for (size_t row = first; row < last; row++)
			tile(from + row * j->n, to + row * j->n, j->n, left, right);
	}
}

static void *page(size_t strip, void *arg)
{
	struct jacobi *j = arg;

	return j->grid[0] + strip * j->rows * j->n;
}

static bool grids_new(struct jacobi *j, size_t bytes)
{
	j->grid[0] = pages_new(j->m, bytes);
	j->grid[1] = pages_new(j->m, bytes);
	return j->grid[0] && j->grid[1];
}

static void grids_free(struct jacobi *j, size_t bytes)
{
	pages_free(j->m, j->grid[0], bytes);
	pages_free(j->m, j->grid[1], bytes);
}

/* None of them is a NaN or a negative zero, so equal is the same. */
static bool same_grid(const double *got, const double *want, size_t n, size_t *row, size_t *column)
{
	for (*row = 0; *row < n; ++*row)
		for (*column = 0; *column < n; ++*column)
			if (!(got[*row * n + *column] == want[*row * n + *column]))
				return false;
	return true;
}

/* The same again, a strip after the other. */
static int check(struct measurement *m, const struct jacobi *j, size_t sweeps, size_t bytes)
{
	struct jacobi again = {.n = j->n, .rows = j->rows};
	const double *got = j->grid[(sweeps + 1) & 1], *want;
	size_t row, column;

	if (!grids_new(&again, bytes)) {
		grids_free(&again, bytes);
		fprintf(stderr, "%s: jacobi: no memory to compare with\n", m->backend->name);
		return -ENOMEM;
	}
	for (size_t strip = 0; strip < j->n / j->rows; strip++)
		touch(strip, &again);
	for (size_t sweep = 1; sweep < sweeps; sweep++)
		for (size_t strip = 0; strip < j->n / j->rows; strip++)
			work(strip, sweep, &again);
	want = again.grid[(sweeps + 1) & 1];
	if (!same_grid(got, want, j->n, &row, &column))
		measure_wrong(m, "row %zu, column %zu is %.17g, not %.17g", row, column, got[row * j->n + column],
			      want[row * j->n + column]);
	grids_free(&again, bytes);
	return 0;
}

int measure_jacobi(struct measurement *m)
{
	size_t bytes = m->n * m->n * sizeof(double);
	struct jacobi j = {.m = m, .n = m->n, .rows = rows_of(m->n)};
	struct sweeps s = {.m = m, .loop = {.blocks = m->n / j.rows}, touch, work, page, .context = &j};
	double ns, points = (double)(m->n - 2) * (double)(m->n - 2);
	int r = -ENOTSUP;

	if (m->backend->loop && grids_new(&j, bytes))
		r = sweeps_measure(&s, &ns);
	else if (m->backend->loop) {
		fprintf(stderr, "%s: jacobi: no memory for twice %zu bytes\n", m->backend->name, bytes);
		r = -ENOMEM;
	}
	if (!r)
		r = check(m, &j, s.sweep, bytes);
	if (!r) {
		params_add(m, "side=%zu bytes=%zu blocks=%zu", m->n, 2 * bytes, s.loop.blocks);
		measure_emit(m, "ns_per_element", "ns", "lower", ns / points);
		measure_emit(m, "melements_per_s", "10^6/s", "higher", points * 1e3 / ns);
		sweeps_emit(&s);
		measure_counters(m);
	}
	sweeps_free(&s);
	grids_free(&j, bytes);
	return r;
}
