/* SPDX-License-Identifier: MIT */
/* foreign.c - a pthread of the program's in the role of a thread that waits. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/sched/sched.h"

/*
 * The stand-in of a foreign pthread. It is never given back to the system: a
 * late unpark may still write to it after its pthread has ended (park.h), and
 * must find one of these.
 */
static pthread_mutex_t foreign_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread *foreign_free;
static pthread_key_t foreign_key;
static __thread struct thread *foreign_thread;

static void foreign_end(void *arg)
{
	struct thread *t = arg;

	/* a later destructor of this pthread may call perch once more */
	foreign_thread = NULL;
	pthread_mutex_lock(&foreign_lock);
	t->next = foreign_free;
	foreign_free = t;
	pthread_mutex_unlock(&foreign_lock);
}

static void foreign_make_key(void)
{
	pthread_key_create(&foreign_key, foreign_end);
}

struct thread *sched_foreign_self(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct thread *self = foreign_thread;

	if (self)
		return self;
	pthread_once(&once, foreign_make_key);
	pthread_mutex_lock(&foreign_lock);
	self = foreign_free;
	if (self)
		foreign_free = self->next;
	pthread_mutex_unlock(&foreign_lock);
	if (!self) {
		self = aligned_alloc(64, sizeof(*self));
		if (!self) {
			fprintf(stderr, "perch: no memory for a pthread's first wait\n");
			abort();
		}
		*self = (struct thread){.flags = THREAD_FOREIGN, .generation = 1};
	}
	foreign_thread = self;
	pthread_setspecific(foreign_key, self);
	return self;
}
