/* SPDX-License-Identifier: MIT */
/* timers.c - time-outs that never come; and how late a sleep ends. Periodic ones: periodic.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/measure.h"

#define SLEEP_NS UINT64_C(1000000)

struct timers_run {
	const struct backend *backend;
	struct arming a;
	struct sleeping s;
	int r;
};

static void arm_once(void *arg)
{
	struct timers_run *run = arg;
	struct arming warm = run->a;

	warm.asked = warm.asked / 10 + 1;
	run->r = run->backend->timers(&warm);
	if (!run->r)
		run->r = run->backend->timers(&run->a);
}

static int measure_arming(struct measurement *m)
{
	struct timers_run run = {.backend = m->backend, .a = {.asked = m->n}};
	const struct arming *a = &run.a;
	int r;

	if (!m->backend->timers)
		return -ENOTSUP;
	r = measure_inside(m, arm_once, &run, &run.r);
	if (r)
		return r;
	params_add(m, "n=%zu due=1h-2h", a->made);
	if (a->made < a->asked)
		params_add(m, "asked=%zu", a->asked);
	if (!a->made || a->cancelled != a->made || a->fired)
		measure_wrong(m, "of %zu timers %zu were cancelled, %zu fired", a->made, a->cancelled, a->fired);
	measure_emit(m, "ns_per_arm", "ns", "lower", (double)a->arm_ns / (double)(a->made ? a->made : 1));
	measure_emit(m, "ns_per_cancel", "ns", "lower", (double)a->cancel_ns / (double)(a->made ? a->made : 1));
	return 0;
}

static void sleep_once(void *arg)
{
	struct timers_run *run = arg;

	run->r = run->backend->sleeps(&run->s);
}

static int measure_sleeping(struct measurement *m)
{
	struct timers_run run = {.backend = m->backend, .s = {.n = m->n, .each_ns = SLEEP_NS}};
	int64_t *late = NULL;
	int r;

	if (!m->backend->sleeps)
		return -ENOTSUP;
	late = malloc(m->n * sizeof(*late));
	if (!late)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++)
		late[i] = -1; /* what was left out is early */
	run.s.late_ns = late;
	params_add(m, "n=%zu", m->n);
	r = measure_inside(m, sleep_once, &run, &run.r);
	if (!r) {
		qsort(late, m->n, sizeof(*late), compare_signed);
		if (late[0] < 0)
			measure_wrong(m, "a sleep ended %" PRId64 " ns early", -late[0]);
		measure_emit(m, "p50_late_us", "us", "lower", (double)late[percentile(m->n, 50)] / 1e3);
		measure_emit(m, "p99_late_us", "us", "lower", (double)late[percentile(m->n, 99)] / 1e3);
	}
	free(late);
	return r;
}

int measure_timers(struct measurement *m)
{
	if (!strncmp(m->bench_case->name, "periodic", 8))
		return measure_periodic(m);
	return strcmp(m->bench_case->name, "sleep-1ms") != 0 ? measure_arming(m) : measure_sleeping(m);
}
