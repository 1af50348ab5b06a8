/* SPDX-License-Identifier: MIT */
#include "core/sched/nodes.h"

#include <stdlib.h>

#include "core/sched/processor.h"
#include "numa/topology.h"

static int by_node(const void *left, const void *right)
{
	const struct processor *a = *(struct processor *const *)left, *b = *(struct processor *const *)right;

	return a->node != b->node ? (a->node < b->node ? -1 : 1) : a->cpu < b->cpu ? -1 : a->cpu > b->cpu;
}

/* Both tables reach as far as any processor does, whatever the topology knows: one of a
 * CPU that is off just now is on a node all the same. */
static void count_up(struct nodes *n, const struct topology *t, struct processor *const processor[], unsigned count)
{
	n->count = (unsigned)topology_nodes(t);
	n->cpus = (unsigned)t->cpus;
	for (unsigned i = 0; i < count; i++) {
		if ((unsigned)processor[i]->node >= n->count)
			n->count = (unsigned)processor[i]->node + 1;
		if ((unsigned)processor[i]->cpu >= n->cpus)
			n->cpus = (unsigned)processor[i]->cpu + 1;
	}
}

struct nodes *nodes_make(const struct topology *t, struct processor *const processor[], unsigned count)
{
	struct nodes *n = calloc(1, sizeof(*n) + count * sizeof(n->order[0]));

	if (!n)
		return NULL;
	count_up(n, t, processor, count);
	n->placement = t->placement;
	n->node = calloc(n->count, sizeof(*n->node));
	n->of_cpu = calloc(n->cpus, sizeof(*n->of_cpu));
	n->at = calloc(n->cpus, sizeof(struct processor *));
	if (!n->node || !n->of_cpu || !n->at) {
		nodes_free(n);
		return NULL;
	}
	for (unsigned i = 0; i < n->count; i++) {
		bool known = i < (unsigned)topology_nodes(t) && topology_node_present(t, (int)i);

		n->node[i].memory = known ? topology_memory_node(t, (int)i) : -1;
		n->node[i].has_memory = known && n->node[i].memory == (int)i;
	}
	for (unsigned cpu = 0; cpu < n->cpus; cpu++)
		n->of_cpu[cpu] = topology_node_of_cpu(t, (int)cpu);
	for (unsigned i = 0; i < count; i++) {
		n->order[i] = processor[i];
		n->at[processor[i]->cpu] = processor[i];
		n->of_cpu[processor[i]->cpu] = processor[i]->node;
	}
	qsort(n->order, count, sizeof(struct processor *), by_node);
	for (unsigned i = 0; i < count; i++) {
		struct node *node = &n->node[n->order[i]->node];

		if (!node->end) {
			node->begin = i;
			n->populated++;
		}
		node->end = i + 1;
	}
	return n;
}

void nodes_free(struct nodes *n)
{
	if (!n)
		return;
	free(n->node);
	free(n->of_cpu);
	free(n->at);
	free(n);
}
