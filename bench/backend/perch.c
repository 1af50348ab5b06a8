/* SPDX-License-Identifier: MIT */
/* perch.c - tasks: one per call, node and placement: no cut-off anywhere. */
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "bench/backend/backend.h"
#include "bench/backend/perch_alloc.h"
#include "bench/backend/perch_blocks.h"
#include "bench/backend/perch_crowd.h"
#include "bench/backend/perch_numa.h"
#include "bench/backend/perch_runtime.h"
#include "bench/backend/perch_waits.h"
#include "bench/workload/nqueens.h"

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
		return "form=tasks by=perch_fork";
	if (!strcmp(workload, "fib-typed"))
		return "form=tasks by=PERCH_TASK1";
	if (!strcmp(workload, "flat"))
		return "form=threads";
	if (!strcmp(workload, "uts") || !strcmp(workload, "nqueens") || !strcmp(workload, "sort"))
		return "form=tasks";
	return NULL;
}

static const char *why(const char *workload, const char *case_name)
{
	(void)case_name;
	return !strcmp(workload, "alloc") ? "this perch has no perch/alloc.h" : "this backend has no such thing";
}

const struct backend backend = {
	.name = "perch",
	.variants = true,
	.start = perch_runtime_start,
	.stop = perch_runtime_stop,
	.inside = perch_runtime_inside,
	.mark = perch_runtime_mark,
	.report = perch_runtime_report,
	.note = note,
	.why = why,
	.fib = fib,
	.fib_typed = fib_typed,
	.nqueens = nqueens,
	.uts = uts,
	.both = both,
	.flat = perch_flat,
	.burst = perch_burst,
	.yield = perch_yield_pair,
	.spawned = perch_spawned,
	.parked = perch_parked,
	.pingpong = perch_bench_pingpong,
	.mutex = perch_bench_mutex,
	.chan = perch_bench_chan,
	.select = perch_bench_selects,
	.timers = perch_bench_timers,
	.sleeps = perch_bench_sleeps,
	.periodic = perch_periodic,
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
	.alloc_pairs = perch_bench_pairs,
	.alloc_handover = perch_bench_handover,
	.alloc_larson = perch_bench_larson,
};
