/* SPDX-License-Identifier: MIT */
/* describe.c - a topology as a text that described.c reads. */
#include "numa/described.h"

/* Fields of a CPU that name a group of them. */
#define NODE offsetof(struct topology_cpu, node)
#define PACKAGE offsetof(struct topology_cpu, package)
#define CORE offsetof(struct topology_cpu, core)
#define CACHE offsetof(struct topology_cpu, cache)

static bool has(const struct topology *t, int cpu, size_t field, int value)
{
	const char *c = (const char *)&t->cpu[cpu];

	return t->cpu[cpu].node >= 0 && *(const int *)(const void *)(c + field) == value;
}

/* CPUs with this value in a field, of those that are on a node; returns how many. */
static int write_list(const struct topology *t, size_t field, int value, FILE *out)
{
	int n = 0;

	for (int first = 0; first < t->cpus; first++) {
		int last = first;

		if (!has(t, first, field, value))
			continue;
		while (last + 1 < t->cpus && has(t, last + 1, field, value))
			last++;
		if (out)
			fprintf(out, last > first ? "%s%d-%d" : "%s%d", n ? "," : "", first, last);
		n += last - first + 1;
		first = last;
	}
	return n;
}

static void write_size(uint64_t bytes, FILE *out)
{
	static const char unit[] = "KMGT";
	int u = 0;

	while (bytes && u < 4 && bytes % 1024 == 0) {
		bytes /= 1024;
		u++;
	}
	fprintf(out, u ? ":%llu%c" : ":%llu", (unsigned long long)bytes, unit[u ? u - 1 : 0]);
}

/* `unknown` CPUs are alone in their group because nothing is told; which ones makes no difference. */
static void write_groups(const struct topology *t, const char *word, size_t field, int unknown, FILE *out)
{
	for (int group = 0; group < t->cpus; group++) {
		int n = write_list(t, field, group, NULL);

		if (!n || (n == 1 && unknown-- > 0))
			continue;
		fprintf(out, "%s", word);
		write_list(t, field, group, out);
		word = "/";
	}
}

static void write_packages(const struct topology *t, FILE *out)
{
	/* their numbers are the firmware's: any, so not counted through */
	for (int cpu = 0; cpu < t->cpus; cpu++) {
		int package = t->cpu[cpu].package, before = 0;

		if (t->cpu[cpu].node < 0 || package < 0)
			continue;
		while (before < cpu && (t->cpu[before].node < 0 || t->cpu[before].package != package))
			before++;
		if (before < cpu)
			continue;
		fprintf(out, " package%d=", package);
		write_list(t, PACKAGE, package, out);
	}
}

static void write_distances(const struct topology *t, FILE *out)
{
	const char *word = " distance=";

	for (int from = 0; from < t->nodes; from++) {
		if (!t->node[from].present)
			continue;
		for (int to = 0; to < t->nodes; to++) {
			if (!t->node[to].present)
				continue;
			fprintf(out, "%s%d", word, topology_distance(t, from, to));
			word = ",";
		}
		word = "/";
	}
}

void topology_describe(const struct topology *t, FILE *out)
{
	const char *blank = "";
	int highest = -1;

	for (int cpu = 0; cpu < t->cpus; cpu++)
		if (t->cpu[cpu].node >= 0)
			highest = cpu;
	for (int node = 0; node < t->nodes; node++) {
		if (!t->node[node].present)
			continue;
		fprintf(out, "%snode%d=", blank, node);
		if (!write_list(t, NODE, node, out))
			fputs("none", out);
		write_size(t->node[node].memory, out);
		blank = " ";
	}
	write_distances(t, out);
	write_packages(t, out);
	write_groups(t, " core=", CORE, t->cores_unknown, out);
	write_groups(t, " cache=", CACHE, 0, out);
	if (t->cpus > highest + 1)
		fprintf(out, " possible=%d", t->cpus);
}
