/* SPDX-License-Identifier: MIT */
#include "bench/workload/nqueens.h"

#include <errno.h>
#include <inttypes.h>

#include "bench/workload/measure.h"

/* Solutions by n, as published (OEIS A000170). */
static const uint64_t solutions[QUEENS_MOST + 1] = {1,   1,   0,    0,     2,     10,     4,       40,      92,
						    352, 724, 2680, 14200, 73712, 365596, 2279184, 14772512};

static uint64_t count_placements(uint32_t all, uint32_t columns, uint32_t left, uint32_t right)
{
	uint64_t count = 0;

	for (uint32_t safe = queens_safe(all, columns, left, right); safe; safe &= safe - 1) {
		uint32_t square = safe & -safe;

		count += 1 + count_placements(all, columns | square, (left | square) << 1, (right | square) >> 1);
	}
	return count;
}

uint64_t queens_walk(uint32_t all, uint32_t columns, uint32_t left, uint32_t right)
{
	uint64_t count = 0;

	if (columns == all)
		return 1;
	for (uint32_t safe = queens_safe(all, columns, left, right); safe; safe &= safe - 1) {
		uint32_t square = safe & -safe;

		count += queens_walk(all, columns | square, (left | square) << 1, (right | square) >> 1);
	}
	return count;
}

struct queens_run {
	struct measurement *m;
	uint64_t expected;
};

static void queens_once(void *arg)
{
	struct queens_run *run = arg;
	uint64_t got = run->m->backend->nqueens((int)run->m->n);

	if (got != run->expected)
		measure_wrong(run->m, "%" PRIu64 " solutions, not %" PRIu64, got, run->expected);
}

int measure_nqueens(struct measurement *m)
{
	struct queens_run run = {m, solutions[m->n]};
	double nodes, ns;
	int r;

	if (!m->backend->nqueens)
		return -ENOTSUP;
	nodes = (double)count_placements((1u << m->n) - 1, 0, 0, 0);
	params_add(m, "n=%zu solutions=%" PRIu64 " nodes=%.0f", m->n, run.expected, nodes);
	r = measure_time(m, queens_once, &run, &ns);
	if (r)
		return r;
	measure_emit(m, "ns_per_node", "ns", "lower", ns / nodes);
	measure_emit(m, "mnodes_per_s", "10^6/s", "higher", nodes * 1e3 / ns);
	measure_counters(m);
	return 0;
}
