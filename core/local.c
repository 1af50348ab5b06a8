/* SPDX-License-Identifier: MIT */
/* local.c - the calls of perch/local.h. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "core/sched/sched.h"
#include "core/thread/locals.h"

/* ---- values of foreign pthreads ---- */

static pthread_key_t foreign_key;
static __thread struct locals *foreign_locals;

static void foreign_end(void *arg)
{
	(void)arg;
	if (foreign_locals)
		locals_destroy(&foreign_locals);
}

static void foreign_make_key(void)
{
	pthread_key_create(&foreign_key, foreign_end);
}

static int foreign_set(perch_key_t key, const void *value)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bool first = !foreign_locals;
	int r = locals_set(&foreign_locals, !first, key, value);

	if (first && foreign_locals) {
		pthread_once(&once, foreign_make_key);
		/* any value that is not NULL: the end is to be heard of */
		r = -pthread_setspecific(foreign_key, &foreign_key);
		if (r) {
			free(foreign_locals);
			foreign_locals = NULL;
		}
	}
	return r;
}

/* ---- keys and values ---- */

int perch_key_create(perch_key_t *key, void (*destructor)(void *))
{
	return key ? locals_key_create(key, destructor) : -EINVAL;
}

int perch_key_delete(perch_key_t key)
{
	return locals_key_delete(key);
}

int perch_setspecific(perch_key_t key, const void *value)
{
	struct worker *w = worker_self();
	struct thread *t;
	bool own;
	int r;

	if (!w)
		return foreign_set(key, value);
	t = w->current;
	own = t->flags & THREAD_LOCALS;
	r = locals_set(&t->stack->locals, own, key, value);
	if (!own && !r && value)
		thread_set_flag(t, THREAD_LOCALS);
	return r;
}

void *perch_getspecific(perch_key_t key)
{
	struct worker *w = worker_self();

	if (!w)
		return locals_get(foreign_locals, key);
	return w->current->flags & THREAD_LOCALS ? locals_get(w->current->stack->locals, key) : NULL;
}

/* ---- names ---- */

int perch_setname(perch_t t, const char *name)
{
	int r = sched_check();

	if (r)
		return r;
	if (!name)
		return -EINVAL;
	if (strlen(name) > PERCH_NAME_MAX)
		return -ERANGE;
	return thread_rename(t, name);
}

int perch_getname(perch_t t, char *name, size_t size)
{
	char now[PERCH_NAME_MAX + 1];
	struct thread *thread;
	int r = sched_check();

	if (r)
		return r;
	if (!name)
		return -EINVAL;
	thread = thread_of(t);
	if (!thread)
		return -ESRCH;
	thread_read_name(thread, now, true);
	if (strlen(now) >= size)
		return -ERANGE;
	strcpy(name, now);
	return 0;
}

/* ---- pins ---- */

/* Who can be pinned: a thread, and it is the caller; else NULL. */
static struct thread *pinnable(struct worker *w)
{
	return w && w->current != &w->base ? w->current : NULL;
}

int perch_pin(void)
{
	struct worker *w = worker_self();
	struct thread *t = pinnable(w);

	if (!t)
		return -EPERM;
	if (!t->stack->pins++) {
		t->stack->pinned_to = w;
		thread_set_flag(t, THREAD_PINNED);
	}
	return 0;
}

int perch_unpin(void)
{
	struct thread *t = pinnable(worker_self());

	if (!t)
		return -EPERM;
	if (t->stack->pins == t->stack->pins_below)
		return -EINVAL;
	if (!--t->stack->pins)
		thread_clear_flag(t, THREAD_PINNED);
	return 0;
}
