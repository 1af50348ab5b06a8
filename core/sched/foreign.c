/* SPDX-License-Identifier: MIT */
#include "core/sched/foreign.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/sched/clock.h"
#include "core/sched/idle.h"
#include "core/sched/sched.h"

/*
 * The stand-in of a foreign pthread. It is never given back to the system: a
 * late unpark may still write to it after its pthread has ended (park.h), and
 * must find one of these.
 */
static pthread_mutex_t foreign_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread *foreign_free;
static struct foreign *foreign_all;
static pthread_key_t foreign_key;
static __thread struct foreign *foreign_self;

int32_t foreign_wakers;

void foreign_rest(void)
{
	if (__atomic_sub_fetch(&foreign_wakers, 1, __ATOMIC_SEQ_CST) <= 0)
		idle_tell();
}

static void foreign_end(void *arg)
{
	struct foreign *f = arg;
	bool waker = f->waker; /* before it is another pthread's */

	/* a later destructor of this pthread may call perch once more */
	foreign_self = NULL;
	pthread_mutex_lock(&foreign_lock);
	f->tid = 0;
	f->thread.next = foreign_free;
	foreign_free = &f->thread;
	pthread_mutex_unlock(&foreign_lock);
	if (waker)
		foreign_rest();
}

/* ---- fork(): of all of them, only the one that called it is in the child ---- */

static void before_fork(void)
{
	pthread_mutex_lock(&foreign_lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&foreign_lock);
}

static void in_child(void)
{
	for (struct foreign *f = foreign_all; f; f = f->next)
		f->tid = f == foreign_self ? (pid_t)syscall(SYS_gettid) : 0;
	foreign_wakers = foreign_self && foreign_self->waker;
	pthread_mutex_unlock(&foreign_lock);
}

static void foreign_make_key(void)
{
	pthread_key_create(&foreign_key, foreign_end);
	pthread_atfork(before_fork, after_fork, in_child);
}

static struct foreign *foreign_make(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct foreign *f = NULL;

	pthread_once(&once, foreign_make_key);
	pthread_mutex_lock(&foreign_lock);
	if (foreign_free) {
		f = foreign_of(foreign_free);
		foreign_free = f->thread.next;
	} else {
		f = aligned_alloc(64, sizeof(*f));
		if (f) {
			*f = (struct foreign){.thread = {.flags = THREAD_FOREIGN, .generation = 1}};
			f->next = foreign_all;
			foreign_all = f;
		}
	}
	if (f) {
		f->tid = (pid_t)syscall(SYS_gettid);
		f->waker = true;
	}
	pthread_mutex_unlock(&foreign_lock);
	if (!f)
		return NULL;
	foreign_active();
	foreign_self = f;
	pthread_setspecific(foreign_key, f);
	return f;
}

struct thread *sched_foreign_self(void)
{
	struct foreign *f = foreign_self ? foreign_self : foreign_make();

	if (!f) {
		fprintf(stderr, "perch: no memory for a pthread's first wait\n");
		abort();
	}
	return &f->thread;
}

void foreign_note(void)
{
	if (!foreign_self)
		foreign_make();
}

int foreign_set_waker(bool waker)
{
	struct foreign *f = foreign_self ? foreign_self : foreign_make();

	if (!f)
		return -ENOMEM;
	if (f->waker == waker)
		return 0;
	f->waker = waker;
	if (waker)
		foreign_active();
	else
		foreign_rest();
	return 0;
}

void foreign_pause(void)
{
	struct foreign *f = foreign_self ? foreign_self : foreign_make();

	if (f && f->waker)
		foreign_rest();
}

void foreign_resume(void)
{
	if (foreign_self && foreign_self->waker)
		foreign_active();
}

void foreign_waits(struct thread *t, enum park_reason reason, const void *wait_for)
{
	__atomic_store_n(&t->wait_for, wait_for, __ATOMIC_RELAXED);
	if (reason)
		__atomic_store_n(&t->since, sched_age_ms(clock_ns()), __ATOMIC_RELAXED);
	__atomic_store_n(&t->reason, (uint8_t)reason, __ATOMIC_RELAXED);
}

void foreign_each(void (*fn)(const struct foreign *f, void *arg), void *arg)
{
	pthread_mutex_lock(&foreign_lock);
	for (struct foreign *f = foreign_all; f; f = f->next)
		if (f->tid)
			fn(f, arg);
	pthread_mutex_unlock(&foreign_lock);
}
