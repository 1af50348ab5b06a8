/* SPDX-License-Identifier: MIT */
/*
 * topology.h - the machine: the node, package, cache and core of each CPU, the
 * nodes, and how far they are from each other. Read once from sysfs; whether
 * memory can be placed is asked of libnuma. libnuma's own tables are not used:
 * where it cannot read a file it goes on with one node and distances of 10.
 */
#ifndef PERCH_NUMA_TOPOLOGY_H
#define PERCH_NUMA_TOPOLOGY_H

#include <numa.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct topology_cpu {
	int node;    /* -1: no CPU of this number is online */
	int package; /* -1: not told */
	int core;    /* the lowest CPU of its SMT siblings */
	int cache;   /* the lowest CPU that shares its last-level cache; -1: not told */
	bool allowed;
};

struct topology_node {
	bool present;
	int cpus;        /* online CPUs; 0 for a node of memory only */
	uint64_t memory; /* bytes; 0 for a node of CPUs only */
	int memory_node; /* itself, or the nearest one with memory */
	bool closed;     /* memory of this process may not be there (cpuset.mems) */
};

/* Does not change once made; readers need no lock. */
struct topology {
	int cpus;  /* CPU numbers are below this; they may be sparse */
	int nodes; /* node numbers are below this; they may be sparse */
	int nodes_present;
	struct topology_cpu *cpu;
	struct topology_node *node;
	uint16_t *distance; /* [from * nodes + to]; 0 when either is not present */
	bool placement;     /* libnuma: memory can be bound to nodes */
	bool emulated;      /* described by someone (described.h), not read */
	bool nodes_told;    /* false: the kernel, or the caller, knows no nodes; there is one, number 0 */
	int cores_unknown;  /* online CPUs without a file that tells their siblings */
	int caches_unknown; /* the same for their last-level cache */
	char note[200];     /* why nodes_told or placement is false; "" otherwise */
};

/*
 * topology_discover - read the machine.
 * @allowed: the CPUs that will be used; each must be online and have a node
 * @error:   where 0 or -errno goes; may be NULL
 *
 * A kernel built without NUMA has no nodes to tell, which is noted; a file
 * that is missing or wrong is an error, with a line on stderr that names it.
 * A caller who wants to go on all the same says so with topology_flat().
 *
 * Returns the topology, or NULL.
 */
struct topology *topology_discover(const struct bitmask *allowed, int *error);

/* One node with these CPUs, nothing known about caches; `why` is noted.
 * NULL when there is no memory. */
struct topology *topology_flat(const struct bitmask *allowed, const char *why);

void topology_free(struct topology *t);

/* Its node, or -1 when no such CPU is online. */
int topology_node_of_cpu(const struct topology *t, int cpu);

/* Node numbers are below this; not each is present. */
int topology_nodes(const struct topology *t);
bool topology_node_present(const struct topology *t, int node);

/* As the firmware tells it: 10 for a node to itself, more is further, and not
 * always the same in both directions; 0 when either node is not present. */
int topology_distance(const struct topology *t, int from, int to);

/* Where the memory for work on this node should be: the node itself, the
 * nearest with memory if it has none, -1 if it is not present. */
int topology_memory_node(const struct topology *t, int node);

/* What was found, for people: a few lines. */
void topology_print(const struct topology *t, FILE *out);

/* The same from files below `root`, with the line in `message`; for tests. */
struct topology *topology_discover_in(const char *root, const struct bitmask *allowed, int *error, char *message,
				      size_t size);

/* ---- for described.h, which fills one itself ---- */

/* CPUs are on no node, nodes not present; NULL: no memory. */
struct topology *topology_make(int cpus, int nodes);
/* When nodes, memory and distances are there. */
void topology_find_memory_nodes(struct topology *t);
/* Those are `allowed`; the first that is on no node, or -1. */
int topology_mark_allowed(struct topology *t, const struct bitmask *allowed);
/* Fills `placement`, and why not; and which nodes are closed. */
void topology_ask_libnuma(struct topology *t);

#endif
