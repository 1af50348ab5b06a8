/* SPDX-License-Identifier: MIT */
#include "core/sched/steal.h"

#include "core/sched/clock.h"
#include "core/sched/handoff.h"
#include "core/sched/sched.h"
#include "rseq/inject.h"

#define FORCE_NS 50000
#define SINGLE_NS 2000
#define WATCH_NS 100000 /* not looked at for so long: nobody watches it any more */
/* Most items brought home at once. */
#define HAUL 256

static void count(struct worker *w, int tier, unsigned n)
{
	stat_add(&w->stats.steals, 1);
	stat_add(&w->stats.stolen, n);
	stat_add(&w->stats.steals_by_tier[policy_tier(tier)], 1);
	stat_add(&w->stats.stolen_by_tier[policy_tier(tier)], n);
}

/* Keep the oldest, put the others where this CPU finds them. */
static uintptr_t bring_home(struct worker *w, const uintptr_t *item, unsigned n, int tier)
{
	count(w, tier, n);
	for (unsigned i = 1; i < n; i++)
		sched_ready_item_always(item[i]);
	/* the neighbours wait for it, and need not ask */
	if (n > 1 && policy_far(tier))
		ring_publish();
	return item[0];
}

static uintptr_t take_shared(struct worker *w, struct percpu *victim, int tier)
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
	return bring_home(w, item, n, tier);
}

static uintptr_t take_inbox(struct worker *w, struct processor *p, int tier)
{
	struct thread *t = NULL;
	unsigned n;

	if (!processor_inbox_empty(p) && (t = processor_collect_slow(p, &n))) {
		count(w, tier, n);
		if (n > 1 && policy_far(tier))
			ring_publish();
	}
	return (uintptr_t)t;
}

static uintptr_t force(struct worker *w, struct processor *p, int tier)
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
	return n > 0 ? bring_home(w, item, (unsigned)n, tier) : 0;
}

/* Of a processor that is out of use: it is asked for nothing, as nobody is there; and it
 * is everybody's, whatever the policy. */
static uintptr_t inherit(struct worker *w, struct processor *p, int tier)
{
	struct percpu *gone = processor_area(p);
	uintptr_t item[HAUL], first = take_shared(w, gone, tier);
	int n;

	if (first || (first = take_inbox(w, p, tier)))
		return first;
	if (!ring_private(gone) && !ring_fair_length(gone))
		return 0;
	n = ring_inherit(gone, item, HAUL);
	if (n > 0)
		return bring_home(w, item, (unsigned)n, tier);
	return n ? 0 : take_shared(w, gone, tier);
}

uintptr_t steal_left(struct worker *w)
{
	const struct victims *victims = __atomic_load_n(&w->home->victims, __ATOMIC_ACQUIRE);
	uintptr_t item = 0;

	for (unsigned i = 0; i < victims->count && !item; i++)
		if (processor_retired(victims->victim[i].processor))
			item = inherit(w, victims->victim[i].processor, victims->victim[i].tier);
	return item;
}

/*
 * A single item is left alone while its owner goes from thread to thread: who wakes another and
 * then waits itself would have run that one at once, on warm caches. It is asked for
 * when nobody has switched there for SINGLE_NS, and by the request that is left before a sleep.
 *
 * An owner that has nothing for others, and computes, is asked in advance: its next fork is
 * shared at once, where one that found it later would have to interrupt it.
 *
 * Each look is one at each victim's. Of several victims that would share a watch, the first has it.
 */
static struct steal_watch *look_at(struct worker *w, struct processor *p, uint64_t now)
{
	struct steal_watch *s = &w->watch[p->cpu % STEAL_WATCHES];
	uint64_t switches = 0;

	if (s->at != p) {
		if (s->at && now - s->looked < WATCH_NS)
			return NULL;
		*s = (struct steal_watch){.at = p};
	}
	for (unsigned i = 0; i < p->seats; i++) {
		const struct worker *holder = seat_holder(p, i);

		if (holder)
			switches += __atomic_load_n(&holder->stats.switches, __ATOMIC_RELAXED);
	}
	if (s->switches != switches || !s->still) {
		s->switches = switches;
		s->still = now;
	}
	s->looked = now;
	return s;
}

static bool leave_alone(struct worker *w, struct processor *p, uint64_t now)
{
	const struct steal_watch *s = look_at(w, p, now);

	if (!s || now - s->still >= SINGLE_NS)
		return false;
	w->watches = true;
	return true;
}

static bool may_ask_in_advance(struct worker *w, struct processor *p, uint64_t now)
{
	const struct steal_watch *s;

	if (__atomic_load_n(&processor_area(p)->request, __ATOMIC_RELAXED))
		return false; /* asked already: spare it the look at its worker */
	s = look_at(w, p, now);

	return s && now - s->still >= SINGLE_NS;
}

/* At one that is in use, as far as `step` goes. */
static uintptr_t rob(struct worker *w, struct policy_search *search, struct processor *p, int tier,
		     enum policy_step step)
{
	struct percpu *victim = processor_area(p);
	/* threads that are shuffled are left to whom they were sent, for a while */
	bool inbox = __builtin_expect(!sched.shuffle, 1) ? policy_may_rob_inbox(&sched.policy, search, tier)
							 : policy_may_force(&sched.policy, search, tier);
	uintptr_t item;
	unsigned n;

	if (step == POLICY_LOOK) {
		if (processor_has_work(p))
			policy_saw(search, tier);
		return 0;
	}
	if ((item = take_shared(w, victim, tier)))
		return item;
	inject();
	if (inbox && (item = take_inbox(w, p, tier)))
		return item;
	if (!inbox && !processor_inbox_empty(p))
		policy_saw(search, tier);
	n = ring_private(victim) + ring_fair_length(victim);
	if (!n && (policy_far(tier) || !may_ask_in_advance(w, p, search->now)))
		return 0;
	if (n)
		policy_saw(search, tier);
	if (n == 1 && leave_alone(w, p, search->now))
		return 0;
	if (ring_ask(victim))
		stat_add(&w->stats.asked, 1);
	return n && policy_may_force(&sched.policy, search, tier) ? force(w, p, tier) : 0;
}

uintptr_t steal_round(struct worker *w, struct policy_search *search)
{
	struct processor *home = w->home;
	const struct victims *victims = __atomic_load_n(&home->victims, __ATOMIC_ACQUIRE);
	struct policy_gate *gate = &sched.gate[sched_node(home)];
	uint64_t random = worker_random(w);
	unsigned count = victims->count;
	uintptr_t item;

	w->watches = false;
	policy_round_begin(search, clock_ns());
	for (unsigned i = 0; i < count; i++) {
		unsigned at = policy_victim(&sched.policy, i, victims->victim[i].begin, victims->victim[i].of_tier,
					    count, random);
		struct processor *p = victims->victim[at].processor;
		int tier = victims->victim[at].tier;

		if (processor_retired(p)) {
			item = inherit(w, p, tier);
			inject();
		} else {
			enum policy_step step = policy_step(&sched.policy, search, gate, tier);

			item = step == POLICY_PASS ? 0 : rob(w, search, p, tier, step);
			if (item)
				policy_took(&sched.policy, search, gate, tier);
		}
		if (item)
			return item;
	}
	/* one that the kernel has put on another CPU reaches its home like any thief */
	if (percpu_cpu() != home->cpu &&
	    (item = processor_retired(home) ? inherit(w, home, TIER_SIBLING)
					    : rob(w, search, home, TIER_SIBLING, POLICY_TAKE)))
		return item;
	policy_round_end(search);
	return 0;
}
