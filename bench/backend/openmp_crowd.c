/* SPDX-License-Identifier: MIT */
#include "bench/backend/openmp_crowd.h"

#include <errno.h>
#include <omp.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bench/workload/measure.h"

/* The run-time libraries abort when a thread cannot be had, so not near the limit. */
#define TEAM_MOST 10000

size_t openmp_flat(size_t n)
{
	static size_t *result; /* kept from run to run, as all backends do */
	static size_t room;
	size_t right = 0, *to;

	if (room < n) {
		free(result);
		result = calloc(n, sizeof(*result));
		room = result ? n : 0;
	}
	if (room < n)
		return 0;
	to = result;
	for (size_t i = 0; i < n; i++) {
#pragma omp task firstprivate(to, i)
		to[i] = i + 1;
	}
#pragma omp taskwait
	for (size_t i = 0; i < n; i++) {
		right += to[i] == i + 1;
		to[i] = 0;
	}
	return right;
}

static uint64_t switches_so_far(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)u.ru_nvcsw + (uint64_t)u.ru_nivcsw;
}

/* A team within the team; both on the CPU that the first of them is on. */
uint64_t openmp_yield_pair(size_t n, uint64_t *ns)
{
	uint64_t switches = 0, start = 0;
	size_t each = n / 2, turns[2] = {0, 0};
	int cpu = sched_getcpu(), team = 0;

	omp_set_max_active_levels(2);
#pragma omp parallel num_threads(2) shared(turns, switches, start, team)
	{
		int me = omp_get_thread_num();
		cpu_set_t all, one;

		sched_getaffinity(0, sizeof(all), &all);
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
#pragma omp single
		{
			team = omp_get_num_threads();
			switches = switches_so_far();
			start = now_ns();
		}
		for (size_t i = 0; i < each; i++) {
			sched_yield();
			turns[me]++;
		}
#pragma omp barrier
#pragma omp single
		{
			*ns = now_ns() - start;
			switches = switches_so_far() - switches;
		}
		sched_setaffinity(0, sizeof(all), &all);
	}
	return team == 2 && turns[0] == each && turns[1] == each && switches >= n / 4 ? switches : 0;
}

/* The first of the team does the counting while the others wait. */
int openmp_parked(struct crowd *c)
{
	size_t n = c->asked < TEAM_MOST ? c->asked : TEAM_MOST;
	sem_t arrived, go;
	uint64_t start;
	size_t right = 0;
	int r;

	sem_init(&arrived, 0, 0);
	sem_init(&go, 0, 0);
	omp_set_max_active_levels(2);
	r = c->read(&c->before);
	start = now_ns();
#pragma omp parallel num_threads((int)n + 1) shared(arrived, go, c, r, start) reduction(+ : right)
	{
		if (omp_get_thread_num()) {
			sem_post(&arrived);
			while (sem_wait(&go))
				;
			right++;
		} else {
			c->made = (size_t)omp_get_num_threads() - 1;
			for (size_t i = 0; i < c->made; i++)
				while (sem_wait(&arrived))
					;
			c->ns = now_ns() - start;
			if (!r)
				r = c->read(&c->peak);
			start = now_ns();
			for (size_t i = 0; i < c->made; i++)
				sem_post(&go);
		}
	}
	c->release_ns = now_ns() - start;
	c->right = right;
	sem_destroy(&arrived);
	sem_destroy(&go);
	return r;
}
