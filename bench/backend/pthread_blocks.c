/* SPDX-License-Identifier: MIT */
/* pthread_blocks.c - calls that block, loops that do not end: the kernel needs no marks. */
#include "bench/backend/pthread_blocks.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>

#include "bench/workload/measure.h"

struct other {
	struct baton *b;
	sem_t go;
};

/* It may get the CPU before the first blocks: then it yields. */
static void *other_main(void *arg)
{
	struct other *o = arg;

	for (size_t i = 0; i < o->b->n; i++) {
		while (sem_wait(&o->go))
			;
		baton_take(o->b, i, sched_yield);
	}
	return NULL;
}

/* With one worker, both are on one CPU: start(). */
int pthread_baton(struct baton *b)
{
	struct other other = {.b = b};
	pthread_t t;
	int r;

	sem_init(&other.go, 0, 0);
	r = pthread_create(&t, NULL, other_main, &other);
	for (size_t i = 0; i < b->n && !r; i++) {
		baton_pause(b, NULL); /* as long without a syscall as the others */
		sem_post(&other.go);
		baton_block(b, i, NULL, NULL);
	}
	if (!r)
		pthread_join(t, NULL);
	sem_destroy(&other.go);
	return -r;
}

static void *step_on(void *arg)
{
	stepper_run(arg, sched_yield);
	return NULL;
}

static void *read_on(void *arg)
{
	reader_read(arg, NULL, NULL);
	return NULL;
}

/* The first failure, or 0. */
static int start_all(pthread_t *t, size_t *made, size_t n, void *(*fn)(void *), void *args, size_t size)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		r = pthread_create(&t[i], NULL, fn, (char *)args + i * size);
		*made += !r;
	}
	return -r;
}

static void join_all(const pthread_t *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

int pthread_beside(struct beside *b)
{
	size_t all = b->loops + b->readers + b->steppers, loops = 0, readers = 0, steppers = 0;
	pthread_t *loop = calloc(all, sizeof(*loop)), *reader = loop + b->loops, *stepper = reader + b->readers;
	int r;

	if (!loop)
		return -ENOMEM;
	r = start_all(loop, &loops, b->loops, loop_main, b->loop, sizeof(b->loop[0]));
	for (size_t i = 0; i < loops; i++)
		while (!loop_turns(&b->loop[i]))
			sched_yield();
	beside_begin(b);
	if (!r)
		r = start_all(reader, &readers, b->readers, read_on, b->reader, sizeof(b->reader[0]));
	if (!r)
		r = start_all(stepper, &steppers, b->steppers, step_on, b->stepper, sizeof(b->stepper[0]));
	join_all(stepper, steppers);
	beside_end(b);
	readers_release(b);
	join_all(reader, readers);
	__atomic_store_n(&b->over, true, __ATOMIC_RELAXED);
	join_all(loop, loops);
	free(loop);
	return r;
}
