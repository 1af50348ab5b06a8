/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - 64 threads at one mutex. Twice: for the time of a lock and unlock,
 * without looking at the clock; then a quarter as often, for the longest wait.
 */
#include <errno.h>
#include <inttypes.h>

#include "bench/workload/measure.h"

#define THREADS 64

struct mutex_run {
	const struct backend *backend;
	struct locking plain, timed;
	int r;
};

static void mutex_once(void *arg)
{
	struct mutex_run *run = arg;
	struct locking warm = run->timed;

	warm.each = warm.each / 4 + 1;
	run->r = run->backend->mutex(&warm);
	if (!run->r)
		run->r = run->backend->mutex(&run->plain);
	if (!run->r)
		run->r = run->backend->mutex(&run->timed);
}

static void check(struct measurement *m, const struct locking *l)
{
	uint64_t want = (uint64_t)l->threads * l->each;

	if (l->count != want)
		measure_wrong(m, "counted %" PRIu64 " under the mutex, not %" PRIu64, l->count, want);
}

int measure_mutex(struct measurement *m)
{
	struct mutex_run run = {.backend = m->backend,
				.plain = {.threads = THREADS, .each = m->n / THREADS},
				.timed = {.threads = THREADS, .each = m->n / THREADS / 4, .timed = true}};
	double locks = (double)run.plain.each * THREADS;
	int r;

	if (!m->backend->mutex)
		return -ENOTSUP;
	params_add(m, "threads=%d n=%.0f", THREADS, locks);
	r = measure_inside(m, mutex_once, &run, &run.r);
	if (r)
		return r;
	check(m, &run.plain);
	check(m, &run.timed);
	measure_emit(m, "ns_per_lock", "ns", "lower", (double)run.plain.ns / locks);
	measure_emit(m, "longest_wait_ns", "ns", "lower", (double)run.timed.longest_wait_ns);
	return 0;
}
