/* SPDX-License-Identifier: MIT */
/*
 * sanitize.c - core/thread/fibre.h for the address and the thread sanitizer,
 * after the interfaces in sanitizer/common_interface_defs.h and tsan_interface.
 */
#include "core/thread/fibre.h"

#if SANITIZER_THREAD || SANITIZER_ADDRESS

#include "core/sched/worker.h"

#if SANITIZER_THREAD
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);

void fibre_new(struct stack *s)
{
	s->sanitizer = __tsan_create_fiber(0);
}

void fibre_end(struct stack *s)
{
	__tsan_destroy_fiber(s->sanitizer);
	s->sanitizer = NULL;
}

void fibre_leave(struct stack *from, struct stack *to, struct worker *w, bool ends)
{
	(void)from;
	(void)ends;
	__tsan_switch_to_fiber(to ? to->sanitizer : w->sanitizer_bottom, 0);
}

void fibre_arrive(struct stack *self)
{
	(void)self;
}

void fibre_worker(struct worker *w)
{
	w->sanitizer_bottom = __tsan_get_current_fiber();
}
void fibre_forget(void *base, size_t size)
{
	(void)base;
	(void)size;
}
#else
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

void fibre_new(struct stack *s)
{
	s->sanitizer_saved = NULL;
	/* what the last thread's frames poisoned and never left */
	__asan_unpoison_memory_region(s->base, s->size - sizeof(*s));
}

void fibre_end(struct stack *s)
{
	(void)s;
}

void fibre_forget(void *base, size_t size)
{
	__asan_unpoison_memory_region(base, size);
}

static __thread void *worker_saved;

void fibre_leave(struct stack *from, struct stack *to, struct worker *w, bool ends)
{
	void **save = ends ? NULL : from ? &from->sanitizer_saved : &worker_saved;

	if (to)
		__sanitizer_start_switch_fiber(save, to->base, to->size - sizeof(*to));
	else
		__sanitizer_start_switch_fiber(save, w->sanitizer_bottom, w->sanitizer_size);
}

void fibre_arrive(struct stack *self)
{
	/* a new stack has nothing saved; the worker's own is marked by current */
	void *saved = self ? self->sanitizer_saved : NULL;

	if (!self && worker_self() && worker_self()->current == &worker_self()->base)
		saved = worker_saved;
	__sanitizer_finish_switch_fiber(saved, NULL, NULL);
}

void fibre_worker(struct worker *w)
{
	pthread_attr_t attr;

	if (!pthread_getattr_np(pthread_self(), &attr)) {
		pthread_attr_getstack(&attr, &w->sanitizer_bottom, &w->sanitizer_size);
		pthread_attr_destroy(&attr);
	}
}
#endif

#else
typedef int sanitize_nothing; /* ISO C wants a declaration */
#endif
