/* SPDX-License-Identifier: MIT */
#include "numa/topology.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "numa/cpuset.h"
#include "numa/place.h"
#include "numa/sysfs.h"

#define CPU_DIR "/sys/devices/system/cpu"
#define NODE_DIR "/sys/devices/system/node"
#define DISTANCE_LOCAL 10

static int highest(const struct bitmask *set)
{
	int last = -1;

	cpuset_for_each(i, set) last = i;
	return last;
}

struct topology *topology_make(int cpus, int nodes)
{
	struct topology *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->cpus = cpus;
	t->nodes = nodes;
	t->nodes_told = true;
	t->cpu = calloc((size_t)cpus, sizeof(*t->cpu));
	t->node = calloc((size_t)nodes, sizeof(*t->node));
	t->distance = calloc((size_t)nodes * (size_t)nodes, sizeof(*t->distance));
	if (!t->cpu || !t->node || !t->distance) {
		topology_free(t);
		return NULL;
	}
	for (int i = 0; i < cpus; i++)
		t->cpu[i] = (struct topology_cpu){.node = -1, .package = -1, .core = i, .cache = -1};
	for (int i = 0; i < nodes; i++)
		t->node[i].memory_node = -1;
	return t;
}

void topology_free(struct topology *t)
{
	if (!t)
		return;
	free(t->cpu);
	free(t->node);
	free(t->distance);
	free(t);
}

/* One row of distances: a number for each online node, in their order. */
static int read_distances(struct sysfs *s, struct topology *t, const struct bitmask *online, int node)
{
	char *text, *p;
	int r = sysfs_read(s, &text, NODE_DIR "/node%d/distance", node);

	if (r)
		return r;
	p = text;
	cpuset_for_each(to, online)
	{
		char *end;
		long d = strtol(p, &end, 10);

		if (end == p || d < 1 || d > UINT16_MAX) {
			r = -EINVAL;
			break;
		}
		t->distance[node * t->nodes + to] = (uint16_t)d;
		p = end;
	}
	if (r || *p)
		r = sysfs_fail(s, -EINVAL, "expected one distance for each online node", NODE_DIR "/node%d/distance",
			       node);
	free(text);
	return r;
}

static int read_memory(struct sysfs *s, struct topology *t, int node)
{
	char *text, *p;
	unsigned long long kib;
	int r = sysfs_read(s, &text, NODE_DIR "/node%d/meminfo", node);

	if (r)
		return r;
	p = strstr(text, "MemTotal:");
	if (p && sscanf(p, "MemTotal: %llu kB", &kib) == 1)
		t->node[node].memory = (uint64_t)kib << 10;
	else
		r = sysfs_fail(s, -EINVAL, "no line 'MemTotal: N kB'", NODE_DIR "/node%d/meminfo", node);
	free(text);
	return r;
}

static int read_node(struct sysfs *s, struct topology *t, const struct bitmask *online, int node)
{
	struct bitmask *cpus;
	int r = sysfs_list(s, &cpus, NODE_DIR "/node%d/cpulist", node);

	if (r)
		return r;
	t->node[node].present = true;
	t->nodes_present++;
	cpuset_for_each(cpu, cpus)
	{
		if (cpu >= t->cpus || t->cpu[cpu].node != -1) {
			r = sysfs_fail(s, -EINVAL,
				       cpu >= t->cpus ? "a CPU that is not possible" : "a CPU of another node too",
				       NODE_DIR "/node%d/cpulist", node);
			break;
		}
		t->cpu[cpu].node = node;
		t->node[node].cpus++;
	}
	numa_bitmask_free(cpus);
	if (!r)
		r = read_memory(s, t, node);
	if (!r)
		r = read_distances(s, t, online, node);
	return r;
}

/* Where a node's pages go when it has none of its own; ties: the lowest number. */
void topology_find_memory_nodes(struct topology *t)
{
	for (int from = 0; from < t->nodes; from++) {
		int best = -1;

		if (!t->node[from].present)
			continue;
		for (int to = 0; to < t->nodes; to++)
			if (t->node[to].memory &&
			    (best < 0 || to == from ||
			     (best != from && topology_distance(t, from, to) < topology_distance(t, from, best))))
				best = to;
		t->node[from].memory_node = best;
	}
}

/* The lowest member of a CPU list file: the name of the group. -ENOENT when there is none. */
static int lowest_of(struct sysfs *s, int cpu, const char *file)
{
	struct bitmask *list;
	int r = sysfs_list(s, &list, CPU_DIR "/cpu%d/%s", cpu, file);

	if (r)
		return r;
	if (numa_bitmask_isbitset(list, (unsigned)cpu))
		r = cpuset_next(list, 0);
	else
		r = sysfs_fail(s, -EINVAL, "the CPU itself is not in the list", CPU_DIR "/cpu%d/%s", cpu, file);
	numa_bitmask_free(list);
	return r;
}

/* The cache of the highest level that holds data. */
static int read_cache(struct sysfs *s, struct topology *t, int cpu)
{
	long best = 0;

	for (int index = 0; sysfs_exists(s, CPU_DIR "/cpu%d/cache/index%d", cpu, index); index++) {
		char file[64], *type;
		bool data;
		long level;
		int r = sysfs_number(s, &level, CPU_DIR "/cpu%d/cache/index%d/level", cpu, index);

		if (r == -ENOENT)
			continue; /* a hypervisor that tells the sizes only */
		if (!r)
			r = sysfs_read(s, &type, CPU_DIR "/cpu%d/cache/index%d/type", cpu, index);
		if (r)
			return r;
		data = strcmp(type, "Instruction") != 0;
		free(type);
		if (!data || level <= best)
			continue;
		snprintf(file, sizeof(file), "cache/index%d/shared_cpu_list", index);
		r = lowest_of(s, cpu, file);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		t->cpu[cpu].cache = r;
		best = level;
	}
	if (t->cpu[cpu].cache < 0)
		t->caches_unknown++;
	return 0;
}

static int read_cpu(struct sysfs *s, struct topology *t, int cpu)
{
	long package;
	int r = lowest_of(s, cpu, "topology/thread_siblings_list");

	if (r >= 0)
		t->cpu[cpu].core = r;
	else if (r == -ENOENT)
		t->cores_unknown++;
	else
		return r;
	r = sysfs_number(s, &package, CPU_DIR "/cpu%d/topology/physical_package_id", cpu);
	if (!r)
		t->cpu[cpu].package = (int)package;
	else if (r != -ENOENT)
		return r;
	return read_cache(s, t, cpu);
}

/* A kernel without NUMA: the CPUs that are online are on the one node. */
static int read_flat(struct sysfs *s, struct topology *t)
{
	struct bitmask *online;
	int r = sysfs_list(s, &online, CPU_DIR "/online");

	if (r)
		return r;
	t->node[0] = (struct topology_node){.present = true, .memory_node = 0};
	t->nodes_present = 1;
	t->distance[0] = DISTANCE_LOCAL;
	t->nodes_told = false;
	snprintf(t->note, sizeof(t->note), "%s" NODE_DIR " is not there: a kernel without NUMA", s->root);
	cpuset_for_each(cpu, online)
	{
		if (cpu >= t->cpus) {
			r = sysfs_fail(s, -EINVAL, "a CPU that is not possible", CPU_DIR "/online");
			break;
		}
		t->cpu[cpu].node = 0;
		t->node[0].cpus++;
	}
	numa_bitmask_free(online);
	return r;
}

static int read_nodes(struct sysfs *s, struct topology *t, const struct bitmask *online)
{
	int r = 0;

	cpuset_for_each(node, online)
	{
		r = read_node(s, t, online, node);
		if (r)
			return r;
	}
	topology_find_memory_nodes(t);
	return 0;
}

int topology_mark_allowed(struct topology *t, const struct bitmask *allowed)
{
	cpuset_for_each(cpu, allowed)
	{
		if (topology_node_of_cpu(t, cpu) < 0)
			return cpu;
		t->cpu[cpu].allowed = true;
	}
	return -1;
}

/* Each CPU that will be used must be online and have a node. */
static int check_allowed(struct sysfs *s, struct topology *t, const struct bitmask *allowed)
{
	int missing = topology_mark_allowed(t, allowed);
	char what[80];

	if (missing < 0)
		return 0;
	snprintf(what, sizeof(what), "CPU %d is to be used, but no node has it", missing);
	return sysfs_fail(s, -EINVAL, what, t->nodes_told ? NODE_DIR : CPU_DIR "/online");
}

/* online: the nodes; NULL for a kernel without them */
static int read_machine(struct sysfs *s, struct topology *t, const struct bitmask *online,
			const struct bitmask *allowed)
{
	int r = online ? read_nodes(s, t, online) : read_flat(s, t);

	for (int cpu = 0; !r && cpu < t->cpus; cpu++)
		if (t->cpu[cpu].node >= 0)
			r = read_cpu(s, t, cpu);
	return r ? r : check_allowed(s, t, allowed);
}

/* The list, which must have members. */
static int read_members(struct sysfs *s, struct bitmask **list, const char *path)
{
	int r = sysfs_list(s, list, "%s", path);

	if (r || highest(*list) >= 0)
		return r;
	numa_bitmask_free(*list);
	*list = NULL;
	return sysfs_fail(s, -EINVAL, "the list is empty", "%s", path);
}

static int read_all(struct sysfs *s, const struct bitmask *allowed, struct topology **out)
{
	struct bitmask *possible, *online = NULL;
	struct topology *t;
	int r = read_members(s, &possible, CPU_DIR "/possible");

	*out = NULL;
	if (r)
		return r;
	/* the CPUs' directory is there; so without this one the kernel has no NUMA */
	if (sysfs_exists(s, NODE_DIR))
		r = read_members(s, &online, NODE_DIR "/online");
	if (!r) {
		t = topology_make(highest(possible) + 1, online ? highest(online) + 1 : 1);
		if (t)
			r = read_machine(s, t, online, allowed);
		else
			r = sysfs_fail(s, -ENOMEM, "no memory for the tables", CPU_DIR);
		if (r)
			topology_free(t);
		else
			*out = t;
	}
	numa_bitmask_free(possible);
	if (online)
		numa_bitmask_free(online);
	return r;
}

struct topology *topology_discover_in(const char *root, const struct bitmask *allowed, int *error, char *message,
				      size_t size)
{
	struct sysfs s = {.root = root};
	struct topology *t;
	int r = read_all(&s, allowed, &t);

	if (error)
		*error = r;
	if (r)
		snprintf(message, size, "%s", s.error);
	return t;
}

/* Not a node of another number than the kernel's: there would be no such memory. */
static int node_not_there(const struct topology *t)
{
	for (int node = 0; node < t->nodes; node++)
		if (t->node[node].present &&
		    (numa_max_node() < node || !numa_bitmask_isbitset(numa_nodes_ptr, (unsigned)node)))
			return node;
	return -1;
}

/* If it is not told, none is. */
static void find_closed(struct topology *t)
{
	bool allowed[PLACE_NODES];

	if (place_allowed(allowed))
		return;
	for (int node = 0; node < t->nodes && node < PLACE_NODES; node++)
		t->node[node].closed = t->node[node].memory && !allowed[node];
}

/* libnuma asks the kernel whether it takes memory policies; a container's
 * filter may refuse what the kernel has. */
void topology_ask_libnuma(struct topology *t)
{
	size_t n = strlen(t->note);
	int node = -1;

	t->placement = numa_available() >= 0;
	if (!t->placement) {
		snprintf(t->note + n, sizeof(t->note) - n,
			 "%slibnuma: memory policies are not available (no kernel support, or refused by a filter)",
			 n ? "; " : "");
		return;
	}
	if (t->emulated)
		node = node_not_there(t);
	else
		find_closed(t);
	if (node >= 0) {
		t->placement = false;
		snprintf(t->note + n, sizeof(t->note) - n, "%sthe kernel has no node %d", n ? "; " : "", node);
	}
}

struct topology *topology_discover(const struct bitmask *allowed, int *error)
{
	char message[320];
	struct topology *t = topology_discover_in("", allowed, error, message, sizeof(message));

	if (t)
		topology_ask_libnuma(t);
	else
		fprintf(stderr, "perch: the topology is not known: %s\n", message);
	return t;
}

struct topology *topology_flat(const struct bitmask *allowed, const char *why)
{
	struct topology *t = topology_make(highest(allowed) + 1, 1);

	if (!t)
		return NULL;
	t->nodes_told = false;
	t->node[0] = (struct topology_node){.present = true, .memory_node = 0};
	t->nodes_present = 1;
	t->distance[0] = DISTANCE_LOCAL;
	snprintf(t->note, sizeof(t->note), "%s", why);
	cpuset_for_each(cpu, allowed)
	{
		t->cpu[cpu].node = 0;
		t->cpu[cpu].allowed = true;
		t->node[0].cpus++;
		t->cores_unknown++;
		t->caches_unknown++;
	}
	return t;
}

int topology_node_of_cpu(const struct topology *t, int cpu)
{
	return cpu >= 0 && cpu < t->cpus ? t->cpu[cpu].node : -1;
}

int topology_nodes(const struct topology *t)
{
	return t->nodes;
}

bool topology_node_present(const struct topology *t, int node)
{
	return node >= 0 && node < t->nodes && t->node[node].present;
}

int topology_distance(const struct topology *t, int from, int to)
{
	if (!topology_node_present(t, from) || !topology_node_present(t, to))
		return 0;
	return t->distance[from * t->nodes + to];
}

int topology_memory_node(const struct topology *t, int node)
{
	return topology_node_present(t, node) ? t->node[node].memory_node : -1;
}

static void print_cpus(const struct topology *t, int node, FILE *out)
{
	const char *comma = "";

	for (int first = 0; first < t->cpus; first++) {
		int last = first;

		if (t->cpu[first].node != node)
			continue;
		while (last + 1 < t->cpus && t->cpu[last + 1].node == node)
			last++;
		fprintf(out, last > first ? "%s%d-%d" : "%s%d", comma, first, last);
		comma = ",";
		first = last;
	}
	if (!*comma)
		fputs("none", out);
}

void topology_print(const struct topology *t, FILE *out)
{
	fprintf(out, "topology: %s%d node%s, placement of memory %s%s%s\n", t->emulated ? "emulated, " : "",
		t->nodes_present, t->nodes_present == 1 ? "" : "s", t->placement ? "works" : "does not work",
		*t->note ? "; " : "", t->note);
	for (int node = 0; node < t->nodes; node++) {
		if (!t->node[node].present)
			continue;
		fprintf(out, "  node %d: CPUs ", node);
		print_cpus(t, node, out);
		fprintf(out, "; %llu MiB%s; distances", (unsigned long long)(t->node[node].memory >> 20),
			t->node[node].closed ? ", not for this process (cpuset.mems)" : "");
		for (int to = 0; to < t->nodes; to++)
			if (t->node[to].present)
				fprintf(out, " %d:%d", to, topology_distance(t, node, to));
		fputc('\n', out);
	}
	if (t->cores_unknown)
		fprintf(out, "  SMT siblings not told for %d CPUs\n", t->cores_unknown);
	if (t->caches_unknown)
		fprintf(out, "  last-level cache not told for %d CPUs\n", t->caches_unknown);
}
