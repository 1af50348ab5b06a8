/* SPDX-License-Identifier: MIT */
/* join.c - perch_join, perch_detach, perch_exit; and how a joiner runs what nobody has started. */
/*
 * Who joins a thread that lies on top of this CPU's ring, never started, runs it itself:
 *	- by a plain call, where the joined thread's whole stack fits on what is left;
 *	- else by a call on a stack four times as large, so that the joins of all that is
 *	  created below it are plain calls again (a recursion changes stacks a few times only);
 *	- a joiner that is pinned waits instead, as it does when there is no stack.
 * In both calls the joiner is switched out as long as they last: if the joined thread
 * waits, both do, which is what a join means, and whoever resumes it goes on with both.
 */
#include <errno.h>
#include <pthread.h>

#include <perch/perch.h>

#include "core/sched/outermost.h"
#include "core/sched/park.h"
#include "core/sched/sched.h"
#include "core/thread/fibre.h"
#include "core/thread/locals.h"
#include "core/thread/stack.h"

/* It has ended, and is the caller's to free. */
static inline int take_result(struct thread *t, void **result)
{
	int r = 0;

	if (t->flags & THREAD_NEVER_RAN)
		r = -ENOMEM;
	else if (result)
		*result = t->arg;
	thread_free(t, worker_kept(worker_self()));
	return r;
}

static __attribute__((noinline)) int join_waiting(struct thread *t, const struct thread *self, void **result)
{
	int jump = 0;

	/* when it is no longer us, it is TAKEN, for us */
	while (__atomic_load_n(&t->joiner, __ATOMIC_ACQUIRE) == (uintptr_t)self)
		jump = park(PARK_JOIN, t);
	return switch_return_as_told(jump, take_result(t, result));
}

/* Whatever has become of it. */
static __attribute__((noinline)) int join(struct thread *self, struct thread *t, void **result)
{
	uintptr_t joiner = 0;

	if (t == self)
		return -EDEADLK;
	if (__atomic_compare_exchange_n(&t->joiner, &joiner, (uintptr_t)self, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return join_waiting(t, self, result);
	/* of two that find it ended, one frees it */
	if (joiner == JOIN_ENDED &&
	    __atomic_compare_exchange_n(&t->joiner, &joiner, JOIN_TAKEN, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return take_result(t, result);
	return joiner == JOIN_TAKEN ? -ESRCH : -EINVAL;
}

#if defined(__GNUC__) && !defined(__clang__) && FIBRE_REUSE
#define JOIN_INLINE 1
/* Where a thread that its joiner runs goes when it ends. */
struct inline_call {
	void *resume[5]; /* __builtin_setjmp */
	void *result;
	uint32_t pins_below; /* as it was */
};

/* The joined thread's whole stack fits on what is left of ours. */
static bool fits_here(const struct thread *self, const struct thread *t)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	return here - (uintptr_t)self->stack->base > stack_class_size(t->stack_class);
}

/*
 * t has just been taken off this CPU's ring, never started: run it as a plain call on
 * the stack s, which is what this runs on, with `self` switched out, and free it. 0.
 * perch_exit() in it comes back through resume.
 */
static __attribute__((noinline)) int run_inline(struct thread *self, struct thread *t, struct stack *s, void **result)
{
	struct worker *w = worker_self();
	struct inline_call call;
	void *(*fn)(void *) = t->fn;
	void *arg = t->arg;

	OUTERMOST();
	/* it must stay where a pinned joiner stays */
	thread_set_flag(t, THREAD_INLINE | THREAD_STARTED | (self->flags & THREAD_PINNED));
	t->stack = s;
	if (__builtin_expect(self->flags & THREAD_PINNED, 0)) {
		call.pins_below = s->pins_below;
		s->pins_below = s->pins;
	}
	t->stack_class = (uint8_t)s->class;
	t->stack_home = (uint8_t)s->home;
	t->arg = &call;
	w->current = t;
	if (!__builtin_setjmp(call.resume)) {
		if (t->flags & THREAD_PLAIN) {
			((void (*)(void *))(uintptr_t)fn)(arg);
			call.result = NULL;
		} else {
			call.result = fn(arg);
		}
	}
	if (__builtin_expect(t->flags & THREAD_LEAVES, 0)) {
		locals_end(t);
		if (self->flags & THREAD_PINNED)
			s->pins_below = call.pins_below;
	}
	/* under another worker, perhaps */
	w = worker_self();
	w->current = self;
	stat_add(&w->stats.finished, 1);
	if (result)
		*result = call.result;
	thread_free(t, &w->kept);
	return 0;
}

struct beside {
	struct thread *self, *t;
	struct stack *stack;
	void **result;
};

static void *beside_main(void *arg)
{
	const struct beside *b = arg;

	run_inline(b->self, b->t, b->stack, b->result);
	return NULL;
}

/* The same as a call on another stack. */
static void run_beside(struct thread *self, struct thread *t, struct stack *s, void **result)
{
	struct beside b = {self, t, s, result};

	s->fn = t->fn;
	s->thread = t;
	s->cpu = (uint16_t)worker_self()->home->cpu;
	__atomic_store_n(&self->wait_for, (const void *)t, __ATOMIC_RELAXED);
	__atomic_store_n(&self->since, worker_self()->now_ms, __ATOMIC_RELAXED);
	__atomic_store_n(&self->reason, (uint8_t)PARK_JOIN, __ATOMIC_RELAXED);
	perch_stack_limit = stack_limit(s, s->class);
	perch_switch_call(beside_main, &b, stack_top(s), &self->sp);
	perch_stack_limit = stack_limit(self->stack, self->stack_class);
	end_wait(self);
}

/* One for run_beside(); NULL: there is none, or it is not for this joiner. */
static struct stack *stack_beside(const struct thread *self, const struct thread *t)
{
	unsigned class = t->stack_class + 2 < STACK_CLASSES ? t->stack_class + 2u : STACK_CLASSES - 1;
	struct worker *w = worker_self();
	struct stack *s = w->beside;

	if (__builtin_expect(self->flags & THREAD_PINNED, 0))
		return NULL;
	if (__builtin_expect(!s || s->class != class, 0))
		return stack_get(class);
	w->beside = NULL;
	return s;
}

/* The worker keeps one for the next such join, until it sleeps. */
static void put_beside(struct stack *s)
{
	struct worker *w = worker_self();

	if (__builtin_expect(w->beside || stack_scarce() || s->home != w->kept.home, 0)) {
		stack_put(s);
		return;
	}
	s->thread = NULL;
	w->beside = s;
}

/* t has just been taken off this CPU's ring, and does not fit on the joiner's stack. */
static __attribute__((noinline)) int run_elsewhere(struct thread *self, struct thread *t, void **result)
{
	struct stack *s = stack_beside(self, t);

	if (!s) {
		/* back to where it was: now it is waited for */
		sched_ready(t);
		return join(self, t, result);
	}
	__atomic_store_n(&t->joiner, JOIN_HERE, __ATOMIC_RELAXED);
	run_beside(self, t, s, result);
	put_beside(s);
	return 0;
}
#else
#define JOIN_INLINE 0
#endif

int perch_join(perch_t handle, void **result)
{
	struct thread *t;

	if (__builtin_expect(!sched_up(), 0))
		return sched_check();
	t = thread_of(handle);
	if (!t)
		return -ESRCH;
#if JOIN_INLINE
	struct worker *w = worker_self();

	/* No call returns here, so that nothing is saved. The two steps on `joiner` need not be
	 * one: that nobody else joins or detaches it in between is said in perch/thread.h. */
	if (w && w->current->stack && !t->stack && !exceptions_any(w->exceptions) &&
	    !__atomic_load_n(&t->joiner, __ATOMIC_ACQUIRE) && section_pop_if((uintptr_t)t) == SECTION_DONE) {
		if (__builtin_expect(!fits_here(w->current, t), 0))
			return run_elsewhere(w->current, t, result);
		__atomic_store_n(&t->joiner, JOIN_HERE, __ATOMIC_RELAXED);
		return run_inline(w->current, t, w->current->stack, result);
	}
#endif
	return join(sched_self(), t, result);
}

int perch_detach(perch_t handle)
{
	struct thread *t;
	uintptr_t joiner = 0;

	if (__builtin_expect(!sched_up(), 0))
		return sched_check();
	t = thread_of(handle);
	if (!t)
		return -ESRCH;
	if (__atomic_compare_exchange_n(&t->joiner, &joiner, JOIN_DETACHED, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return 0;
	if (joiner == JOIN_ENDED &&
	    __atomic_compare_exchange_n(&t->joiner, &joiner, JOIN_TAKEN, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		thread_free(t, worker_kept(worker_self()));
		return 0;
	}
	return joiner == JOIN_TAKEN ? -ESRCH : -EINVAL;
}

void perch_exit(void *result)
{
	struct worker *w = worker_self();

	if (!w)
		pthread_exit(result);
	exceptions_drop(w->exceptions);
#if JOIN_INLINE
	if (w->current->flags & THREAD_INLINE) {
		struct inline_call *call = w->current->arg;

		call->result = result;
		__builtin_longjmp(call->resume, 1);
	}
#endif
	fibre_deep(w->current->stack);
	w->current->arg = result;
	sched_end();
}
