/* SPDX-License-Identifier: MIT */
/* ready.c - an item is put where it will be run. */
#include "core/sched/ready.h"

#include "core/sched/aim.h"
#include "core/sched/carrier.h"
#include "core/sched/handoff.h"
#include "core/sched/idle.h"
#include "core/sched/sleepers.h"
#include "core/thread/stack.h"
#include "rseq/inject.h"
#include "rseq/section_lock.h"

/* The section said SLOW: find out why, make room, tell who asked. */
static __attribute__((noinline)) bool push_slow(uintptr_t item)
{
	for (;;) {
		unsigned r = ring_push_slow(item);

		if (r == RING_DONE)
			return true;
		if ((r & ~RING_ASKED) == RING_FULL && spill_ring(worker_self())) {
			if (r & RING_ASKED)
				idle_answer();
			continue;
		}
		if (r & RING_ASKED) {
			struct worker *w = worker_self();

			if (w)
				stat_add(&w->stats.reveals, 1);
			idle_answer();
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

__attribute__((noinline)) void ready_elsewhere(struct thread *t)
{
	static uint32_t turn;
	struct worker *w = worker_self();
	struct percpu *a = sleepers_apart() ? percpu_here() : NULL;
	struct processor *p;

	if (a && w && !processor_retired(w->home))
		p = w->home;
	else if (a)
		p = area_processor(a);
	else
		p = set_choose(__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED));
	processor_post(p, t);
	idle_notify_at(p);
}

/* The same for a thread that is new, or a task, where others may not have what is here: an
 * overflow queue is everybody's. False: they may. */
static bool keep_apart(uintptr_t item)
{
	struct thread *t = (struct thread *)item;

	if (!sleepers_apart())
		return false;
	if (item & PERCH_TASK_TAG)
		t = carrier_new((perch_task_t *)(item & ~PERCH_TASK_TAG), sched.default_class);
	if (t) /* else it has been refused: its forker runs it */
		ready_elsewhere(t);
	return true;
}

bool sched_ready_item(uintptr_t item)
{
	return push(item) || keep_apart(item) || spill_item(item);
}

/* Any pthread: into the queue of the worker that it is pinned to, which alone
 * can run it. The thread may be gone when it is there. */
static void ready_pinned(struct thread *t)
{
	struct worker *w = t->stack->pinned_to;
	struct thread *top = NULL; /* mostly: a look would take the line twice */

	do {
		__atomic_store_n(&t->next, top, __ATOMIC_RELAXED);
		inject();
	} while (!__atomic_compare_exchange_n(&w->pinned, &top, t, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	if (!idle_wake(w))
		handoff_wake_spare(w);
}

/* A test mode: to any processor but this one. */
static void shuffle(struct thread *t)
{
	static uint32_t turn;
	struct worker *self = worker_self();
	uint64_t chance = self ? worker_random(self) >> 1 : __atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED);
	struct processor *p = set_choose(chance);

	for (unsigned i = 1; self && p == self->home && i < sched_set()->count; i++)
		p = set_choose(chance + i);
	processor_post(p, t);
	/* those whose inbox it is first: any other that looks for work may rob it */
	if (!idle_wake_holder(p))
		idle_notify_at(p);
}

__attribute__((noinline)) bool ready_apart(struct thread *t)
{
	if (t->flags & THREAD_PINNED)
		ready_pinned(t);
	else if (sched.shuffle)
		shuffle(t);
	else
		return false;
	return true;
}

/* The same for one that is woken. */
static __attribute__((noinline)) bool ready_elsewhere_if(struct thread *t)
{
	return ready_apart(t) || aim_home(t);
}

void sched_ready_here(struct thread *t)
{
	if (!push((uintptr_t)t))
		ready_elsewhere(t);
}

/*
 * A request is left as it is for a single thread that was woken, while somebody searches, who will look
 * here (rule A): its waker mostly waits next, and runs it. That one may have gone to sleep since he was
 * seen: then his last look has found this push, or he was counted no more behind it (tests/model/idle.pml).
 */
static bool ready_quietly(struct thread *t)
{
	struct worker *w = worker_self();
	struct percpu *a = percpu_here();
	const struct domain *d;

	if (!w || !a || a != processor_area(w->home) || !__atomic_load_n(&a->request, __ATOMIC_RELAXED) ||
	    !ring_empty(a))
		return false;
	d = &sleepers.domain[w->home->domain];
	if (!__atomic_load_n(&d->searching, __ATOMIC_RELAXED) || !ring_push_quietly((uintptr_t)t))
		return false;
	inject();
	if (__atomic_load_n(&d->searching, __ATOMIC_SEQ_CST) && percpu_here() == a)
		return true;
	if (ring_take_request(a)) {
		stat_add(&w->stats.reveals, 1);
		ring_publish();
	}
	idle_answer();
	return true;
}

void sched_ready_woken(struct thread *t)
{
	if (!(goes_elsewhere(t) && ready_elsewhere_if(t)) && !ready_quietly(t))
		sched_ready_here(t);
}

void sched_ready(struct thread *t)
{
	if (goes_elsewhere(t) && ready_elsewhere_if(t))
		return;
	sched_ready_here(t);
}

/* The lock of this CPU's area, where there are no sections: whoever was interrupted may have it. */
static bool area_is_locked(void)
{
	struct percpu *a = percpu_here();

	return percpu_locked && a && __atomic_load_n(&a->lock, __ATOMIC_RELAXED);
}

void ready_in_handler(struct thread *t)
{
	unsigned r;

	if (goes_elsewhere(t) && ready_elsewhere_if(t))
		return;
	if (area_is_locked()) {
		ready_elsewhere(t);
		return;
	}
	if (ready_quietly(t))
		return;
	r = ring_push_slow((uintptr_t)t);
	if (r & RING_ASKED)
		idle_answer();
	/* full: an overflow queue has a lock */
	if ((r & ~RING_ASKED) != RING_DONE)
		ready_elsewhere(t);
}

__attribute__((noinline)) void ready_last_slow(struct thread *t, unsigned r)
{
	if (r & RING_ASKED && sleepers_apart()) {
		ready_elsewhere(t);
		idle_answer();
	} else if (!spill_item((uintptr_t)t)) {
		sched_ready_here(t);
	}
}

void sched_ready_last(struct thread *t)
{
	if (goes_elsewhere(t) && ready_elsewhere_if(t))
		return;
	ready_last(t);
}

void sched_ready_item_always(uintptr_t item)
{
	if (push(item))
		return;
	if (!(item & PERCH_TASK_TAG))
		ready_elsewhere((struct thread *)item);
	else if (!keep_apart(item) && !spill_item(item))
		carrier_refuse((perch_task_t *)(item & ~PERCH_TASK_TAG));
}
