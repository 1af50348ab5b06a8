/* SPDX-License-Identifier: MIT */
/* perch.c - one task per call, node and placement: no cut-off anywhere. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "bench/backend/backend.h"
#include "bench/backend/perch_blocks.h"
#include "bench/backend/perch_crowd.h"
#include "bench/backend/perch_numa.h"
#include "bench/backend/perch_waits.h"
#include "bench/workload/measure.h"
#include "bench/workload/nqueens.h"

/* How deep the first thread may recurse before its tasks get stacks of their own. */
#define FIRST_STACK ((size_t)1 << 20)

static int allowed_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}

static int start(const struct measurement *m)
{
	struct perch_config config = PERCH_CONFIG_INIT;
	unsigned cpus = (unsigned)allowed_cpus();

	config.procs = m->workers < cpus ? m->workers : cpus;
	config.workers = m->workers;
	/* threads are to exist that have not started: while they were made, which takes more
	 * than 10 ms, another worker would run them */
	if (!strcmp(m->bench_case->workload, "mem"))
		config.handoff = PERCH_HANDOFF_OFF;
	if (m->steal) {
		int r = perch_set_policy(&config, m->steal);

		if (r)
			return r;
	}
	return perch_start(&config);
}

static void stop(void)
{
	perch_stop();
}

struct first {
	void (*fn)(void *arg);
	void *arg;
};

static void *first_thread(void *arg)
{
	const struct first *first = arg;

	first->fn(first->arg);
	return NULL;
}

static int inside(void (*fn)(void *arg), void *arg)
{
	struct first first = {fn, arg};
	perch_attr_t attr;
	perch_t t;
	int r;

	perch_attr_init(&attr);
	perch_attr_setstacksize(&attr, FIRST_STACK);
	r = perch_create(&t, &attr, first_thread, &first);
	return r ? r : perch_join(t, NULL);
}

static struct perch_stats before, after;

static void mark(bool is_after)
{
	perch_stats_get(is_after ? &after : &before);
}

static void report(struct measurement *m, double loops)
{
	double asked = (double)(after.asked_steals - before.asked_steals);
	double forced = (double)(after.forced - before.forced);

	measure_emit(m, "steals", "1", "lower", (double)(after.steals - before.steals) / loops);
	measure_emit(m, "asked_steals", "1", "lower", asked / loops);
	measure_emit(m, "forced_reveals", "1", "lower", forced / loops);
	for (int tier = 0; tier < PERCH_TIERS; tier++) {
		uint64_t steals = after.steals_by_tier[tier] - before.steals_by_tier[tier];
		uint64_t stolen = after.stolen_by_tier[tier] - before.stolen_by_tier[tier];
		char name[32];

		snprintf(name, sizeof(name), "steals_tier%d", tier);
		measure_emit(m, name, "1", "lower", (double)steals / loops);
		snprintf(name, sizeof(name), "stolen_tier%d", tier);
		measure_emit(m, name, "1", "lower", (double)stolen / loops);
	}
	measure_emit(m, "stolen", "1", "lower", (double)(after.stolen - before.stolen) / loops);
	measure_emit(m, "carried", "1", "lower", (double)(after.carried - before.carried) / loops);
	if (asked > 0)
		measure_emit(m, "ns_per_asked_steal", "ns", "lower",
			     (double)(after.asked_steal_ns - before.asked_steal_ns) / asked);
	if (forced > 0)
		measure_emit(m, "ns_per_forced_reveal", "ns", "lower",
			     (double)(after.forced_ns - before.forced_ns) / forced);
	if (m->tiers)
		perch_report_tiers(m, &before, &after);
}

/* The pointer form. */
struct fib_call {
	int n;
	uint64_t result;
};

static void fib_run(void *arg)
{
	struct fib_call *call = arg;
	struct fib_call a = {call->n - 1, 0}, b = {call->n - 2, 0};
	perch_call_t child;

	if (call->n < 2) {
		call->result = (uint64_t)call->n;
		return;
	}
	perch_fork(&child, fib_run, &a);
	fib_run(&b);
	perch_sync(&child);
	call->result = a.result + b.result;
}

static uint64_t fib(int n)
{
	struct fib_call call = {n, 0};

	fib_run(&call);
	return call.result;
}

/* The typed form. */
PERCH_TASK1(uint64_t, typed, int, n)
{
	struct typed_task child;
	uint64_t b;

	if (n < 2)
		return (uint64_t)n;
	typed_fork(&child, n - 1);
	b = typed(n - 2);
	return typed_sync(&child) + b;
}

static uint64_t fib_typed(int n)
{
	return typed(n);
}

static uint32_t all_columns;

PERCH_TASK3(uint64_t, place, uint32_t, columns, uint32_t, left, uint32_t, right)
{
	struct place_task child[QUEENS_MOST];
	uint64_t count = 0;
	int children = 0;

	if (columns == all_columns)
		return 1;
	for (uint32_t safe = queens_safe(all_columns, columns, left, right); safe; safe &= safe - 1) {
		uint32_t square = safe & -safe;

		place_fork(&child[children++], columns | square, (left | square) << 1, (right | square) >> 1);
	}
	while (children)
		count += place_sync(&child[--children]);
	return count;
}

static uint64_t nqueens(int n)
{
	all_columns = (1u << n) - 1;
	return place(0, 0, 0);
}

static const struct uts_tree *the_tree;

static struct uts_totals walk(const struct uts_node *node);

PERCH_TASK2(struct uts_totals, walk_child, const struct uts_node *, parent, uint32_t, index)
{
	struct uts_node child;

	uts_child(parent, index, &child);
	return walk(&child);
}

static struct uts_totals walk_all(const struct uts_node *node, struct walk_child_task *child, unsigned children)
{
	struct uts_totals sum = uts_alone(node, children);

	for (unsigned i = 0; i < children; i++)
		walk_child_fork(&child[i], node, i);
	while (children) {
		struct uts_totals below = walk_child_sync(&child[--children]);

		uts_add(&sum, &below);
	}
	return sum;
}

/* Not inlined: a frame without the array is what most nodes, the leaves, need. */
__attribute__((noinline)) static struct uts_totals walk_few(const struct uts_node *node, unsigned children)
{
	struct walk_child_task child[children];

	return walk_all(node, child, children);
}

__attribute__((noinline)) static struct uts_totals walk_many(const struct uts_node *node, unsigned children)
{
	struct walk_child_task *child = malloc(children * sizeof(*child));
	struct uts_totals sum = {0, 0, 0}; /* no memory: found to be wrong */

	if (child)
		sum = walk_all(node, child, children);
	free(child);
	return sum;
}

static struct uts_totals walk(const struct uts_node *node)
{
	unsigned children = uts_children(the_tree, node);

	if (!children)
		return uts_alone(node, 0);
	return children <= UTS_CHILDREN_MOST ? walk_few(node, children) : walk_many(node, children);
}

static struct uts_totals uts(const struct uts_tree *tree)
{
	struct uts_node root;

	the_tree = tree;
	uts_root(tree, &root);
	return walk(&root);
}

static void both(void (*f)(void *), void *a, void (*g)(void *), void *b)
{
	perch_call_t call;

	perch_fork(&call, f, a);
	g(b);
	perch_sync(&call);
}

static const char *note(const char *workload, const char *case_name)
{
	if (!strcmp(workload, "wake"))
		return !strcmp(case_name, "wake") ? "by=condition" : "by=waitgroup";
	if (!strcmp(workload, "fib"))
		return "form=pointer";
	return strcmp(workload, "fib-typed") ? NULL : "form=typed";
}

const struct backend backend = {
	.name = "perch",
	.start = start,
	.stop = stop,
	.inside = inside,
	.mark = mark,
	.report = report,
	.note = note,
	.fib = fib,
	.fib_typed = fib_typed,
	.nqueens = nqueens,
	.uts = uts,
	.both = both,
	.flat = perch_flat,
	.yield = perch_yield_pair,
	.spawned = perch_spawned,
	.parked = perch_parked,
	.pingpong = perch_bench_pingpong,
	.mutex = perch_bench_mutex,
	.chan = perch_bench_chan,
	.select = perch_bench_selects,
	.timers = perch_bench_timers,
	.sleeps = perch_bench_sleeps,
	.wake = perch_bench_wake,
	.echo = perch_bench_echo,
	.idle = perch_bench_idle,
	.calls = perch_bench_calls,
	.baton = perch_bench_baton,
	.beside = perch_bench_beside,
	.loop = perch_bench_loop,
	.blocks_new = perch_bench_blocks_new,
	.blocks_free = perch_bench_blocks_free,
	.placement = perch_bench_placement,
};
