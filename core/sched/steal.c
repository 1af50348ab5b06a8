/* SPDX-License-Identifier: MIT */
#include "core/sched/steal.h"

#include <urcu-qsbr.h>

#include "core/sched/clock.h"
#include "core/sched/sched.h"
#include "rseq/inject.h"

#define ASK_NS 5000
#define FORCE_NS 50000
/* Most items brought home at once. */
#define HAUL 256

/* Keep the oldest, put the others where this CPU finds them. */
static uintptr_t bring_home(struct worker *w, const uintptr_t *item, unsigned n)
{
	stat_add(&w->stats.steals, 1);
	stat_add(&w->stats.stolen, n);
	for (unsigned i = 1; i < n; i++)
		sched_ready_item_always(item[i]);
	return item[0];
}

static uintptr_t take_shared(struct worker *w, struct percpu *victim)
{
	uintptr_t item[HAUL];
	uint64_t since;
	unsigned n;

	if (!ring_shared(victim))
		return 0;
	since = clock_ns();
	n = ring_steal(victim, item, HAUL);
	if (!n)
		return 0;
	stat_add(&w->stats.asked_steals, 1);
	stat_add(&w->stats.asked_steal_ns, clock_ns() - since);
	return bring_home(w, item, n);
}

static uintptr_t force(struct worker *w, struct processor *p)
{
	struct percpu *victim = processor_area(p);
	uint64_t now = clock_ns(), at = __atomic_load_n(&p->forced_at, __ATOMIC_RELAXED);
	uintptr_t item[HAUL];
	int n;

	if (now - at < FORCE_NS ||
	    !__atomic_compare_exchange_n(&p->forced_at, &at, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return 0;
	n = ring_force(victim, item, HAUL);
	if (n < 0)
		return 0;
	stat_add(&w->stats.forced, 1);
	if (!n)
		n = (int)ring_steal(victim, item, HAUL);
	stat_add(&w->stats.forced_ns, clock_ns() - now);
	return n > 0 ? bring_home(w, item, (unsigned)n) : 0;
}

uintptr_t steal_round(struct worker *w, struct steal_search *search)
{
	struct processor *home = w->home;
	bool busy = false;

	for (unsigned i = 0; i < home->victim_count; i++) {
		struct processor *p = home->victims[i];
		struct percpu *victim = processor_area(p);
		uintptr_t item = take_shared(w, victim);
		struct thread *t;

		inject();
		if (item)
			return item;
		t = processor_collect(p);
		if (t)
			return (uintptr_t)t;
		if (!ring_private(victim) && !ring_fair_length(victim))
			continue;
		busy = true;
		if (ring_ask(victim))
			stat_add(&w->stats.asked, 1);
		if (search->force) {
			item = force(w, p);
			if (item)
				return item;
		}
	}
	if (!busy)
		search->began = 0;
	else if (!search->began)
		search->began = clock_ns();
	search->force = search->began && clock_ns() - search->began > ASK_NS;
	return 0;
}
