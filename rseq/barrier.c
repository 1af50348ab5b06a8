/* SPDX-License-Identifier: MIT */
#include "rseq/barrier.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rseq/abi.h"
#include "rseq/percpu.h"

static long membarrier(int command, unsigned flags, int cpu)
{
	int saved = errno;
	long r = syscall(SYS_membarrier, command, flags, cpu);

	if (r < 0)
		r = -errno;
	errno = saved;
	return r;
}

int barrier_register(void)
{
	long r = membarrier(MEMBARRIER_RSEQ_REGISTER, 0, 0);

	/* FLAG_CPU came with the command itself, but a filter may refuse either */
	return (int)(r ? r : membarrier(MEMBARRIER_RSEQ, MEMBARRIER_FLAG_CPU, 0));
}

/* ---- when the call is refused after it had worked: a filter that came later ---- */

/* As many CPUs as a mask on a thread's stack has bits for. */
#define CPUS 8192

typedef unsigned long cpu_mask[CPUS / (8 * sizeof(long))];

/*
 * By being on that CPU for a moment. Who ran there was preempted for it, so the kernel aborts its
 * section, and a switch of pthreads is a barrier on that CPU. One that is here already has
 * been preempted before. A CPU that cannot be had is off, or in nobody's cpuset who could
 * run a section there. False: this is refused too.
 */
static bool visit(int cpu)
{
	const unsigned bits = 8 * sizeof(long);
	cpu_mask one = {0};

	if (cpu < 0 || cpu >= CPUS)
		return false;
	one[(unsigned)cpu / bits] = 1ul << (unsigned)cpu % bits;
	return !syscall(SYS_sched_setaffinity, 0, sizeof(one), one) || errno == EINVAL;
}

static bool visit_all(int first, int end)
{
	int saved = errno;
	bool done = true;
	cpu_mask home;
	long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(home), home);

	for (int cpu = first; cpu < end && done; cpu++)
		done = visit(cpu);
	if (bytes > 0)
		syscall(SYS_sched_setaffinity, 0, (size_t)bytes, home);
	errno = saved;
	return done && bytes > 0;
}

static void by_visits(int first, int end, long error)
{
	static uint32_t told;

	if (!__atomic_exchange_n(&told, 1, __ATOMIC_RELAXED))
		fprintf(stderr, "perch: membarrier was refused after it had worked (%s): going on by slower means\n",
			strerrordesc_np((int)-error));
	if (visit_all(first, end))
		return;
	fprintf(stderr, "perch: and so was sched_setaffinity; nothing is left that is safe\n");
	abort();
}

/* The kernel may be short of memory for its list of CPUs, and that passes. */
static void must(unsigned flags, int cpu, int first, int end)
{
	long r;

#ifdef PERCH_BARRIER_VISITS /* for tests */
	(void)flags;
	(void)cpu;
	r = -EPERM;
#else
	while ((r = membarrier(MEMBARRIER_RSEQ, flags, cpu)) == -ENOMEM)
		sched_yield();
#endif
	if (r)
		by_visits(first, end, r);
}

void barrier_cpu(int cpu)
{
#ifndef PERCH_SEED_NO_BARRIER
	must(MEMBARRIER_FLAG_CPU, cpu, cpu, cpu + 1);
#else
	(void)cpu;
	(void)must;
#endif
}

void barrier_all(void)
{
	must(0, 0, 0, percpu_count);
}
