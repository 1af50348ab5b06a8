/* SPDX-License-Identifier: MIT */
#include "bench/workload/home.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Pages asked for at once. */
#define BATCH 1024

static int *described;
static size_t described_cpus;

int home_describe(const char *cpu_nodes)
{
	size_t n = 1;
	int *nodes;

	for (const char *c = cpu_nodes; *c; c++)
		n += *c == ',';
	nodes = malloc(n * sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		char *end;
		long node = strtol(cpu_nodes, &end, 10);

		if (end == cpu_nodes || *end != (i + 1 < n ? ',' : 0) || node < -1 || node > 4096) {
			free(nodes);
			return -EINVAL;
		}
		nodes[i] = (int)node;
		cpu_nodes = end + 1;
	}
	free(described);
	described = nodes;
	described_cpus = n;
	return 0;
}

bool home_described(void)
{
	return described;
}

int home_here(void)
{
	unsigned cpu, node;

	if (getcpu(&cpu, &node))
		return -1;
	if (!described)
		return (int)node;
	return cpu < described_cpus ? described[cpu] : -1;
}

int home_of_pages(void *const *pages, size_t n, int *nodes)
{
	for (size_t done = 0; done < n; done += BATCH) {
		size_t now = n - done < BATCH ? n - done : BATCH;

		if (syscall(SYS_move_pages, 0, now, pages + done, NULL, nodes + done, 0) < 0) {
			if (errno != ENOSYS)
				return -errno;
			memset(nodes, 0, n * sizeof(*nodes));
			return 0;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (nodes[i] < 0)
			nodes[i] = -1;
	return 0;
}
