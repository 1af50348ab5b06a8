/* SPDX-License-Identifier: MIT */
/*
 * machine.h - the machine that is simulated: a topology as the library reads it from
 * a text (numa/described.h), and whom each of its CPUs robs (numa/tier.h). CPUs and
 * nodes are counted through here, node by node, whatever their numbers are.
 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "numa/topology.h"

#define MACHINE_CPUS_MOST 4096
#define MACHINE_NODES_MOST 64

/* How far the nodes of a shape such as 8x64 are from each other. */
enum machine_distances {
	DISTANCES_FULL,      /* 21 from each to each */
	DISTANCES_RING,      /* 10, and 6 for each hop, the shorter way round */
	DISTANCES_MESH,      /* the same in rows and columns, as square as the number allows */
	DISTANCES_TWO_LEVEL, /* sockets of four nodes: 12 within, 32 between */
};

struct machine_victim {
	uint16_t cpu;
	uint16_t tier;
	uint16_t begin, of_tier; /* where its tier begins, and how many it has */
};

struct machine {
	struct topology *topology;
	struct bitmask *set;
	char *text;                      /* as the topology was described */
	unsigned cpus, nodes;            /* nodes with CPUs */
	int *number;                     /* of each CPU, in the topology */
	uint16_t *index;                 /* of each number of the topology, the CPU */
	uint16_t *node;                  /* of each CPU */
	unsigned *first;                 /* CPU of each node, and one more */
	uint16_t *distance;              /* [from * nodes + to] */
	struct machine_victim **victims; /* of each CPU, cpus - 1 of them; found when first needed */
};

/*
 * machine_make - from a text as PERCH_TOPOLOGY's; with `distances` when it says none
 * and has a shape. NULL, with what is wrong in `message`.
 */
struct machine *machine_make(const char *text, enum machine_distances distances, char *message, size_t size);
void machine_free(struct machine *m);

/* Whom it robs, in order; NULL: no memory. */
const struct machine_victim *machine_victims(struct machine *m, unsigned cpu);

static inline unsigned machine_distance(const struct machine *m, unsigned from, unsigned to)
{
	return m->distance[from * m->nodes + to];
}

#endif
