/* SPDX-License-Identifier: MIT */
#include "core/sched/look.h"

#include "core/sched/handoff.h"
#include "core/sched/sched.h"
#include "core/sched/sleepers.h"
#include "rseq/barrier.h"
#include "rseq/inject.h"
#include "rseq/section_lock.h"

static bool anything(const struct processor *reach)
{
	struct processor_set *set = sched_set();

	for (unsigned i = 0; i < set->count; i++) {
		struct processor *p = set->processor[i];

		if ((!reach || p->domain == reach->domain || processor_retired(p)) && processor_has_work(p))
			return true;
	}
	return !spill_empty();
}

bool look_anything(void)
{
	return anything(NULL);
}

bool look_anything_for(const struct processor *p)
{
	return anything(p);
}

bool look_anything_pinned(void)
{
	for (unsigned i = 0; i < sched_workers(); i++)
		if (__atomic_load_n(&sched.workers[i].pinned, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

/* Nobody else is awake who might push and leave a request as it is. Sleepers are counted before
 * the others: who loses his seat is counted before somebody else has it, and sleeps. */
static bool all_others_sleep(struct worker *w)
{
	struct domain *d = domain_of(w);
	uint32_t awake = __atomic_load_n(&d->seats, __ATOMIC_SEQ_CST) - __atomic_load_n(&d->sleeping, __ATOMIC_SEQ_CST);

	inject();
	return awake <= !sleepers_has(w) && !handoff_any_lost();
}

/* False: not all do, or the caller was moved. */
static bool requests_stand(struct worker *w)
{
	struct processor_set *set = sched_set();

	for (unsigned i = 0; i < set->count; i++) {
		struct processor *p = set->processor[i];

		if (p->domain == w->home->domain && p != w->home && !ring_request_stands(processor_area(p)))
			return false;
	}
	inject();
	return ring_request_here(processor_area(w->home));
}

static void leave_requests(struct worker *w)
{
	struct processor_set *set = sched_set();

	for (unsigned i = 0; i < set->count; i++)
		if (set->processor[i]->domain == w->home->domain)
			ring_leave_request(processor_area(set->processor[i]), w->index);
	inject();
	/* in the fallback the areas' locks order the request before the next push */
	if (percpu_locked)
		for (unsigned i = 0; i < set->count; i++)
			percpu_pass_lock(processor_area(set->processor[i]));
	else
		barrier_all();
	stat_add(&w->stats.barriers, 1);
	inject();
	for (unsigned i = 0; i < set->count; i++)
		if (set->processor[i]->domain == w->home->domain)
			ring_let_stand(processor_area(set->processor[i]), w->index);
}

bool look_last(struct worker *w)
{
	if (!all_others_sleep(w) || !requests_stand(w))
		leave_requests(w);
	return look_anything_for(w->home);
}
