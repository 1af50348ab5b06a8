/* SPDX-License-Identifier: MIT */
#include "tools/sim/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numa/cpuset.h"
#include "numa/described.h"
#include "numa/tier.h"

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned hops(enum machine_distances kind, unsigned nodes, unsigned from, unsigned to)
{
	unsigned apart = from < to ? to - from : from - to, columns = 1;

	if (kind == DISTANCES_RING)
		return least(apart, nodes - apart);
	for (unsigned c = 1; c * c <= nodes; c++)
		if (nodes % c == 0)
			columns = nodes / c;
	return (unsigned)(abs((int)(from % columns) - (int)(to % columns)) +
			  abs((int)(from / columns) - (int)(to / columns)));
}

static unsigned distance(enum machine_distances kind, unsigned nodes, unsigned from, unsigned to)
{
	if (from == to)
		return 10;
	switch (kind) {
	case DISTANCES_FULL:
		return 21;
	case DISTANCES_TWO_LEVEL:
		return from / 4 == to / 4 ? 12 : 32;
	default:
		return 10 + 6 * hops(kind, nodes, from, to);
	}
}

/* The text with a table of distances, when it is a shape that has none; the reader says what is
 * wrong with anything else. */
static char *complete(const char *text, enum machine_distances kind)
{
	unsigned nodes, cores;
	size_t size;
	char *whole;
	FILE *f;

	if (strstr(text, "distance=") || sscanf(text, "%4ux%4u", &nodes, &cores) != 2 || nodes > MACHINE_NODES_MOST)
		return strdup(text);
	f = open_memstream(&whole, &size);
	if (!f)
		return NULL;
	fputs(text, f);
	for (unsigned from = 0; from < nodes; from++)
		for (unsigned to = 0; to < nodes; to++)
			fprintf(f, "%s%u", to ? "," : from ? "/" : " distance=", distance(kind, nodes, from, to));
	return fclose(f) ? NULL : whole;
}

/* Count CPUs and nodes through. */
static int number_all(struct machine *m)
{
	const struct topology *t = m->topology;
	int *number_of_node = calloc((size_t)t->nodes, sizeof(int));

	m->number = calloc((size_t)t->cpus, sizeof(*m->number));
	m->index = calloc((size_t)t->cpus, sizeof(*m->index));
	m->node = calloc((size_t)t->cpus, sizeof(*m->node));
	m->first = calloc((size_t)t->nodes + 1, sizeof(*m->first));
	m->victims = calloc((size_t)t->cpus, sizeof(struct machine_victim *));
	m->set = cpuset_alloc((unsigned)t->cpus);
	if (!number_of_node || !m->number || !m->index || !m->node || !m->first || !m->victims || !m->set) {
		free(number_of_node);
		return -ENOMEM;
	}
	for (int node = 0; node < t->nodes; node++) {
		if (!t->node[node].present || !t->node[node].cpus)
			continue;
		for (int cpu = 0; cpu < t->cpus; cpu++)
			if (t->cpu[cpu].node == node) {
				m->number[m->cpus] = cpu;
				m->index[cpu] = (uint16_t)m->cpus;
				m->node[m->cpus++] = (uint16_t)m->nodes;
				numa_bitmask_setbit(m->set, (unsigned)cpu);
			}
		number_of_node[m->nodes++] = node;
		m->first[m->nodes] = m->cpus;
	}
	m->distance = calloc((size_t)m->nodes * m->nodes + 1, sizeof(*m->distance));
	for (unsigned i = 0; m->distance && i < m->nodes * m->nodes; i++)
		m->distance[i] =
			(uint16_t)topology_distance(t, number_of_node[i / m->nodes], number_of_node[i % m->nodes]);
	free(number_of_node);
	return m->distance ? 0 : -ENOMEM;
}

struct machine *machine_make(const char *text, enum machine_distances distances, char *message, size_t size)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct bitmask *nobody = cpuset_alloc(1); /* of the CPUs here, none is used */
	int error = -ENOMEM;

	snprintf(message, size, "no memory");
	if (m && nobody && (m->text = complete(text, distances)) &&
	    (m->topology = topology_parse(m->text, nobody, &error, message, size))) {
		error = number_all(m);
		if (error)
			snprintf(message, size, "no memory");
		else if (m->cpus > MACHINE_CPUS_MOST || m->nodes > MACHINE_NODES_MOST || !m->cpus)
			snprintf(message, size, "%u CPUs on %u nodes; it is 1 to %d on at most %d", m->cpus, m->nodes,
				 MACHINE_CPUS_MOST, MACHINE_NODES_MOST);
		else
			*message = 0;
	}
	if (nobody)
		numa_bitmask_free(nobody);
	if (!*message)
		return m;
	machine_free(m);
	return NULL;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	for (unsigned i = 0; m->victims && i < m->cpus; i++)
		free(m->victims[i]);
	if (m->set)
		numa_bitmask_free(m->set);
	if (m->topology)
		topology_free(m->topology);
	free(m->victims);
	free(m->distance);
	free(m->first);
	free(m->node);
	free(m->index);
	free(m->number);
	free(m->text);
	free(m);
}

const struct machine_victim *machine_victims(struct machine *m, unsigned cpu)
{
	struct tier_victim *order;
	struct machine_victim *v;
	int n;

	if (m->victims[cpu])
		return m->victims[cpu];
	order = calloc(m->cpus, sizeof(*order));
	v = calloc(m->cpus, sizeof(*v));
	n = order && v ? tier_order(m->topology, m->number[cpu], m->set, order, (int)m->cpus) : -ENOMEM;
	for (int i = 0, begin = 0, end; i < n; begin = end) {
		for (end = begin; end < n && order[end].tier == order[begin].tier;)
			end++;
		for (; i < end; i++)
			v[i] = (struct machine_victim){m->index[order[i].cpu], (uint16_t)order[i].tier, (uint16_t)begin,
						       (uint16_t)(end - begin)};
	}
	free(order);
	if (n != (int)m->cpus - 1) {
		free(v);
		return NULL;
	}
	return m->victims[cpu] = v;
}
