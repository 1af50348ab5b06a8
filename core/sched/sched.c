/* SPDX-License-Identifier: MIT */
#include "core/sched/sched.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include <perch/perch.h>

#include "core/sched/aim.h"
#include "core/sched/clock.h"
#include "core/sched/handoff.h"
#include "core/sched/idle.h"
#include "core/sched/park.h"
#include "core/sched/sleepers.h"
#include "core/sched/steal.h"
#include "core/sched/timers.h"
#include "core/sched/turn.h"
#include "core/sched/carrier.h"
#include "core/thread/fibre.h"
#include "core/thread/lists.h"
#include "core/thread/locals.h"
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

/* A call: where errno is must not be remembered. */
__attribute__((noinline)) void sched_set_errno(int value)
{
	errno = value;
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

/* Its CPU's queue was out of reach: the processors' inboxes, in turn; or, where others may
 * not have what is here, that of its own. */
static __attribute__((noinline)) void ready_elsewhere(struct thread *t)
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

/* Not where others go? Then this has put it there. */
static __attribute__((noinline)) bool ready_apart(struct thread *t)
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

/* The fair queue is full; or there was a request, which it answers: by the overflow queue,
 * which is in everybody's reach. If not everybody may have it, by the inbox. */
static __attribute__((noinline)) void ready_last_slow(struct thread *t, unsigned r)
{
	if (r & RING_ASKED && sleepers_apart()) {
		ready_elsewhere(t);
		idle_answer();
	} else if (!spill_item((uintptr_t)t)) {
		sched_ready_here(t);
	}
}

TURN_INLINE void ready_last(struct thread *t)
{
	unsigned r = ring_fair_push((uintptr_t)t);

	if (__builtin_expect(r != RING_DONE, 0))
		ready_last_slow(t, r);
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

/* ---- what to run next ---- */

#define COLD __attribute__((noinline, cold))

#define TIMER_GAP_NS UINT64_C(5000)
#define TIMER_EVERY 16
#define IO_GAP_NS UINT64_C(50000)   /* between looks of busy workers */
#define IO_SEARCH_NS UINT64_C(2000) /* of those who have nothing to do */
#define LINGER_NS 5000

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
	unsigned first = w->fair_rounds++;

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

/* The one that has waited longest of those pinned to this worker. */
COLD static uintptr_t pinned_take(struct worker *w)
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
 * When w->rounds have passed: a fair round, or a look for timers that are due,
 * whichever came first. While there are timers here, looks are 1 to 16 rounds
 * apart, as it takes for 5 to 20 us to pass between them; and while threads wait
 * for I/O.
 */
COLD static uintptr_t slow_round(struct worker *w)
{
	struct timers *timers = &w->home->timers;
	bool fair = !w->fair_left, io = idle_io_unwatched();
	uint64_t now, gap;

	if (fair)
		w->fair_left = SCHED_FAIR_ROUND;
	if (fair || timers_next(timers) != CLOCK_NEVER || io) {
		now = clock_ns();
		gap = now - w->looked_ns;
		w->looked_ns = now;
		w->now_ms = sched_age_ms(now);
		if (gap < TIMER_GAP_NS && w->timer_every < TIMER_EVERY)
			w->timer_every *= 2;
		else if (gap > 4 * TIMER_GAP_NS && w->timer_every > 1)
			w->timer_every /= 2;
		timers_run(timers, now);
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

/*
 * Somebody asks for work, and what is here lies in the fair queue: its older half goes where
 * others find it. (A push answers too; but a worker may have hundreds of threads to run
 * before it next makes one ready.)
 */
COLD static void share_fair(struct worker *w)
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
		/* in every second round, so that neither they nor the others starve */
		if ((w->pinned_turn = !w->pinned_turn) && (item = pinned_take(w)))
			return item;
	}
	if (__builtin_expect(--w->rounds == 0, 0) && (item = slow_round(w)))
		return item;
	if (!ring_empty(home) && (item = ring_top(w)))
		return item;
	if (w->rounds & 1 && (item = (uintptr_t)processor_collect(w->home)))
		return item;
	if (__builtin_expect(!ring_fair_empty(home), 1)) {
		if (__builtin_expect(fair_is_asked_for(home), 0))
			share_fair(w);
		if ((item = fair_pop()))
			return item;
	}
	if ((item = (uintptr_t)processor_collect(w->home)))
		return item;
	if (!spill_empty() && (item = spill_take()))
		return item;
	return __builtin_expect(worker_has_pinned(w), 0) ? pinned_take(w) : 0;
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
	if (dress(worker_self(), t))
		return t;
	if (t->flags & THREAD_CARRIER) {
		carrier_refuse(t->arg);
		thread_free(t);
	} else {
		thread_set_flag(t, THREAD_NEVER_RAN);
		finish(t);
	}
	return NULL;
}

struct thread *sched_admit(uintptr_t item)
{
	return item_started(item) ? (struct thread *)item : admit_new(item);
}

TURN_INLINE struct thread *next_thread(struct worker *w)
{
	uintptr_t item;

	while ((item = next_item(w))) {
		struct thread *t;

		if (item_started(item))
			return (struct thread *)item;
		t = admit_new(item);
		if (t)
			return t;
	}
	return NULL;
}

struct thread *sched_next_pinned(struct worker *w)
{
	uintptr_t item = pinned_take(w);

	return item ? sched_admit(item) : NULL;
}

struct thread *sched_next(struct worker *w)
{
	return next_thread(w);
}

/* ---- switching ---- */

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
		if (t->flags & THREAD_NEVER_RAN) {
			char name[PERCH_NAME_MAX + 1];

			thread_read_name(t, name, true);
			fprintf(stderr, "perch: detached thread %s never ran: no stack to be had\n", name);
		}
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
	finish(t);
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

/* ---- a worker's life ---- */

/* While threads wait for I/O, and nobody sleeps in the kernel for them, this one had better do so:
 * what it would search for comes from there, and from pthreads that may want this CPU for it. */
static uint64_t search_ns(const struct worker *w)
{
	return idle_io_unwatched() ? LINGER_NS : w->spin_ns;
}

/* From the moment that it is no searcher any more it is in nobody's way (steal.h). */
static void leave_search(struct worker *w, struct policy_search *s, bool searching, bool found)
{
	policy_search_end(s);
	if (searching)
		idle_search_end(w, found);
}

/*
 * One that may not search, as enough others do, looks at what comes to its own
 * CPU for LINGER_NS: who hands over to another worker's thread and waits for the
 * answer would else go to sleep in the kernel each time, while that other one,
 * just found, still counts as a searcher.
 */
static uintptr_t search(struct worker *w, bool searching)
{
	struct policy_search s = {0};

	for (;;) {
		uint64_t until = clock_ns() + (searching ? search_ns(w) : LINGER_NS);
		uintptr_t item;

		do {
			if (__builtin_expect(!worker_on_duty(w), 0)) {
				leave_search(w, &s, searching, true); /* what it was woken for is left to others */
				return 0;
			}
			/* called to duty while it was woken for something else */
			if (!searching)
				searching = worker_was_counted(w);
			if (!searching && (searching = idle_search_begin(w)))
				until = clock_ns() + search_ns(w);
			item = next_item(w);
			if (!item && searching && timers_run_all(clock_ns()))
				item = next_item(w);
			if (!item && searching && idle_io_look(clock_ns(), IO_SEARCH_NS))
				item = next_item(w);
			if (!item && searching)
				item = steal_round(w, &s);
			if (item) {
				leave_search(w, &s, searching, true);
				return item;
			}
			if (sched_ends()) {
				leave_search(w, &s, searching, false);
				return 0;
			}
			urcu_qsbr_quiescent_state();
			if (__atomic_load_n(&sched.crowded, __ATOMIC_RELAXED) ||
			    __atomic_load_n(&w->home->lost, __ATOMIC_RELAXED))
				sched_yield();
			else
				/* each look takes lines from who works, and what is left alone (steal.c) is so
				 * for a while */
				for (int i = 0; i < (w->watches ? 48 : 16); i++)
					percpu_relax();
		} while (clock_ns() < until || (searching && policy_waits(&sched.policy, &s)));
		policy_search_end(&s);
		searching = idle_sleep(w, searching);
	}
}

void sched_loop(struct worker *w)
{
	bool searching = worker_was_counted(w); /* called to duty, to look for work */

	for (;;) {
		struct thread *t = NULL;

		if (w->brought) {
			uintptr_t item = w->brought;

			w->brought = 0;
			t = sched_admit(item);
		} else if (__builtin_expect(!worker_on_duty(w), 0)) {
			if (searching) { /* what it was called for is left to others */
				searching = false;
				idle_search_end(w, true);
			}
			t = handoff_return(w, &searching);
			if (!t && sched_ends())
				return;
		} else if (!searching && !(searching = worker_was_counted(w))) {
			t = sched_next(w);
		}
		if (!t && worker_on_duty(w)) {
			uintptr_t item = search(w, searching);

			searching = false;
			if (!item && sched_ends())
				return;
			t = item ? sched_admit(item) : NULL;
		}
		if (!t)
			continue;
		urcu_qsbr_quiescent_state();
		sched_switch(w, &w->base, t, NULL, NULL);
	}
}
