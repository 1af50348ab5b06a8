/* SPDX-License-Identifier: MIT */
#include "core/sched/steal.h"

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

/* Of a processor that is out of use: it is asked for nothing, as nobody is there. */
static uintptr_t inherit(struct worker *w, struct processor *p)
{
	struct percpu *gone = processor_area(p);
	uintptr_t item[HAUL], first = take_shared(w, gone);
	struct thread *t;
	int n;

	if (first)
		return first;
	t = processor_collect(p);
	if (t)
		return (uintptr_t)t;
	if (!ring_private(gone) && !ring_fair_length(gone))
		return 0;
	n = ring_inherit(gone, item, HAUL);
	if (n > 0)
		return bring_home(w, item, (unsigned)n);
	return n ? 0 : take_shared(w, gone);
}

uintptr_t steal_left(struct worker *w)
{
	struct processor_set *set = sched_set();
	uintptr_t item = 0;

	for (unsigned i = 0; i < set->count && !item; i++)
		if (processor_retired(set->processor[i]))
			item = inherit(w, set->processor[i]);
	return item;
}

uintptr_t steal_round(struct worker *w, struct steal_search *search)
{
	struct processor *home = w->home;
	const struct victims *victims = __atomic_load_n(&home->victims, __ATOMIC_ACQUIRE);
	/* one that the kernel has put on another CPU reaches its home like any thief */
	unsigned count = victims->count + (percpu_cpu() != home->cpu);
	bool busy = false;

	for (unsigned i = 0; i < count; i++) {
		struct processor *p = i < victims->count ? victims->processor[i] : home;
		struct percpu *victim = processor_area(p);
		bool retired = processor_retired(p);
		uintptr_t item = retired ? inherit(w, p) : take_shared(w, victim);
		struct thread *t;

		inject();
		if (item)
			return item;
		if (retired)
			continue;
		/* threads that are shuffled are left to whom they were sent, for a while */
		if (__builtin_expect(!sched.shuffle || search->force, 1)) {
			t = processor_collect(p);
			if (t)
				return (uintptr_t)t;
		} else if (!processor_inbox_empty(p)) {
			busy = true;
		}
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
