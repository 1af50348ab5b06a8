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

/*
 * The sanitizer's state of a thread takes it hundreds of pages, and milliseconds, to make. So
 * one is used again, by the thread that starts 128 ends after its last: what that thread
 * did is taken to be before what the new one does, which may hide a race between these two
 * only. And a limited number of times, since the frames that a thread has not left at its
 * end stay on the sanitizer's own record of its calls (65,536).
 *
 * The lock is nothing that the sanitizer sees: it would order all threads.
 */
#define IDLE 128
#define LIVES 100

static struct {
	struct {
		void *fibre;
		uintptr_t lives; /* that it has left */
	} idle[IDLE];
	unsigned put, taken; /* so far */
	char lock;
} fibres;

#define UNSEEN __attribute__((no_sanitize("thread"), noinline))

static UNSEEN void lock_fibres(void)
{
	while (__atomic_test_and_set(&fibres.lock, __ATOMIC_ACQUIRE))
		;
}

static UNSEEN void unlock_fibres(void)
{
	__atomic_clear(&fibres.lock, __ATOMIC_RELEASE);
}

/* NULL: fewer than IDLE are idle. */
static UNSEEN void *take_idle(uintptr_t *lives)
{
	void *fibre = NULL;

	lock_fibres();
	if (fibres.put - fibres.taken == IDLE) {
		unsigned at = fibres.taken++ % IDLE;

		fibre = fibres.idle[at].fibre;
		*lives = fibres.idle[at].lives;
	}
	unlock_fibres();
	return fibre;
}

static UNSEEN bool put_idle(void *fibre, uintptr_t lives)
{
	bool room;

	lock_fibres();
	room = fibres.put - fibres.taken < IDLE;
	if (room) {
		unsigned at = fibres.put++ % IDLE;

		fibres.idle[at].fibre = fibre;
		fibres.idle[at].lives = lives;
	}
	unlock_fibres();
	return room;
}

void fibre_new(struct stack *s)
{
	uintptr_t lives = LIVES;

	s->sanitizer = take_idle(&lives);
	if (!s->sanitizer)
		s->sanitizer = __tsan_create_fiber(0);
	s->sanitizer_saved = (void *)lives;
}

void fibre_deep(struct stack *s)
{
	s->sanitizer_saved = NULL;
}

void fibre_end(struct stack *s)
{
	uintptr_t lives = (uintptr_t)s->sanitizer_saved;

	if (lives < 2 || !put_idle(s->sanitizer, lives - 1))
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
/* Nobody uses stacks any more: those that are idle end, or a fork() would be one among threads. */
void fibre_forget(void *base, size_t size)
{
	(void)base;
	(void)size;
	while (fibres.taken != fibres.put)
		__tsan_destroy_fiber(fibres.idle[fibres.taken++ % IDLE].fibre);
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

void fibre_deep(struct stack *s)
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
