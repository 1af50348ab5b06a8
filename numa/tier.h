/* SPDX-License-Identifier: MIT */
/*
 * tier.h - in which order a CPU looks for work at the others: its SMT
 * siblings, then its last-level cache, its node, and the other nodes, nearest
 * first, as seen from the one that looks.
 *
 * The node comes first: a sibling or a cache that spans nodes counts only
 * within the own node, so that TIER_FAR and above always means remote memory.
 */
#ifndef PERCH_NUMA_TIER_H
#define PERCH_NUMA_TIER_H

#include "numa/topology.h"

enum {
	TIER_SIBLING = 0,
	TIER_CACHE = 1,
	TIER_NODE = 2,
	TIER_FAR = 3, /* the nearest other node(s); +1 for each larger distance */
};

struct tier_victim {
	int cpu;
	int tier;
};

/*
 * tier_order - whom `cpu` robs, in order, tiers ascending.
 * @set: who may be robbed; `cpu` itself is left out
 * @out: room for `max`; what does not fit is left off the far end
 *
 * Equals are taken in turn from one's own position on: within a tier the CPUs
 * after one's own come first, and of nodes that are equally far those after
 * one's own; so no two thieves of a node begin at the same victim.
 *
 * Returns how many were stored; -EINVAL when `cpu` is not online; -ENOMEM.
 */
int tier_order(const struct topology *t, int cpu, const struct bitmask *set, struct tier_victim *out, int max);

#endif
