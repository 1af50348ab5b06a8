/* SPDX-License-Identifier: MIT */
/* threads.c - the calls of perch/thread.h. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "core/sched/aim.h"
#include "core/sched/foreign.h"
#include "core/sched/park.h"
#include "core/sched/sched.h"
#include "core/thread/fibre.h"
#include "core/thread/lists.h"
#include "core/thread/locals.h"
#include "core/thread/stack.h"
#include "rseq/counter.h"

#define ATTR_MAGIC 0x70617474u

static int attr_check(const perch_attr_t *a)
{
	return a && a->magic == ATTR_MAGIC ? 0 : -EINVAL;
}

int perch_attr_init(perch_attr_t *a)
{
	if (!a)
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	a->magic = ATTR_MAGIC;
	return 0;
}

int perch_attr_destroy(perch_attr_t *a)
{
	int r = attr_check(a);

	if (!r)
		a->magic = 0;
	return r;
}

int perch_attr_setname(perch_attr_t *a, const char *name)
{
	if (attr_check(a) || !name)
		return -EINVAL;
	if (strlen(name) > PERCH_NAME_MAX)
		return -ERANGE;
	strcpy(a->name, name);
	return 0;
}

int perch_attr_getname(const perch_attr_t *a, char *name, size_t size)
{
	if (attr_check(a) || !name)
		return -EINVAL;
	if (strlen(a->name) >= size)
		return -ERANGE;
	strcpy(name, a->name);
	return 0;
}

int perch_attr_setstacksize(perch_attr_t *a, size_t bytes)
{
	if (attr_check(a) || (bytes && (bytes < PERCH_STACK_MIN || bytes > PERCH_STACK_MAX)))
		return -EINVAL;
	a->stack_size = bytes ? stack_class_size(stack_class_of(bytes)) : 0;
	return 0;
}

int perch_attr_getstacksize(const perch_attr_t *a, size_t *bytes)
{
	if (attr_check(a) || !bytes)
		return -EINVAL;
	*bytes = a->stack_size;
	return 0;
}

int perch_attr_setdetachstate(perch_attr_t *a, int state)
{
	if (attr_check(a) || (state != PERCH_CREATE_JOINABLE && state != PERCH_CREATE_DETACHED))
		return -EINVAL;
	a->detached = (uint32_t)state;
	return 0;
}

int perch_attr_getdetachstate(const perch_attr_t *a, int *state)
{
	if (attr_check(a) || !state)
		return -EINVAL;
	*state = (int)a->detached;
	return 0;
}

enum { AIM_NOWHERE = 0, AIM_NODE, AIM_CPU };

static int set_aim(perch_attr_t *a, uint32_t aim, int at)
{
	if (attr_check(a) || at < -1)
		return -EINVAL;
	a->aim = at < 0 ? AIM_NOWHERE : aim;
	a->aimed_at = at < 0 ? 0 : (uint32_t)at;
	return 0;
}

static int get_aim(const perch_attr_t *a, uint32_t aim, int *at)
{
	if (attr_check(a) || !at)
		return -EINVAL;
	*at = a->aim == aim ? (int)a->aimed_at : -1;
	return 0;
}

int perch_attr_setnode(perch_attr_t *a, int node)
{
	return set_aim(a, AIM_NODE, node);
}

int perch_attr_getnode(const perch_attr_t *a, int *node)
{
	return get_aim(a, AIM_NODE, node);
}

int perch_attr_setcpu(perch_attr_t *a, int cpu)
{
	return set_aim(a, AIM_CPU, cpu);
}

int perch_attr_getcpu(const perch_attr_t *a, int *cpu)
{
	return get_aim(a, AIM_CPU, cpu);
}

static __attribute__((noinline)) void spawned_outside(void)
{
	foreign_note();
	counter_add(COUNTER_SPAWNED, 1);
}

/* Make it known to the scheduler, or undo everything. p: whom it is left for, or NULL. */
static inline __attribute__((always_inline)) int launch(struct thread *t, perch_t *handle, struct processor *p)
{
	perch_t h = thread_handle(t);
	struct worker *w;

	/* once stacks are scarce, the creator is told, not the joiner */
	if (__builtin_expect(stack_scarce(), 0)) {
		t->stack = stack_get(t->stack_class);
		if (!t->stack) {
			thread_free(t);
			return -ENOMEM;
		}
	}
	w = worker_self();
	if (__builtin_expect(w != NULL, 1))
		stat_add(&w->stats.spawned, 1);
	else
		spawned_outside();
	/* it may have ended, and its descriptor be another's, when this returns */
	if (handle)
		*handle = h;
	if (__builtin_expect(p != NULL, 0))
		aim_at(p, t);
	else if (__builtin_expect(sched.shuffle || section_push((uintptr_t)t) != SECTION_DONE, 0))
		sched_ready(t); /* which tries again, and otherwise makes room */
	return 0;
}

int perch_create(perch_t *handle, const perch_attr_t *a, void *(*fn)(void *), void *arg)
{
	struct processor *p = NULL;
	struct thread *t;

	if (__builtin_expect(!sched_up(), 0))
		return sched_check();
	if (!fn || (a && attr_check(a)) || (!handle && !(a && a->detached)))
		return -EINVAL;
	if (a && a->aim) {
		p = a->aim == AIM_CPU ? aim_cpu((int)a->aimed_at) : aim_node((int)a->aimed_at);
		if (!p)
			return -EINVAL;
	}
	t = thread_new();
	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->arg = arg;
	t->stack_class = (uint8_t)sched.default_class;
	if (a) {
		if (a->name[0]) {
			if (thread_name_first(t, a->name)) {
				thread_free(t);
				return -ENOMEM;
			}
		}
		if (a->stack_size)
			t->stack_class = (uint8_t)stack_class_of(a->stack_size);
		if (a->detached)
			t->joiner = JOIN_DETACHED;
	}
	return launch(t, handle, p);
}

int perch_go(void (*fn)(void *), void *arg)
{
	struct thread *t;

	if (__builtin_expect(!sched_up(), 0))
		return sched_check();
	if (!fn)
		return -EINVAL;
	t = thread_new();
	if (!t)
		return -ENOMEM;
	t->fn = (void *(*)(void *))(uintptr_t)fn;
	t->arg = arg;
	t->stack_class = (uint8_t)sched.default_class;
	t->joiner = JOIN_DETACHED;
	thread_set_flag(t, THREAD_PLAIN);
	return launch(t, NULL, NULL);
}

#if defined(__GNUC__) && !defined(__clang__) && FIBRE_REUSE
#define JOIN_INLINE 1
/* Where a thread that runs on its joiner's stack goes when it ends. */
struct inline_call {
	void *resume[5]; /* __builtin_setjmp */
	void *result;
	uint32_t pins_below; /* as it was */
};

/* The joined thread's whole stack fits on what is left of ours. */
static bool fits_here(const struct thread *self, const struct thread *t)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	return self->stack && here - (uintptr_t)self->stack->base > stack_class_size(t->stack_class);
}

/*
 * t has just been taken off this CPU's ring, never started: run it as a plain
 * call on the joiner's stack, with `self` switched. If it parks, both wait,
 * which is what join means. perch_exit() in it comes back through resume.
 */
static __attribute__((noinline)) void *run_inline(struct worker *w, struct thread *self, struct thread *t)
{
	struct inline_call call;
	void *(*fn)(void *) = t->fn;
	void *arg = t->arg;

	/* it must stay where a pinned joiner stays */
	thread_set_flag(t, THREAD_INLINE | THREAD_STARTED | (self->flags & THREAD_PINNED));
	t->stack = self->stack;
	if (__builtin_expect(self->flags & THREAD_PINNED, 0)) {
		call.pins_below = self->stack->pins_below;
		self->stack->pins_below = self->stack->pins;
	}
	t->stack_class = self->stack_class;
	t->stack_home = self->stack_home;
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
			self->stack->pins_below = call.pins_below;
	}
	/* under another worker, perhaps */
	w = worker_self();
	w->current = self;
	stat_add(&w->stats.finished, 1);
	return call.result;
}
#else
#define JOIN_INLINE 0
#endif

/* It has ended, and is the caller's to free. */
static inline int take_result(struct thread *t, void **result)
{
	int r = 0;

	if (t->flags & THREAD_NEVER_RAN)
		r = -ENOMEM;
	else if (result)
		*result = t->arg;
	thread_free(t);
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

int perch_join(perch_t handle, void **result)
{
	struct thread *t, *self;
	uintptr_t joiner;

	if (__builtin_expect(!sched_up(), 0))
		return sched_check();
	t = thread_of(handle);
	if (!t)
		return -ESRCH;
	joiner = __atomic_load_n(&t->joiner, __ATOMIC_ACQUIRE);
	if (joiner != JOIN_ENDED) {
		self = sched_self();
		if (t == self)
			return -EDEADLK;
		if (joiner)
			return joiner == JOIN_TAKEN ? -ESRCH : -EINVAL;
#if JOIN_INLINE
		if (!t->stack && fits_here(self, t) && section_pop_if((uintptr_t)t) == SECTION_DONE) {
			void *value;

			if (!__atomic_compare_exchange_n(&t->joiner, &joiner, JOIN_HERE, false, __ATOMIC_ACQUIRE,
							 __ATOMIC_RELAXED)) {
				sched_ready(t); /* detached meanwhile, or somebody waits for it */
				return -EINVAL;
			}
			value = run_inline(worker_self(), self, t);
			if (result)
				*result = value;
			thread_free(t);
			return 0;
		}
#endif
		if (__atomic_compare_exchange_n(&t->joiner, &joiner, (uintptr_t)self, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return join_waiting(t, self, result);
		if (joiner != JOIN_ENDED)
			return joiner == JOIN_TAKEN ? -ESRCH : -EINVAL; /* joined or detached meanwhile */
	}
	/* of two that find it ended, one frees it */
	if (!__atomic_compare_exchange_n(&t->joiner, &joiner, JOIN_TAKEN, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return -ESRCH;
	return take_result(t, result);
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
		thread_free(t);
		return 0;
	}
	return joiner == JOIN_TAKEN ? -ESRCH : -EINVAL;
}

perch_t perch_self(void)
{
	struct worker *w = worker_self();

	/* a carrier is nobody that could be joined, but an identity it is */
	return w && w->current != &w->base ? thread_handle(w->current) : 0;
}

int perch_equal(perch_t a, perch_t b)
{
	return a == b;
}

void perch_exit(void *result)
{
	struct worker *w = worker_self();

	if (!w)
		pthread_exit(result);
#if JOIN_INLINE
	if (w->current->flags & THREAD_INLINE) {
		struct inline_call *call = w->current->arg;

		call->result = result;
		__builtin_longjmp(call->resume, 1);
	}
#endif
	w->current->arg = result;
	sched_end();
}

int perch_yield(void)
{
	if (!worker_self())
		return sched_yield();
	return sched_yield_now();
}
