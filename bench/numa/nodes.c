/* SPDX-License-Identifier: MIT */
#include "bench/numa/nodes.h"

#include <stdlib.h>

#include "numa/cpuset.h"
#include "numa/described.h"

int nodes_find(struct topology **t)
{
	const char *text = getenv("PERCH_TOPOLOGY");
	struct bitmask *allowed;
	int r = cpuset_allowed(&allowed);

	if (r)
		return r;
	*t = text && *text ? topology_described("PERCH_TOPOLOGY", text, allowed, &r) : topology_discover(allowed, &r);
	numa_bitmask_free(allowed);
	return *t ? 0 : r;
}

char *nodes_of_cpus(const struct topology *t)
{
	size_t size = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fputs("--cpu-nodes=", f);
	for (int cpu = 0; cpu < t->cpus; cpu++)
		fprintf(f, "%s%d", cpu ? "," : "", t->cpu[cpu].node);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

int nodes_allowed_cpus(const struct topology *t, int node)
{
	int n = 0;

	for (int cpu = 0; cpu < t->cpus; cpu++)
		n += t->cpu[cpu].allowed && t->cpu[cpu].node == node;
	return n;
}
