/* SPDX-License-Identifier: MIT */
#include "bench/backend/perch_numa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "bench/workload/measure.h"

static void run_blocks(size_t lo, size_t hi, void *context)
{
	const struct memory_loop *l = context;

	for (size_t b = lo; b < hi; b++)
		l->body(b, l->context);
}

int perch_bench_loop(struct memory_loop *l)
{
	return l->by_node ? perch_for_numa(0, l->blocks, 1, run_blocks, l) : perch_for(0, l->blocks, 1, run_blocks, l);
}

void *perch_bench_blocks_new(size_t size)
{
	void *memory;

	return perch_numa_alloc(&memory, size, PERCH_NUMA_BLOCKS) ? NULL : memory;
}

void perch_bench_blocks_free(void *start, size_t size)
{
	perch_numa_free(start, size);
}

struct placing {
	struct placement *p;
	perch_waitgroup_t gate;
};

static struct placing placing;

static void *placed(void *arg)
{
	size_t i = (size_t)arg;

	placement_born(placing.p, i);
	if (perch_waitgroup_wait(&placing.gate))
		return NULL;
	placement_woken(placing.p, i);
	return (char *)arg + 1;
}

/* Stacks, descriptors, queues, areas. Nothing on a machine with one node. */
static int count_pages(struct placement *p)
{
	struct perch_numa_pages pages;
	int r = perch_numa_verify(&pages);

	for (int kind = 0; kind < PERCH_NUMA_KINDS && !r; kind++) {
		p->pages_home += pages.placed[kind];
		p->pages_abroad += pages.misplaced[kind];
	}
	return r;
}

int perch_bench_placement(struct placement *p)
{
	perch_t *t = calloc(p->n, sizeof(*t));
	uint64_t start = now_ns();
	size_t made = 0;
	int r = 0;

	if (!t)
		return -ENOMEM;
	placing.p = p;
	perch_waitgroup_init(&placing.gate);
	perch_waitgroup_add(&placing.gate, 1);
	while (!r && made < p->n) {
		r = perch_create(&t[made], NULL, placed, (void *)made);
		made += !r;
	}
	while (p->arrived < made)
		perch_yield();
	p->ns = now_ns() - start;
	if (!r) {
		placement_look(p);
		r = count_pages(p);
	}
	perch_waitgroup_done(&placing.gate);
	for (size_t i = 0; i < made; i++) {
		void *result;

		if (!perch_join(t[i], &result))
			p->right += result == (void *)(i + 1);
	}
	perch_waitgroup_destroy(&placing.gate);
	free(t);
	return r;
}

/* Siblings, same cache, same node. */
#define TIERS_HOME 3

int perch_set_policy(struct perch_config *config, const char *name)
{
	static const struct {
		const char *name;
		enum perch_steal steal;
	} policies[] = {
		{"near-first", PERCH_STEAL_NEAR_FIRST},
		{"flat", PERCH_STEAL_FLAT},
		{"node-only", PERCH_STEAL_NODE_ONLY},
		{"none", PERCH_STEAL_NONE},
	};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (!strcmp(name, policies[i].name)) {
			config->steal = policies[i].steal;
			return 0;
		}
	return -EINVAL;
}

void perch_report_tiers(struct measurement *m, const struct perch_stats *before, const struct perch_stats *after)
{
	double all = 0, home = 0;

	for (int tier = 0; tier < PERCH_TIERS; tier++) {
		double stolen = (double)(after->stolen_by_tier[tier] - before->stolen_by_tier[tier]);

		all += stolen;
		home += tier < TIERS_HOME ? stolen : 0;
	}
	if (all > 0)
		measure_emit(m, "percent_stolen_home", "%", "higher", 100 * home / all);
}
