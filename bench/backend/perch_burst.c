/* SPDX-License-Identifier: MIT */
/* perch_burst.c - bursts of threads; and the threads that periodic timers call. */
#include <errno.h>
#include <stdlib.h>

#include <perch/perch.h>

#include "bench/backend/perch_crowd.h"
#include "bench/workload/measure.h"

static void *yield_once(void *arg)
{
	struct burst_thread *me = arg;

	me->begun++;
	perch_yield();
	me->back++;
	return me;
}

static size_t one_burst(const struct burst *b, perch_t *t)
{
	size_t made = 0, joined = 0;
	void *result;

	while (made < b->at_once && !perch_create(&t[made], NULL, yield_once, &b->thread[made]))
		made++;
	for (size_t i = 0; i < made; i++)
		joined += !perch_join(t[i], &result) && result == &b->thread[i];
	return joined;
}

int perch_burst(struct burst *b)
{
	perch_t *t = calloc(b->at_once, sizeof(*t));
	struct perch_stats before, after;
	uint64_t start;

	if (!t)
		return -ENOMEM;
	perch_stats_get(&before);
	start = now_ns();
	for (size_t i = 0; i < b->bursts; i++)
		b->joined += one_burst(b, t);
	b->ns = now_ns() - start;
	perch_stats_get(&after);
	b->yields = after.yields - before.yields;
	/* the last of a burst may have nobody left to yield to, and a few others, when the kernel
	 * kept the worker from its CPU so long that a second one came; with two workers, any may */
	b->yields_least = perch_workers() == 1 ? b->bursts * (b->at_once - 1) * 9 / 10 : 0;
	free(t);
	return 0;
}

static void call(void *arg)
{
	ticker_call(arg);
}

int perch_periodic(struct periodic *p)
{
	perch_timer_t *timer = calloc(p->timers, sizeof(*timer));
	size_t made = 0;
	int r = 0;

	if (!timer)
		return -ENOMEM;
	for (; made < p->timers && !r; made += !r)
		r = perch_timer_init(&timer[made], call, &p->ticker[made]);
	for (size_t i = 0; i < made && !r; i++) {
		ticker_arm(&p->ticker[i]);
		r = perch_timer_start(&timer[i], p->period_ns, p->period_ns);
	}
	periodic_begin(p);
	if (!r)
		r = perch_sleep(p->for_ns);
	for (size_t i = 0; i < made; i++) {
		int failed = perch_timer_destroy(&timer[i]);

		if (failed) /* it may still be used: its memory stays */
			return failed;
	}
	free(timer);
	return r;
}
