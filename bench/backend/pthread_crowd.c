/* SPDX-License-Identifier: MIT */
#include "bench/backend/pthread_crowd.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/workload/measure.h"

static void *plus_one(void *arg)
{
	return (char *)arg + 1;
}

/* Create n, join them; how many were right. Fewer may be made. */
static size_t flat_batch(pthread_t *t, size_t n, size_t first)
{
	size_t made = 0, right = 0;
	void *result;

	while (made < n && !pthread_create(&t[made], NULL, plus_one, (void *)(first + made)))
		made++;
	for (size_t i = 0; i < made; i++) {
		pthread_join(t[i], &result);
		right += result == (void *)(first + i + 1);
	}
	return right;
}

size_t pthread_flat(size_t n)
{
	size_t right = 0, batch;
	pthread_t *t = malloc(PTHREAD_FLAT_AT_ONCE * sizeof(*t));

	if (!t)
		return 0;
	for (size_t done = 0; done < n; done += batch) {
		batch = n - done < PTHREAD_FLAT_AT_ONCE ? n - done : PTHREAD_FLAT_AT_ONCE;
		right += flat_batch(t, batch, done);
	}
	free(t);
	return right;
}

static struct {
	pthread_barrier_t start;
	size_t each;
} pair;

static void *yielder(void *arg)
{
	uint64_t *turns = arg;

	pthread_barrier_wait(&pair.start);
	for (size_t i = 0; i < pair.each; i++) {
		sched_yield();
		++*turns;
	}
	return NULL;
}

/* The kernel's count: not every sched_yield() switches. */
static uint64_t switches_so_far(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)u.ru_nvcsw + (uint64_t)u.ru_nivcsw;
}

uint64_t pthread_yield_pair(size_t n, uint64_t *ns)
{
	uint64_t turns[2] = {0, 0}, switches, start;
	pthread_t t[2];

	pair.each = n / 2;
	if (pthread_barrier_init(&pair.start, NULL, 3))
		return 0;
	for (int i = 0; i < 2; i++)
		if (pthread_create(&t[i], NULL, yielder, &turns[i]))
			return 0;
	pthread_barrier_wait(&pair.start);
	switches = switches_so_far();
	start = now_ns();
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	*ns = now_ns() - start;
	switches = switches_so_far() - switches;
	pthread_barrier_destroy(&pair.start);
	/* a quarter: less would be mostly calls that do nothing */
	return turns[0] == pair.each && turns[1] == pair.each && switches >= n / 4 ? switches : 0;
}

static void *yield_once(void *arg)
{
	struct burst_thread *me = arg;

	me->begun++;
	sched_yield();
	me->back++;
	return me;
}

int pthread_burst(struct burst *b)
{
	pthread_t *t = calloc(b->at_once, sizeof(*t));
	uint64_t start = now_ns();
	void *result;

	if (!t)
		return -ENOMEM;
	for (size_t n = 0; n < b->bursts; n++) {
		size_t made = 0;

		while (made < b->at_once && !pthread_create(&t[made], NULL, yield_once, &b->thread[made]))
			made++;
		for (size_t i = 0; i < made; i++)
			b->joined += !pthread_join(t[i], &result) && result == &b->thread[i];
	}
	b->ns = now_ns() - start;
	free(t);
	return 0;
}

static struct {
	sem_t arrived, go;
} park;

static void *parker(void *arg)
{
	sem_post(&park.arrived);
	while (sem_wait(&park.go))
		;
	return (char *)arg + 1;
}

int pthread_parked(struct crowd *c)
{
	pthread_t *t = malloc(c->asked * sizeof(*t));
	uint64_t start;
	void *result;
	int r;

	if (!t)
		return -ENOMEM;
	memset(t, 1, c->asked * sizeof(*t)); /* touched before anything is counted */
	sem_init(&park.arrived, 0, 0);
	sem_init(&park.go, 0, 0);
	r = c->read(&c->before);
	start = now_ns();
	while (c->made < c->asked && !pthread_create(&t[c->made], NULL, parker, (void *)c->made))
		c->made++;
	for (size_t i = 0; i < c->made; i++)
		while (sem_wait(&park.arrived))
			;
	c->ns = now_ns() - start;
	if (!r)
		r = c->read(&c->peak);
	start = now_ns();
	for (size_t i = 0; i < c->made; i++)
		sem_post(&park.go);
	for (size_t i = 0; i < c->made; i++) {
		pthread_join(t[i], &result);
		c->right += result == (void *)(i + 1);
	}
	c->release_ns = now_ns() - start;
	sem_destroy(&park.arrived);
	sem_destroy(&park.go);
	free(t);
	return r;
}
