/* SPDX-License-Identifier: MIT */
/* nodes.h - which nodes there are to measure, or to tell backends of. */
#ifndef BENCH_NUMA_NODES_H
#define BENCH_NUMA_NODES_H

#include "numa/topology.h"

/*
 * The machine, or the one that PERCH_TOPOLOGY describes. 0; or -errno after a message.
 * topology_free() it.
 */
int nodes_find(struct topology **t);

/* "--cpu-nodes=" and the node of each CPU, as backends take it; to be freed. NULL: no memory. */
char *nodes_of_cpus(const struct topology *t);

/* CPUs of the node that may be used. */
int nodes_allowed_cpus(const struct topology *t, int node);

#endif
