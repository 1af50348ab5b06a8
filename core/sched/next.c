/* SPDX-License-Identifier: MIT */
/* next.c - what a worker takes next: what is not looked at in each turn. */
#include "core/sched/next.h"

#include "core/sched/carrier.h"
#include "core/sched/clock.h"
#include "core/sched/ready.h"
#include "core/sched/sleepers.h"
#include "core/sched/steal.h"
#include "core/sched/timers.h"

#define COLD __attribute__((cold))

#define TIMER_GAP_NS UINT64_C(5000)
#define TIMER_EVERY 16
#define IO_GAP_NS UINT64_C(50000) /* between looks of busy workers */

static uintptr_t old_end(void)
{
	struct percpu *a = percpu_here();
	uintptr_t item;

	if (!a)
		return 0;
	if (!ring_shared(a))
		ring_publish();
	return ring_steal(a, &item, 1) ? item : 0;
}

/* Every 61st round: whoever would otherwise come last. Each of the four is
 * first in its turn, or one that is never empty would keep off the others. */
static uintptr_t fair_round(struct worker *w)
{
	uintptr_t item = 0;
	unsigned first = w->fair_rounds;

	__atomic_store_n(&w->fair_rounds, first + 1, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < 4 && !item; i++) {
		switch ((first + i) % 4) {
		case 0:
			item = (uintptr_t)processor_collect(w->home);
			break;
		case 1:
			item = fair_pop();
			break;
		case 2:
			item = old_end();
			break;
		default:
			/* what is left of processors that are out of use counts as overflow */
			if (__atomic_load_n(&sched.retired, __ATOMIC_RELAXED) && w->fair_rounds / 4 % 2)
				item = steal_left(w);
			if (!item && !spill_empty())
				item = spill_take();
			if (!item && __atomic_load_n(&sched.retired, __ATOMIC_RELAXED))
				item = steal_left(w);
		}
	}
	return item;
}

COLD uintptr_t next_pinned(struct worker *w)
{
	struct thread *t = w->pinned_first, *top;

	if (!t) {
		top = __atomic_exchange_n(&w->pinned, NULL, __ATOMIC_ACQUIRE);
		inject();
		while (top) { /* the last came first */
			struct thread *next = top->next;

			top->next = t;
			t = top;
			top = next;
		}
	}
	w->pinned_first = t ? t->next : NULL;
	return (uintptr_t)t;
}

/*
 * Timers that are always due, since their periods are shorter than all of them take, would leave
 * threads one round between two looks. So firing takes half of the time at most. How long it
 * took counts neither as a gap between looks.
 */
static void fire(struct worker *w, struct timers *timers, uint64_t now)
{
	uint64_t end;

	if (now < w->fire_not_ns || !timers_run(timers, now))
		return;
	end = clock_ns();
	w->looked_ns = end;
	w->fire_not_ns = end + (end - now);
}

COLD uintptr_t next_slow_round(struct worker *w)
{
	struct timers *timers = &w->home->timers;
	bool fair = !w->fair_left, io = idle_io_unwatched();
	uint64_t now, gap;

	if (fair)
		w->fair_left = SCHED_FAIR_ROUND;
	if (__builtin_expect(__atomic_load_n(&sched.state, __ATOMIC_RELAXED) == SCHED_FORKED, 0)) {
		/* timers, and descriptors that are ready, are the parent's */
		w->rounds = w->fair_left;
		w->fair_left = 0;
		return 0;
	}
	if (fair || timers_next(timers) != CLOCK_NEVER || io) {
		now = clock_ns();
		gap = now - w->looked_ns;
		w->looked_ns = now;
		w->now_ms = sched_age_ms(now);
		if (gap < TIMER_GAP_NS && w->timer_every < TIMER_EVERY)
			w->timer_every *= 2;
		else if (gap > 4 * TIMER_GAP_NS && w->timer_every > 1)
			w->timer_every /= 2;
		fire(w, timers, now);
		idle_io_look(now, IO_GAP_NS);
		if (fair && __atomic_load_n(&sched.retired, __ATOMIC_RELAXED))
			timers_run_retired(now);
	}
	w->rounds = w->fair_left;
	if ((timers_next(timers) != CLOCK_NEVER || io) && w->timer_every < w->rounds)
		w->rounds = w->timer_every;
	w->fair_left -= w->rounds;
	return fair ? fair_round(w) : 0;
}

COLD void next_share_fair(struct worker *w)
{
	struct percpu *a = processor_area(w->home);

	if (percpu_here() != a || !ring_take_request(a))
		return;
	inject();
	stat_add(&w->stats.reveals, 1);
	if (!sleepers_apart()) {
		spill_fair(w);
	} else { /* an overflow queue is everybody's */
		for (unsigned n = ring_fair_length(a) / 2; n; n--) {
			uintptr_t item = fair_pop();

			if (item)
				ready_elsewhere((struct thread *)item);
		}
	}
	idle_answer();
}

/* Give a new thread its stack. */
static bool dress(struct worker *w, struct thread *t)
{
	struct stack *s = t->stack ? t->stack : stack_get(t->stack_class);

	if (!s)
		return false;
	s->fn = t->fn;
	s->thread = t;
	s->cpu = (uint16_t)w->home->cpu;
	t->stack = s;
	t->stack_home = (uint8_t)s->home;
	thread_set_flag(t, THREAD_STARTED);
	fibre_new(s);
	t->sp = switch_prepare(stack_top(s));
	return true;
}

struct thread *next_admit_new(uintptr_t item)
{
	struct thread *t;

	if (item & PERCH_TASK_TAG) {
		t = carrier_new((perch_task_t *)(item & ~PERCH_TASK_TAG), sched.default_class);
		if (!t)
			return NULL;
	} else {
		t = (struct thread *)item;
	}
	if (dress(worker_self(), t))
		return t;
	if (t->flags & THREAD_CARRIER) {
		carrier_refuse(t->arg);
		thread_free(t, &worker_self()->kept);
	} else {
		thread_set_flag(t, THREAD_NEVER_RAN);
		sched_finish(t);
	}
	return NULL;
}

struct thread *sched_admit(uintptr_t item)
{
	return item_started(item) ? (struct thread *)item : next_admit_new(item);
}

struct thread *sched_next_pinned(struct worker *w)
{
	uintptr_t item = next_pinned(w);

	return item ? sched_admit(item) : NULL;
}

struct thread *sched_next(struct worker *w)
{
	return next_thread(w);
}
