/* SPDX-License-Identifier: MIT */
#include "core/sched/sched.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include <perch/perch.h>

#include "core/sched/clock.h"
#include "core/sched/idle.h"
#include "core/sched/park.h"
#include "core/sched/steal.h"
#include "core/sched/carrier.h"
#include "core/thread/fibre.h"
#include "core/thread/lists.h"
#include "core/thread/stack.h"
#include "rseq/counter.h"
#include "rseq/inject.h"
#include "rseq/section_lock.h"

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

/* ---- making ready ---- */

/* The section said SLOW: find out why, make room, tell who asked. */
static __attribute__((noinline)) bool push_slow(uintptr_t item)
{
	for (;;) {
		unsigned r = ring_push_slow(item);

		if (r == RING_DONE)
			return true;
		if ((r & ~RING_ASKED) == RING_FULL && spill_ring(worker_self())) {
			if (r & RING_ASKED)
				idle_notify();
			continue;
		}
		if (r & RING_ASKED) {
			struct worker *w = worker_self();

			if (w)
				stat_add(&w->stats.reveals, 1);
			idle_notify();
		}
		if ((r & ~RING_ASKED) == RING_DONE)
			return true;
		return false;
	}
}

static inline __attribute__((always_inline)) bool push(uintptr_t item)
{
	return __builtin_expect(section_push(item) == SECTION_DONE, 1) || push_slow(item);
}

bool sched_ready_item(uintptr_t item)
{
	return push(item) || spill_item(item);
}

void sched_ready(struct thread *t)
{
	struct processor_set *set;
	static uint32_t turn;

	if (push((uintptr_t)t))
		return;
	/* A foreign pthread is no QSBR reader, but the set that it sees here is
	 * only freed after the runtime has stopped. */
	set = __atomic_load_n(&sched.set, __ATOMIC_ACQUIRE);
	processor_post(set->processor[__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % set->count], t);
	idle_notify();
}

void sched_ready_item_always(uintptr_t item)
{
	if (!(item & PERCH_TASK_TAG))
		sched_ready((struct thread *)item);
	else if (!sched_ready_item(item))
		carrier_refuse((perch_task_t *)(item & ~PERCH_TASK_TAG));
}

/* ---- what to run next ---- */

#define INLINE static inline __attribute__((always_inline))
#define COLD __attribute__((noinline, cold))

INLINE uintptr_t fair_pop(void)
{
	uintptr_t item;

	return ring_fair_pop(&item) == RING_DONE ? item : 0;
}

INLINE uintptr_t ring_top(struct worker *w)
{
	uintptr_t item = 0;
	unsigned r = ring_pop(&item);

	if (__builtin_expect(r & RING_ASKED, 0)) {
		stat_add(&w->stats.reveals, 1);
		idle_notify();
	}
	return (r & ~RING_ASKED) == RING_DONE ? item : 0;
}

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
COLD static uintptr_t fair_round(struct worker *w)
{
	uintptr_t item = 0;
	unsigned first = w->fair_rounds++;

	w->rounds = SCHED_FAIR_ROUND;
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
			item = spill_empty() ? 0 : spill_take();
		}
	}
	return item;
}

/*
 * Whether a queue has anything is first looked up at the worker's home, where
 * it is pinned; that spares the section for an empty one. A worker that was
 * moved away sees to its home's queues at its next round there.
 */
INLINE uintptr_t next_item(struct worker *w)
{
	struct percpu *home = processor_area(w->home);
	uintptr_t item;

	if (__builtin_expect(--w->rounds == 0, 0) && (item = fair_round(w)))
		return item;
	if (!ring_empty(home) && (item = ring_top(w)))
		return item;
	if (w->rounds & 1 && (item = (uintptr_t)processor_collect(w->home)))
		return item;
	if (__builtin_expect(!ring_fair_empty(home), 1) && (item = fair_pop()))
		return item;
	if ((item = (uintptr_t)processor_collect(w->home)))
		return item;
	return spill_empty() ? 0 : spill_take();
}

/* Give a new thread its stack. */
static bool dress(struct thread *t)
{
	struct stack *s = t->stack ? t->stack : stack_get(t->stack_class);

	if (!s)
		return false;
	s->fn = t->fn;
	s->thread = t;
	t->stack = s;
	t->flags |= THREAD_STARTED;
	fibre_new(s);
	t->sp = switch_prepare(stack_top(s));
	return true;
}

static void finish(struct thread *t);

static __attribute__((noinline)) struct thread *admit_new(uintptr_t item)
{
	struct thread *t;

	if (item & PERCH_TASK_TAG) {
		t = carrier_new((perch_task_t *)(item & ~PERCH_TASK_TAG), sched.default_class);
		if (!t)
			return NULL;
	} else {
		t = (struct thread *)item;
	}
	if (dress(t))
		return t;
	if (t->flags & THREAD_CARRIER) {
		carrier_refuse(t->arg);
		thread_free(t);
	} else {
		t->flags |= THREAD_NEVER_RAN;
		finish(t);
	}
	return NULL;
}

struct thread *sched_admit(uintptr_t item)
{
	if (!(item & PERCH_TASK_TAG) && ((struct thread *)item)->flags & THREAD_STARTED)
		return (struct thread *)item;
	return admit_new(item);
}

INLINE struct thread *next_thread(struct worker *w)
{
	uintptr_t item;

	while ((item = next_item(w))) {
		struct thread *t;

		if (!(item & PERCH_TASK_TAG) && ((struct thread *)item)->flags & THREAD_STARTED)
			return (struct thread *)item;
		t = admit_new(item);
		if (t)
			return t;
	}
	return NULL;
}

struct thread *sched_next(struct worker *w)
{
	return next_thread(w);
}

/* ---- switching ---- */

INLINE void switch_to(struct worker *w, struct thread *from, struct thread *to, switch_hook hook, void *arg)
{
	stat_add(&w->stats.switches, 1);
	w->current = to;
	perch_stack_limit = stack_limit(to->stack, to->stack_class);
	fibre_leave(from->stack, to->stack, w, false);
	switch_stack(&from->sp, to->sp, hook, arg);
	fibre_arrive(from->stack);
}

void sched_switch(struct worker *w, struct thread *from, struct thread *to, switch_hook hook, void *arg)
{
	switch_to(w, from, to, hook, arg);
}

/* The end of a thread's life, seen from another stack or from its own last
 * moments: after this, t may be gone. */
static void finish(struct thread *t)
{
	uintptr_t joiner = __atomic_load_n(&t->joiner, __ATOMIC_ACQUIRE); /* a detach comes before the free below */

	if (t->flags & THREAD_CARRIER) {
		thread_free(t);
		return;
	}
	/* one that waits already has it: nobody who comes now may take it from him */
	while (joiner != JOIN_DETACHED &&
	       !__atomic_compare_exchange_n(&t->joiner, &joiner, joiner ? JOIN_TAKEN : JOIN_ENDED, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	if (joiner == JOIN_DETACHED) {
		if (t->flags & THREAD_NEVER_RAN)
			fprintf(stderr, "perch: detached thread %s never ran: no stack to be had\n",
				t->name ? t->name : "");
		thread_free(t);
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
	uintptr_t item;
	void *nowhere;

	/* from here on t belongs to its joiner; what runs here is nobody's */
	w->current = &w->base;
	s->thread = NULL;
	t->stack = NULL;
	finish(t);
	w = worker_self();
	for (;;) {
		item = next_item(w);
		if (!item) {
			next = &w->base;
			break;
		}
		next = FIBRE_REUSE && !(item & PERCH_TASK_TAG) ? (struct thread *)item : NULL;
		if (next && !next->stack && next->stack_class == s->class) {
			/* a new thread can have this stack as it is */
			s->fn = next->fn;
			s->thread = next;
			next->stack = s;
			next->flags |= THREAD_STARTED;
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
	if (__builtin_expect(ring_fair_push((uintptr_t)arg) != RING_DONE, 0))
		if (!spill_item((uintptr_t)arg))
			sched_ready(arg);
}

int sched_yield_now(void)
{
	struct worker *w = worker_self();
	struct thread *t = w->current, *next = next_thread(w);

	if (!next)
		return sched_check();
	stat_add(&w->stats.yields, 1);
	inject();
	switch_to(w, t, next, yield_commit, t);
	return 0;
}

/* ---- a worker's life ---- */

static uintptr_t search(struct worker *w, bool searching)
{
	struct steal_search s = {0, false};

	for (;;) {
		uint64_t until;
		uintptr_t item;

		if (!searching)
			searching = idle_search_begin();
		until = clock_ns() + w->spin_ns;
		do {
			item = next_item(w);
			if (!item)
				item = steal_round(w, &s);
			if (item) {
				if (searching)
					idle_search_end(true);
				return item;
			}
			if (__atomic_load_n(&sched.quitting, __ATOMIC_ACQUIRE) ||
			    __atomic_load_n(&sched.state, __ATOMIC_RELAXED) == SCHED_FORKED) {
				if (searching)
					idle_search_end(false);
				return 0;
			}
			urcu_qsbr_quiescent_state();
			if (sched.crowded)
				sched_yield();
			else
				for (int i = 0; i < 16; i++)
					percpu_relax();
		} while (searching && clock_ns() < until);
		searching = idle_sleep(w, searching);
	}
}

void sched_loop(struct worker *w)
{
	for (;;) {
		struct thread *t = sched_next(w);

		if (!t) {
			uintptr_t item = search(w, false);

			if (!item)
				return;
			t = sched_admit(item);
			if (!t)
				continue;
		}
		urcu_qsbr_quiescent_state();
		sched_switch(w, &w->base, t, NULL, NULL);
	}
}
