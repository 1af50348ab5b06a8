/* SPDX-License-Identifier: MIT */
#include "numa/tier.h"

#include <errno.h>
#include <stdlib.h>

#include "numa/cpuset.h"

/* A victim, and what it is sorted by. */
struct candidate {
	int tier;     /* far ones: the distance, until they are ranked */
	int far_node; /* how many nodes after the own one, in a circle; 0 within it */
	int turn;     /* its place in its group, counted from the thief's own on */
	int cpu;
};

static int compare(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->tier != b->tier)
		return a->tier < b->tier ? -1 : 1;
	if (a->far_node != b->far_node)
		return a->far_node < b->far_node ? -1 : 1;
	return a->turn < b->turn ? -1 : a->turn > b->turn;
}

static int near_tier(const struct topology_cpu *thief, const struct topology_cpu *victim)
{
	if (thief->core == victim->core)
		return TIER_SIBLING;
	if (thief->cache >= 0 && thief->cache == victim->cache)
		return TIER_CACHE;
	return TIER_NODE;
}

int tier_order(const struct topology *t, int cpu, const struct bitmask *set, struct tier_victim *out, int max)
{
	int home = topology_node_of_cpu(t, cpu), n = 0, own = 0, tier = TIER_NODE, distance = 0;
	int *members;                /* of the set, per node */
	int *seen;                   /* of those, met so far */
	struct candidate *candidate; /* all victims */

	if (home < 0 || max < 0)
		return -EINVAL;
	members = calloc(2 * (size_t)t->nodes, sizeof(*members));
	candidate = calloc((size_t)t->cpus, sizeof(*candidate));
	if (!members || !candidate) {
		free(members);
		free(candidate);
		return -ENOMEM;
	}
	seen = members + t->nodes;
	cpuset_for_each(other, set)
	{
		int node = topology_node_of_cpu(t, other);

		if (node >= 0)
			members[node]++;
		own += node == home && other < cpu;
	}
	cpuset_for_each(other, set)
	{
		int node = topology_node_of_cpu(t, other);
		struct candidate *c = &candidate[n];

		if (node < 0 || other == cpu)
			continue;
		c->cpu = other;
		if (node == home) {
			/* after own number first, then from the lowest on */
			c->tier = near_tier(&t->cpu[cpu], &t->cpu[other]);
			c->turn = other > cpu ? other - cpu : other - cpu + t->cpus;
		} else {
			c->tier = TIER_FAR + topology_distance(t, home, node);
			c->far_node = (node - home + t->nodes) % t->nodes;
			c->turn = (seen[node]++ - own % members[node] + members[node]) % members[node];
		}
		n++;
	}
	qsort(candidate, (size_t)n, sizeof(*candidate), compare);
	for (int i = 0; i < n && i < max; i++) {
		/* equal distances share a rank */
		if (candidate[i].tier >= TIER_FAR && candidate[i].tier != distance) {
			distance = candidate[i].tier;
			tier++;
		}
		out[i] = (struct tier_victim){.cpu = candidate[i].cpu,
					      .tier = candidate[i].tier >= TIER_FAR ? tier : candidate[i].tier};
	}
	free(members);
	free(candidate);
	return n < max ? n : max;
}
