/* SPDX-License-Identifier: MIT */
/*
 * wake.c - a process that has nothing to do: how soon a thread runs that is
 * woken from outside, and what the waiting costs. Neither runs inside(): the
 * program's first pthread is the one outside.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/workload/measure.h"

/* Workers that search for work before they sleep have given up by then. */
#define SETTLE_NS 200000000

void pause_ns(uint64_t ns)
{
	struct timespec left = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static uint64_t process_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void idle_watch(struct idling *i)
{
	uint64_t ns = i->ns, start, cpu, reading;

	pause_ns(SETTLE_NS);
	/* with thousands of pthreads, adding up their times takes milliseconds itself */
	reading = process_cpu_ns();
	cpu = process_cpu_ns();
	reading = cpu - reading;
	start = now_ns();
	pause_ns(ns);
	i->ns = now_ns() - start;
	cpu = process_cpu_ns() - cpu;
	i->cpu_ns = cpu > reading ? cpu - reading : 0;
}

static int failed(const struct measurement *m, int r)
{
	fprintf(stderr, "%s: wake %s: %s\n", m->backend->name, m->bench_case->name, strerror(-r));
	return r;
}

static int measure_waking(struct measurement *m)
{
	struct waking w = {.n = m->n};
	int r;

	if (!m->backend->wake)
		return -ENOTSUP;
	w.ns = calloc(m->n, sizeof(*w.ns));
	r = w.ns ? m->backend->wake(&w) : -ENOMEM;
	if (r) {
		free(w.ns);
		return failed(m, r);
	}
	params_add(m, "n=%zu pause=1ms", m->n);
	qsort(w.ns, m->n, sizeof(*w.ns), compare_unsigned);
	if (w.right != m->n || !w.ns[0])
		measure_wrong(m, "%zu of %zu wakes came when they should", w.right, m->n);
	measure_emit(m, "p50_wake_ns", "ns", "lower", (double)w.ns[percentile(m->n, 50)]);
	measure_emit(m, "p99_wake_ns", "ns", "lower", (double)w.ns[percentile(m->n, 99)]);
	free(w.ns);
	return 0;
}

static int measure_idling(struct measurement *m)
{
	uint64_t seconds = m->bench_case->size == SIZE_SMALL ? 1 : 10;
	struct idling i = {.asked = m->n, .ns = seconds * 1000000000u};
	int r;

	if (!m->backend->idle)
		return -ENOTSUP;
	r = m->backend->idle(&i);
	if (!r && !i.made)
		r = -EAGAIN;
	if (r)
		return failed(m, r);
	params_add(m, "parked=%zu seconds=%" PRIu64, i.made, seconds);
	if (i.made < i.asked)
		params_add(m, "asked=%zu", i.asked);
	if (i.right != i.made)
		measure_wrong(m, "%zu of %zu threads did what they should", i.right, i.made);
	measure_emit(m, "cpu_percent", "%", "lower", 100 * (double)i.cpu_ns / (double)i.ns);
	return 0;
}

int measure_wake(struct measurement *m)
{
	return strcmp(m->bench_case->name, "idle-10k") != 0 ? measure_waking(m) : measure_idling(m);
}
