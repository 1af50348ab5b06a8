/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "bench/backend/pthread_crowd.h"
#include "bench/workload/measure.h"

static struct {
	struct placement *p;
	sem_t arrived, go;
} placing;

static void *placed(void *arg)
{
	size_t i = (size_t)arg;

	placement_born(placing.p, i);
	sem_post(&placing.arrived);
	while (sem_wait(&placing.go))
		;
	placement_woken(placing.p, i);
	return (char *)arg + 1;
}

static void await(sem_t *s, size_t n)
{
	while (n--)
		while (sem_wait(s))
			;
}

int pthread_placement(struct placement *p)
{
	pthread_t *t = calloc(p->n, sizeof(*t));
	uint64_t start = now_ns();
	size_t made = 0;
	int r = 0;

	if (!t)
		return -ENOMEM;
	placing.p = p;
	sem_init(&placing.arrived, 0, 0);
	sem_init(&placing.go, 0, 0);
	while (!r && made < p->n) {
		r = -pthread_create(&t[made], NULL, placed, (void *)made);
		made += !r;
	}
	await(&placing.arrived, made);
	p->ns = now_ns() - start;
	if (!r)
		placement_look(p);
	for (size_t i = 0; i < made; i++)
		sem_post(&placing.go);
	for (size_t i = 0; i < made; i++) {
		void *result;

		pthread_join(t[i], &result);
		p->right += result == (void *)(i + 1);
	}
	sem_destroy(&placing.arrived);
	sem_destroy(&placing.go);
	free(t);
	return r;
}
