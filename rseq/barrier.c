/* SPDX-License-Identifier: MIT */
#include "rseq/barrier.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rseq/abi.h"

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

/* A barrier that fails after the probe passed leaves nothing that is safe; but
 * the kernel may be short of memory for its list of CPUs, and that passes. */
static void must(int command, unsigned flags, int cpu)
{
	long r;

	while ((r = membarrier(command, flags, cpu)) == -ENOMEM)
		sched_yield();
	if (r) {
		fprintf(stderr, "perch: membarrier was refused after it had worked: error %ld\n", -r);
		abort();
	}
}

void barrier_cpu(int cpu)
{
#ifndef PERCH_SEED_NO_BARRIER
	must(MEMBARRIER_RSEQ, MEMBARRIER_FLAG_CPU, cpu);
#else
	(void)cpu;
	(void)must;
#endif
}

void barrier_all(void)
{
	must(MEMBARRIER_RSEQ, 0, 0);
}
