/* SPDX-License-Identifier: MIT */
#include "bench/workload/measure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOPS_MOST 1000

/* Runs in the last measure_time(). */
static double counted_loops;

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void params_add(struct measurement *m, const char *format, ...)
{
	size_t used = strlen(m->params);
	va_list args;

	if (used && used + 1 < sizeof(m->params)) {
		m->params[used++] = ' ';
		m->params[used] = 0;
	}
	va_start(args, format);
	vsnprintf(m->params + used, sizeof(m->params) - used, format, args);
	va_end(args);
}

void measure_wrong(struct measurement *m, const char *format, ...)
{
	va_list args;

	m->verified = false;
	fprintf(stderr, "%s %s, %s%s%s, %u workers: wrong: ", m->bench_case->workload, m->bench_case->name,
		m->backend->name, m->variant ? " " : "", m->variant ? m->variant : "", m->workers);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

struct timed {
	const struct backend *backend;
	void (*once)(void *arg);
	void *arg;
	uint64_t ns;
	unsigned loops;
};

static void run_loop(struct timed *t, unsigned most)
{
	uint64_t start;

	t->loops = 0;
	if (t->backend->mark)
		t->backend->mark(false);
	start = now_ns();
	do {
		t->once(t->arg);
		t->loops++;
		t->ns = now_ns() - start;
	} while (t->ns < TIMED_LEAST_NS && t->loops < most);
	if (t->backend->mark)
		t->backend->mark(true);
}

static void run_timed(void *arg)
{
	struct timed *t = arg;

	run_loop(t, 1);
	if (t->ns < 2 * TIMED_LEAST_NS) /* so short that it only warmed up */
		run_loop(t, LOOPS_MOST);
}

int measure_time(struct measurement *m, void (*once)(void *arg), void *arg, double *ns)
{
	struct timed t = {m->backend, once, arg, 0, 0};
	int r = m->backend->inside(run_timed, &t);

	if (r) {
		fprintf(stderr, "%s: cannot run inside the runtime: %s\n", m->backend->name, strerror(-r));
		return r;
	}
	counted_loops = t.loops;
	*ns = (double)t.ns / t.loops;
	return 0;
}

int measure_inside(struct measurement *m, void (*fn)(void *arg), void *arg, const int *result)
{
	int r = m->backend->inside(fn, arg);

	if (r)
		fprintf(stderr, "%s: cannot run inside the runtime: %s\n", m->backend->name, strerror(-r));
	else if (*result && *result != -ENOTSUP)
		fprintf(stderr, "%s: %s %s: %s\n", m->backend->name, m->bench_case->workload, m->bench_case->name,
			strerror(-*result));
	return r ? r : *result;
}

int compare_signed(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int compare_unsigned(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void measure_counters(struct measurement *m)
{
	if (m->backend->report)
		m->backend->report(m, counted_loops);
}

void measure_emit(const struct measurement *m, const char *metric, const char *unit, const char *better, double value)
{
	printf("{\"params\":\"%s%s%s\",\"metric\":\"%s\",\"unit\":\"%s\",\"better\":\"%s\",\"value\":%.6g,"
	       "\"verified\":%s}\n",
	       m->params, m->note ? " " : "", m->note ? m->note : "", metric, unit, better, value,
	       m->verified ? "true" : "false");
}
