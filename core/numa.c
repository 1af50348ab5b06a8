/* SPDX-License-Identifier: MIT */
/* numa.c - the calls of perch/numa.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <perch/perch.h>

#include "core/sched/nodes.h"
#include "core/sched/sched.h"
#include "core/task/cut.h"
#include "numa/cpuset.h"
#include "numa/memory.h"
#include "numa/place.h"

/* Memory is in small pages unless there are as many huge ones for each processor: else
 * a good part of a block would lie with its neighbour's. */
#define HUGE_PAGES_EACH 16

/* NULL: the runtime is not running. */
static const struct nodes *nodes_now(void)
{
	return sched_up() ? sched_set()->nodes : NULL;
}

unsigned perch_numa_nodes(void)
{
	const struct nodes *nodes = nodes_now();

	return nodes ? nodes->populated : 0;
}

static bool populated(const struct nodes *nodes, unsigned node)
{
	return node < nodes->count && nodes->node[node].end > nodes->node[node].begin;
}

int perch_numa_next(int node)
{
	const struct nodes *nodes = nodes_now();

	for (unsigned n = node < 0 ? 0 : (unsigned)node + 1; nodes && n < nodes->count; n++)
		if (populated(nodes, n))
			return (int)n;
	return -1;
}

int perch_numa_node_of_cpu(int cpu)
{
	const struct nodes *nodes = nodes_now();

	if (!nodes || cpu < 0 || (unsigned)cpu >= nodes->cpus || nodes->of_cpu[cpu] < 0)
		return -EINVAL;
	return nodes->of_cpu[cpu];
}

int perch_numa_node(void)
{
	int node;

	if (!sched_up())
		return -EINVAL;
	node = perch_numa_node_of_cpu(percpu_cpu());
	return node < 0 ? -ENODEV : node;
}

int perch_numa_procs(int node)
{
	const struct nodes *nodes = nodes_now();
	int n = 0;

	if (!nodes || node < 0 || !populated(nodes, (unsigned)node))
		return -EINVAL;
	for (unsigned i = nodes->node[node].begin; i < nodes->node[node].end; i++)
		n += !processor_retired(nodes->order[i]);
	return n;
}

int perch_numa_node_of(const void *address)
{
	return memory_node(address);
}

/* ---- memory ---- */

static void say_refused(void)
{
	static uint32_t told;

	if (!__atomic_exchange_n(&told, 1, __ATOMIC_RELAXED))
		fputs("perch: memory cannot be placed on nodes, mbind() is refused: it is where it is first touched\n",
		      stderr);
}

static int spread(void *memory, size_t size, const struct nodes *nodes)
{
	struct bitmask *all = cpuset_alloc(nodes->count);
	int r;

	if (!all)
		return -ENOMEM;
	for (unsigned n = 0; n < nodes->count; n++)
		if (nodes->node[n].has_memory)
			numa_bitmask_setbit(all, n);
	r = memory_interleave(memory, size, all);
	numa_bitmask_free(all);
	return r;
}

/* As perch_for_numa() cuts a range. Parts that are neighbours and on one node are bound at once. */
static int bind_blocks(char *memory, size_t size, const struct processor_set *set)
{
	struct processor **processor = malloc(set->count * sizeof(struct processor *));
	size_t page = memory_page(), pages = (size - 1) / page + 1;
	unsigned n, next;
	int r = 0;

	if (!processor)
		return -ENOMEM;
	n = cut_processors(set, processor);
	for (unsigned i = 0; i < n && !r; i = next) {
		size_t lo = cut_part(pages, i, n), hi;
		int node = processor[i]->node;

		for (next = i + 1; next < n && processor[next]->node == node; next++)
			;
		hi = cut_part(pages, next, n);
		if (hi > lo)
			r = place_bind(memory + lo * page, (hi - lo) * page, set->nodes->node[node].memory);
	}
	free(processor);
	return r;
}

/* node: the one that was asked for, unless `where` is another kind of place. */
static int place(void *memory, size_t size, int where, int node, const struct processor_set *set)
{
	const struct nodes *nodes = set->nodes;
	size_t huge = memory_huge_page();

	if (!nodes->placement)
		return 0;
	if (where < PERCH_NUMA_LOCAL && huge && size / huge / HUGE_PAGES_EACH < perch_procs())
		memory_small_pages(memory, size);
	if (where == PERCH_NUMA_INTERLEAVED)
		return spread(memory, size, nodes);
	if (where == PERCH_NUMA_FIRST_TOUCH)
		return memory_first_touch(memory, size);
	if (where == PERCH_NUMA_BLOCKS)
		return bind_blocks(memory, size, set);
	return place_bind(memory, size, nodes->node[node].memory);
}

/* The node, where `where` means one; -EINVAL: no such place. */
static int meant(const struct nodes *nodes, int where)
{
	int node = where;

	if (where < PERCH_NUMA_LOCAL && where >= PERCH_NUMA_BLOCKS)
		return 0;
	if (where == PERCH_NUMA_LOCAL) {
		node = perch_numa_node();
		if (node < 0) /* on a CPU that is not among ours: any is as good */
			node = perch_numa_next(-1);
	}
	if (node < 0 || (unsigned)node >= nodes->count || nodes->node[node].memory < 0)
		return -EINVAL;
	return node;
}

int perch_numa_alloc(void **memory, size_t size, int where)
{
	const struct processor_set *set;
	void *p;
	int node, r = sched_check();

	if (r)
		return r;
	if (!memory || !size)
		return -EINVAL;
	set = sched_set();
	node = meant(set->nodes, where);
	if (node < 0)
		return node;
	r = memory_map(&p, size);
	if (r)
		return r;
	r = place(p, size, where, node, set);
	if (r == -EPERM) {
		say_refused();
		r = 0;
	}
	if (r)
		memory_unmap(p, size);
	else
		*memory = p;
	return r;
}

int perch_numa_free(void *memory, size_t size)
{
	return memory_unmap(memory, size);
}
