/* SPDX-License-Identifier: MIT */
/*
 * next.h - what a worker takes next, inlined where threads yield and end. sched.h says in which
 * order, and has what others call.
 */
#ifndef PERCH_SCHED_NEXT_H
#define PERCH_SCHED_NEXT_H

#include "core/sched/turn.h"

/* The one that has waited longest of those pinned to this worker; or 0. */
uintptr_t next_pinned(struct worker *w);
/*
 * When w->rounds have passed: a fair round, or a look for timers that are due,
 * whichever came first. While there are timers here, looks are 1 to 16 rounds
 * apart, as it takes for 5 to 20 us to pass between them; and while threads wait
 * for I/O. An item, or 0.
 */
uintptr_t next_slow_round(struct worker *w);
/*
 * Somebody asks for work, and what is here lies in the fair queue: its older half goes where
 * others find it. (A push answers too; but a worker may have hundreds of threads to run
 * before it next makes one ready.)
 */
void next_share_fair(struct worker *w);
/* As sched_admit(), of an item that is not started. */
struct thread *next_admit_new(uintptr_t item);

/*
 * Whether a queue has anything is first looked up at the worker's home, where
 * it is pinned; that spares the section for an empty one. A worker that was
 * moved away sees to its home's queues at its next round there.
 */
TURN_INLINE uintptr_t next_item(struct worker *w)
{
	struct percpu *home = processor_area(w->home);
	uintptr_t item;

	if (__builtin_expect(worker_called(w), 0)) {
		if (!worker_on_duty(w))
			return 0;
		if (__atomic_load_n(&w->fair_due, __ATOMIC_RELAXED)) {
			__atomic_store_n(&w->fair_due, 0, __ATOMIC_RELAXED);
			w->rounds = 1;
			w->fair_left = 0;
		}
		/* in every second round, so that neither they nor the others starve */
		if ((w->pinned_turn = !w->pinned_turn) && (item = next_pinned(w)))
			return item;
	}
	if (__builtin_expect(--w->rounds == 0, 0) && (item = next_slow_round(w)))
		return item;
	if (!ring_empty(home) && (item = ring_top(w)))
		return item;
	if (w->rounds & 1 && (item = (uintptr_t)processor_collect(w->home)))
		return item;
	if (__builtin_expect(!ring_fair_empty(home), 1)) {
		if (__builtin_expect(fair_is_asked_for(home), 0))
			next_share_fair(w);
		if ((item = fair_pop()))
			return item;
	}
	if ((item = (uintptr_t)processor_collect(w->home)))
		return item;
	if (!spill_empty() && (item = spill_take()))
		return item;
	return __builtin_expect(worker_has_pinned(w), 0) ? next_pinned(w) : 0;
}

TURN_INLINE struct thread *next_thread(struct worker *w)
{
	uintptr_t item;

	while ((item = next_item(w))) {
		struct thread *t;

		if (item_started(item))
			return (struct thread *)item;
		t = next_admit_new(item);
		if (t)
			return t;
	}
	return NULL;
}

#endif
