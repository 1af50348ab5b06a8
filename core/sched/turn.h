/* SPDX-License-Identifier: MIT */
/*
 * turn.h - the parts of a turn, from one thread to the next, that are inlined
 * where threads park, yield and end; sched.h has what others call.
 */
#ifndef PERCH_SCHED_TURN_H
#define PERCH_SCHED_TURN_H

#include <perch/task.h>

#include "core/sched/idle.h"
#include "core/sched/sched.h"
#include "core/thread/fibre.h"
#include "core/thread/stack.h"

#define TURN_INLINE static inline __attribute__((always_inline))

TURN_INLINE uintptr_t fair_pop(void)
{
	uintptr_t item;

	return ring_fair_pop(&item) == RING_DONE ? item : 0;
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
	if (!item && !ring_fair_empty(home))
		item = fair_pop();
	if (!item)
		return &w->base;
	if (__builtin_expect(item_started(item), 1))
		return (struct thread *)item;
	w->brought = item;
	return &w->base;
}

TURN_INLINE void switch_to(struct worker *w, struct thread *from, struct thread *to, switch_hook hook, void *arg)
{
	stat_add(&w->stats.switches, 1);
	w->current = to;
	perch_stack_limit = stack_limit(to->stack, to->stack_class);
	fibre_leave(from->stack, to->stack, w, false);
	switch_stack(&from->sp, to->sp, hook, arg);
	fibre_arrive(from->stack);
}

#endif
