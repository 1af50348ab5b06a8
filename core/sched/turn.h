/* SPDX-License-Identifier: MIT */
/*
 * turn.h - the parts of a turn, from one thread to the next, that are inlined
 * where threads park, yield and end; sched.h has what others call.
 */
#ifndef PERCH_SCHED_TURN_H
#define PERCH_SCHED_TURN_H

#include <perch/task.h>

#include "core/sched/idle.h"
#include "core/sched/park.h"
#include "core/sched/sched.h"
#include "core/thread/fibre.h"
#include "core/thread/stack.h"
#include "rseq/inject.h"

#define TURN_INLINE static inline __attribute__((always_inline))

TURN_INLINE uintptr_t fair_pop(void)
{
	uintptr_t item;

	return ring_fair_pop(&item) == RING_DONE ? item : 0;
}

/* A request is there, and something would be left. */
TURN_INLINE bool fair_is_asked_for(const struct percpu *a)
{
	return __atomic_load_n(&a->request, __ATOMIC_RELAXED) && ring_fair_length(a) >= 2;
}

TURN_INLINE uintptr_t ring_top(struct worker *w)
{
	uintptr_t item = 0;
	unsigned r = ring_pop(&item);

	if (__builtin_expect(r & RING_ASKED, 0)) {
		stat_add(&w->stats.reveals, 1);
		idle_answer();
	}
	return (r & ~RING_ASKED) == RING_DONE ? item : 0;
}

/* It can be switched to as it is. */
TURN_INLINE bool item_started(uintptr_t item)
{
	return !(item & PERCH_TASK_TAG) && ((struct thread *)item)->flags & THREAD_STARTED;
}

/*
 * The next for a caller that holds a lock: what takes longer than a few loads
 * is left to the worker's own stack, which then is what is returned.
 */
TURN_INLINE struct thread *next_quick(struct worker *w)
{
	struct percpu *home = processor_area(w->home);
	uintptr_t item = 0;

	if (__builtin_expect(w->rounds == 1 || worker_called(w), 0))
		return &w->base; /* whose next round is a slow one */
	w->rounds--;
	if (!ring_empty(home))
		item = ring_top(w);
	if (!item && !ring_fair_empty(home) && !__builtin_expect(fair_is_asked_for(home), 0))
		item = fair_pop();
	if (!item)
		return &w->base;
	if (__builtin_expect(item_started(item), 1))
		return (struct thread *)item;
	w->brought = item;
	return &w->base;
}

/* What `from` has caught (exceptions.h) is as it was before. */
TURN_INLINE const void *switch_plainly(struct worker *w, struct thread *from, struct thread *to, switch_hook hook,
				       void *arg)
{
	const void *left;

	stat_add(&w->stats.switches, 1);
	w->current = to;
	perch_stack_limit = stack_limit(to->stack, to->stack_class);
	fibre_leave(from->stack, to->stack, w, false);
	left = switch_stack(&from->sp, to->sp, hook, arg);
	fibre_arrive(from->stack);
	return left;
}

/* The same, with what it has caught kept for it. */
const void *switch_with_exceptions(struct worker *w, struct thread *from, struct thread *to, switch_hook hook,
				   void *arg);

/* The result is for switch_return(). */
TURN_INLINE const void *switch_to(struct worker *w, struct thread *from, struct thread *to, switch_hook hook, void *arg)
{
	if (exceptions_any(w->exceptions))
		return switch_with_exceptions(w, from, to, hook, arg);
	return switch_plainly(w, from, to, hook, arg);
}

/* What a dump shows of it. */
TURN_INLINE void note_wait(struct worker *w, struct thread *t, enum park_reason reason, const void *wait_for)
{
	__atomic_store_n(&t->wait_for, wait_for, __ATOMIC_RELAXED);
	__atomic_store_n(&t->since, w->now_ms, __ATOMIC_RELAXED);
	__atomic_store_n(&t->reason, (uint8_t)reason, __ATOMIC_RELAXED);
	stat_add(&w->stats.parks, 1);
}

/*
 * park_with (park.h) - sleep until wake(), in the caller's own frame.
 * @t: sched_self()
 * @wait_for: what a dump shows
 * @unlock: called with @arg when the stack has been left (by a foreign pthread: before
 *          it sleeps); it must not switch threads
 *
 * The result is for switch_return(). May switch threads.
 */
TURN_INLINE const void *park_with(struct thread *t, enum park_reason reason, const void *wait_for, switch_hook unlock,
				  void *arg)
{
	struct worker *w;

	if (__builtin_expect(t->flags & THREAD_FOREIGN, 0)) {
		park_foreign(t, reason, wait_for, unlock, arg);
		return __builtin_return_address(0); /* nobody left */
	}
	w = worker_self();
	note_wait(w, t, reason, wait_for);
	inject();
	return switch_to(w, t, next_quick(w), unlock, arg);
}

#endif
