/* SPDX-License-Identifier: MIT */
#include "core/sched/carrier.h"

#include "core/sched/park.h"
#include "core/sched/worker.h"
#include "core/thread/locals.h"
#include "rseq/inject.h"

static void settle(perch_task_t *task, uintptr_t state)
{
	uintptr_t waiter;

	inject();
	waiter = __atomic_exchange_n(&task->state, state, __ATOMIC_ACQ_REL);
	if (waiter)
		unpark((struct thread *)waiter);
}

static void *carry(void *arg)
{
	struct worker *w = worker_self();
	struct thread *self = w->current;
	perch_task_t *task = arg;

	stat_add(&w->stats.carried, 1);
	task->run(task);
	/* while its forker still waits: nobody else waits for a carrier's end */
	if (__builtin_expect(self->flags & THREAD_LEAVES, 0))
		locals_end(self);
	settle(task, PERCH_TASK_DONE);
	return NULL;
}

struct thread *carrier_new(perch_task_t *task, unsigned stack_class)
{
	struct thread *t = thread_new(worker_kept(worker_self()));

	if (!t) {
		carrier_refuse(task);
		return NULL;
	}
	t->fn = carry;
	t->arg = task;
	t->joiner = JOIN_DETACHED;
	thread_set_flag(t, THREAD_CARRIER);
	t->stack_class = (uint8_t)stack_class;
	return t;
}

void carrier_refuse(perch_task_t *task)
{
	settle(task, PERCH_TASK_HERE);
}
