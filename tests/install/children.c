/* SPDX-License-Identifier: MIT */
/* children.c - a pthread that a thread makes has as many CPUs as the process. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <perch/perch.h>

static void *count(void *cpus)
{
	cpu_set_t set;

	if (!sched_getaffinity(0, sizeof(set), &set))
		*(int *)cpus = CPU_COUNT(&set);
	return NULL;
}

static void *make(void *cpus)
{
	pthread_t p;

	if (!pthread_create(&p, NULL, count, cpus))
		pthread_join(p, NULL);
	return NULL;
}

int main(void)
{
	int mine = 0, childs = -1;

	count(&mine);
	if (perch_run(NULL, make, &childs, NULL))
		return 2;
	printf("the process has %d CPUs, the pthread %d\n", mine, childs);
	return childs != mine;
}
