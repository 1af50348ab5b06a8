/* SPDX-License-Identifier: MIT */
#include "core/sched/task.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int task_attr_on(pthread_attr_t *attr, int cpu)
{
	size_t bytes = CPU_ALLOC_SIZE((size_t)cpu + 1);
	cpu_set_t *set = CPU_ALLOC((size_t)cpu + 1);
	int r;

	if (!set)
		return ENOMEM;
	CPU_ZERO_S(bytes, set);
	CPU_SET_S((size_t)cpu, bytes, set);
	r = pthread_attr_setaffinity_np(attr, bytes, set);
	CPU_FREE(set);
	return r;
}

int task_start(pthread_t *p, int cpu, size_t stack, void *(*fn)(void *), void *arg)
{
	sigset_t all, mask;
	pthread_attr_t attr;
	int r = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack);
	if (cpu >= 0)
		r = task_attr_on(&attr, cpu);
	if (!r) {
		sigfillset(&all);
		pthread_sigmask(SIG_BLOCK, &all, &mask);
		r = pthread_create(p, &attr, fn, arg);
		pthread_sigmask(SIG_SETMASK, &mask, NULL);
	}
	pthread_attr_destroy(&attr);
	return -r;
}

uint64_t task_cpu_ns(pid_t tid)
{
	/* the kernel's encoding of a thread's scheduler clock (CPUCLOCK_SCHED | CPUCLOCK_PERTHREAD_MASK) */
	clockid_t clock = (clockid_t)(~(unsigned)tid << 3 | 6u);
	struct timespec t;

	if (clock_gettime(clock, &t))
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

char task_state(pid_t tid)
{
	char path[64], line[256];
	const char *behind;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT && !access("/proc/self/task", F_OK) ? 0 : '?';
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n < 0 && errno == ESRCH)
		return 0;
	if (n <= 0)
		return '?';
	line[n] = 0;
	behind = strrchr(line, ')'); /* the name before it may hold anything */
	if (!behind || !behind[1])
		return '?';
	return behind[2];
}
