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
#include "core/sched/sched.h"
#include "core/thread/lists.h"
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

/* What the section could not push, for whatever reason. */
static __attribute__((noinline)) int leave_ready(struct thread *t)
{
	sched_ready(t); /* which tries again, and otherwise makes room */
	return 0;
}

/*
 * The short way to create, for a worker that keeps a descriptor: no call on it, so that
 * it saves no registers. NULL: not now.
 */
static inline __attribute__((always_inline)) struct thread *quick_new(struct worker *w, void *(*fn)(void *), void *arg)
{
	struct thread *t;

	/* once stacks are scarce, the creator is told, not the joiner */
	if (__builtin_expect(!w || !sched_up() || !fn || stack_scarce() || sched.shuffle, 0))
		return NULL;
	t = thread_new_kept(&w->kept);
	if (__builtin_expect(!t, 0))
		return NULL;
	t->fn = fn;
	t->arg = arg;
	t->stack_class = (uint8_t)sched.default_class;
	stat_add(&w->stats.spawned, 1);
	return t;
}

static inline __attribute__((always_inline)) int quick_push(struct thread *t)
{
	return __builtin_expect(section_push((uintptr_t)t) == SECTION_DONE, 1) ? 0 : leave_ready(t);
}

/* Make it known to the scheduler, or undo everything. p: whom it is left for, or NULL. */
static int launch(struct thread *t, perch_t *handle, struct processor *p)
{
	perch_t h = thread_handle(t);
	struct worker *w = worker_self();

	if (stack_scarce()) {
		t->stack = stack_get(t->stack_class);
		if (!t->stack) {
			thread_free(t, worker_kept(w));
			return -ENOMEM;
		}
	}
	if (w)
		stat_add(&w->stats.spawned, 1);
	else
		spawned_outside();
	/* it may have ended, and its descriptor be another's, when this returns */
	if (handle)
		*handle = h;
	if (p)
		aim_at(p, t);
	else
		sched_ready(t);
	return 0;
}

static __attribute__((noinline)) int create(perch_t *handle, const perch_attr_t *a, void *(*fn)(void *), void *arg)
{
	struct thread_cache *kept = worker_kept(worker_self());
	struct processor *p = NULL;
	struct thread *t;

	if (!sched_up())
		return sched_check();
	if (!fn || (a && attr_check(a)) || (!handle && !(a && a->detached)))
		return -EINVAL;
	if (a && a->aim) {
		p = a->aim == AIM_CPU ? aim_cpu((int)a->aimed_at) : aim_node((int)a->aimed_at);
		if (!p)
			return -EINVAL;
	}
	t = thread_new(kept);
	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->arg = arg;
	t->stack_class = (uint8_t)sched.default_class;
	if (a) {
		if (a->name[0]) {
			if (thread_name_first(t, a->name)) {
				thread_free(t, kept);
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

int perch_create(perch_t *handle, const perch_attr_t *a, void *(*fn)(void *), void *arg)
{
	struct thread *t = a || !handle ? NULL : quick_new(worker_self(), fn, arg);

	if (__builtin_expect(!t, 0))
		return create(handle, a, fn, arg);
	*handle = thread_handle(t);
	return quick_push(t);
}

static __attribute__((noinline)) int go(void (*fn)(void *), void *arg)
{
	struct thread *t;

	if (!sched_up())
		return sched_check();
	if (!fn)
		return -EINVAL;
	t = thread_new(worker_kept(worker_self()));
	if (!t)
		return -ENOMEM;
	t->fn = (void *(*)(void *))(uintptr_t)fn;
	t->arg = arg;
	t->stack_class = (uint8_t)sched.default_class;
	t->joiner = JOIN_DETACHED;
	thread_set_flag(t, THREAD_PLAIN);
	return launch(t, NULL, NULL);
}

int perch_go(void (*fn)(void *), void *arg)
{
	struct thread *t = quick_new(worker_self(), (void *(*)(void *))(uintptr_t)fn, arg);

	if (__builtin_expect(!t, 0))
		return go(fn, arg);
	t->joiner = JOIN_DETACHED;
	thread_set_flag(t, THREAD_PLAIN);
	return quick_push(t);
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

int perch_yield(void)
{
	if (!worker_self())
		return sched_yield();
	return sched_yield_now();
}
