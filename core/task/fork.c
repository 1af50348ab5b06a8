/* SPDX-License-Identifier: MIT */
/* fork.c - the slow ways out of perch/task.h. */
#include <perch/task.h>

#include "core/sched/carrier.h"
#include "core/sched/idle.h"
#include "core/sched/park.h"
#include "core/sched/sched.h"
#include "core/thread/stack.h"

void perch_call_run(perch_task_t *task)
{
	perch_call_t *call = (perch_call_t *)task;

	call->fn(call->arg);
}

int perch_task_fork_slow(perch_task_t *task)
{
	int r = sched_check();

	if (r || !sched_ready_item((uintptr_t)task | PERCH_TASK_TAG))
		__atomic_store_n(&task->state, PERCH_TASK_HERE, __ATOMIC_RELAXED);
	return r;
}

/*
 * The stack is nearly used up: have the task run on one of its own, four times
 * as large, so that a recursion however deep changes stacks a few times only
 * (what is not touched costs addresses, no memory). False: there is none; so
 * it is run here after all, and the guard is there if it must be.
 */
static bool run_elsewhere(perch_task_t *task, unsigned class)
{
	struct stack *s = NULL;
	struct thread *t;

	class = class + 2 < STACK_CLASSES ? class + 2 : STACK_CLASSES - 1;
	while (!s && class > sched.default_class)
		s = stack_get(class --);
	if (!s)
		s = stack_get(sched.default_class);
	if (!s)
		return false;
	t = carrier_new(task, s->class);
	if (!t) { /* refused: the state says HERE */
		stack_put(s);
		return false;
	}
	t->stack = s;
	sched_ready(t);
	return true;
}

int perch_task_sync_slow(perch_task_t *task)
{
	uintptr_t state = __atomic_load_n(&task->state, __ATOMIC_ACQUIRE);
	struct thread *self = sched_self();
	int jump = 0;

	if (state)
		return state == PERCH_TASK_HERE;
	if (!sched_up())
		return 1; /* a fork()ed child: no worker will ever take it */
	if (!(self->flags & THREAD_FOREIGN)) {
		unsigned r = ring_pop_if((uintptr_t)task | PERCH_TASK_TAG);

		if (r & RING_ASKED) {
			stat_add(&worker_self()->stats.reveals, 1);
			idle_answer();
		}
		if ((r & ~RING_ASKED) == RING_DONE &&
		    (perch_stack_has_room() || !run_elsewhere(task, self->stack_class)))
			return 1;
	}
	if (__atomic_compare_exchange_n(&task->state, &state, (uintptr_t)self, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		while ((state = __atomic_load_n(&task->state, __ATOMIC_ACQUIRE)) == (uintptr_t)self)
			jump = park(PARK_SYNC, task);
	return switch_return_as_told(jump, state == PERCH_TASK_HERE);
}
