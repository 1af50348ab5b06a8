/* SPDX-License-Identifier: MIT */
/*
 * periodic.c - 1,000 timers of 1 ms: how many of the calls come at all, and how long one timer is
 * left without. A call that comes late is no error, one that comes early is.
 */
#include "bench/workload/periodic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "bench/workload/measure.h"

#define PERIOD_NS UINT64_C(1000000)
#define SECONDS 3
#define SMALL_PART 6 /* of a small run: so long a part of them */

void ticker_arm(struct ticker *t)
{
	t->armed_ns = now_ns();
}

void ticker_call(struct ticker *t)
{
	const struct periodic *p = t->all;
	uint64_t now = now_ns();
	uint64_t begin = __atomic_load_n(&p->begin_ns, __ATOMIC_ACQUIRE);

	if (!begin || now < begin || now > p->end_ns)
		return;
	if (!t->last_ns)
		t->last_ns = begin;
	if (now - t->last_ns > t->longest_ns)
		t->longest_ns = now - t->last_ns;
	t->last_ns = now;
	t->calls++;
	if (now < t->armed_ns + t->calls * p->period_ns)
		t->early++;
}

void periodic_begin(struct periodic *p)
{
	uint64_t now = now_ns();

	p->end_ns = now + p->for_ns;
	__atomic_store_n(&p->begin_ns, now, __ATOMIC_RELEASE);
}

struct periodic_run {
	const struct backend *backend;
	struct periodic p;
	int r;
};

static void run_inside(void *arg)
{
	struct periodic_run *run = arg;

	run->r = run->backend->periodic(&run->p);
}

static void emit(struct measurement *m, const struct periodic *p)
{
	uint64_t periods = p->for_ns / p->period_ns;
	double due = (double)p->timers * (double)periods, percent;
	uint64_t calls = 0, early = 0, longest = 0;
	size_t never = 0;

	for (size_t i = 0; i < p->timers; i++) {
		const struct ticker *t = &p->ticker[i];
		uint64_t since = t->last_ns ? t->last_ns : p->begin_ns;
		uint64_t gap = p->end_ns - since > t->longest_ns ? p->end_ns - since : t->longest_ns;

		calls += t->calls;
		early += t->early;
		never += !t->calls;
		longest = gap > longest ? gap : longest;
	}
	params_add(m, "timers=%zu period=1ms seconds=%g", p->timers, (double)p->for_ns / 1e9);
	if (never || early)
		measure_wrong(m, "%zu of %zu timers were never called, %" PRIu64 " calls came early", never, p->timers,
			      early);
	percent = 100 * (double)calls / due; /* the one that is due as the time begins is one too many */
	measure_emit(m, "percent_delivered", "%", "higher", percent > 100 ? 100 : percent);
	measure_emit(m, "longest_gap_ms", "ms", "lower", (double)longest / 1e6);
}

int measure_periodic(struct measurement *m)
{
	struct periodic_run run = {.backend = m->backend, .p = {.timers = m->n, .period_ns = PERIOD_NS}};
	int r;

	if (!m->backend->periodic)
		return -ENOTSUP;
	run.p.for_ns = UINT64_C(1000000000) * SECONDS / (m->bench_case->size == SIZE_SMALL ? SMALL_PART : 1);
	run.p.ticker = calloc(m->n, sizeof(*run.p.ticker));
	if (!run.p.ticker)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++)
		run.p.ticker[i].all = &run.p;
	r = measure_inside(m, run_inside, &run, &run.r);
	if (!r)
		emit(m, &run.p);
	free(run.p.ticker);
	return r;
}
