/* SPDX-License-Identifier: MIT */
/* sched.c - from one thread to the next: switch, begin, yield, end. */
#include "core/sched/sched.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <perch/perch.h>

#include "core/sched/next.h"
#include "core/sched/outermost.h"
#include "core/sched/park.h"
#include "core/sched/ready.h"
#include "core/thread/fibre.h"
#include "core/thread/lists.h"
#include "core/thread/locals.h"
#include "core/thread/stack.h"
#include "rseq/inject.h"

#define COLD __attribute__((cold, noinline))

struct sched sched;

__thread struct worker *perch_worker;
/* Of a foreign pthread: no room, so that its tasks are run by workers. */
__thread uintptr_t perch_stack_limit = UINTPTR_MAX;

int sched_check(void)
{
	static uint32_t told;

	switch (__atomic_load_n(&sched.state, __ATOMIC_ACQUIRE)) {
	case SCHED_UP:
		return 0;
	case SCHED_FORKED:
		if (!__atomic_exchange_n(&told, 1, __ATOMIC_RELAXED))
			fprintf(stderr,
				"perch: process %d is the child of a fork() of a running perch program: it may exec, "
				"but its workers do not exist, so perch calls fail with -EPERM\n",
				(int)getpid());
		return -EPERM;
	default:
		return -EINVAL;
	}
}

/* A call: where errno is must not be remembered. */
__attribute__((noinline)) void sched_set_errno(int value)
{
	errno = value;
}

void sched_switch(struct worker *w, struct thread *from, struct thread *to, switch_hook hook, void *arg)
{
	switch_to(w, from, to, hook, arg);
}

/* Nobody joins it, so nobody is told by an error. */
static COLD void never_ran(struct thread *t)
{
	char name[PERCH_NAME_MAX + 1];

	if (__atomic_fetch_add(&sched.never_ran, 1, __ATOMIC_RELAXED))
		return;
	thread_read_name(t, name, true);
	fprintf(stderr, "perch: detached thread '%s' never ran: no stack to be had (others that do not are counted)\n",
		name);
}

void sched_finish(struct thread *t)
{
	uintptr_t joiner = __atomic_load_n(&t->joiner, __ATOMIC_ACQUIRE); /* a detach comes before the free below */

	if (t->flags & THREAD_CARRIER) {
		thread_free(t, &worker_self()->kept);
		return;
	}
	/* one that waits already has it: nobody who comes now may take it from him */
	while (joiner != JOIN_DETACHED &&
	       !__atomic_compare_exchange_n(&t->joiner, &joiner, joiner ? JOIN_TAKEN : JOIN_ENDED, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	if (joiner == JOIN_DETACHED) {
		if (t->flags & THREAD_NEVER_RAN)
			never_ran(t);
		thread_free(t, &worker_self()->kept);
	} else if (joiner > JOIN_LAST) {
		unpark((struct thread *)joiner);
	}
	stat_add(&worker_self()->stats.finished, 1);
}

/* Hook: the ended thread's stack has been left. */
static void bury(void *arg)
{
	struct stack *s = arg;

	fibre_end(s);
	stack_put(s);
}

void sched_end(void)
{
	struct worker *w = worker_self();
	struct thread *t = w->current, *next;
	struct stack *s = t->stack;
	uint8_t home = t->stack_home;
	uintptr_t item;
	void *nowhere;

	if (__builtin_expect(t->flags & THREAD_LEAVES, 0)) {
		locals_end(t);
		w = worker_self();
	}
	/* from here on t belongs to its joiner; what runs here is nobody's */
	w->current = &w->base;
	s->thread = NULL;
	t->stack = NULL;
	sched_finish(t);
	w = worker_self();
	for (;;) {
		item = next_item(w);
		if (!item) {
			next = &w->base;
			break;
		}
		next = FIBRE_REUSE && !(item & PERCH_TASK_TAG) ? (struct thread *)item : NULL;
		if (next && !next->stack && stack_fits(s, next->stack_class)) {
			/* a new thread can have this stack as it is */
			s->fn = next->fn;
			s->thread = next;
			next->stack = s;
			next->stack_home = home;
			thread_set_flag(next, THREAD_STARTED);
			w->current = next;
			perch_stack_limit = stack_limit(s, s->class);
			stat_add(&w->stats.switches, 1);
			switch_restart(stack_top(s));
		}
		next = sched_admit(item);
		if (next)
			break;
	}
	stat_add(&w->stats.switches, 1);
	w->current = next;
	perch_stack_limit = stack_limit(next->stack, next->stack_class);
	fibre_leave(s, next->stack, w, true);
	switch_stack(&nowhere, next->sp, bury, s);
	__builtin_unreachable();
}

void perch_switch_first(switch_hook hook, void *arg)
{
	struct thread *t;

	OUTERMOST();
	fibre_arrive(NULL);
	if (hook)
		hook(arg);
	t = worker_self()->current;
	if (t->flags & THREAD_PLAIN)
		((void (*)(void *))(uintptr_t)t->stack->fn)(t->arg);
	else
		t->arg = t->stack->fn(t->arg);
	sched_end();
}

/* Hook: the yielding thread has been saved. If somebody wants work, it is what
 * they get: the overflow queue is in everybody's reach. */
static void yield_commit(void *arg)
{
	struct thread *t = arg;

	if (goes_apart(t) && ready_apart(t))
		return;
	ready_last(t);
}

int sched_yield_now(void)
{
	struct worker *w = worker_self();
	struct thread *t = w->current, *next = next_thread(w);

	if (!next) {
		if (worker_on_duty(w) && (!sched.shuffle || t->flags & THREAD_PINNED || !sched_up()))
			return sched_check();
		next = &w->base; /* it moves even if nobody else is there */
	}
	stat_add(&w->stats.yields, 1);
	inject();
	return switch_return(switch_to(w, t, next, yield_commit, t), 0);
}
