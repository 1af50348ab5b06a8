/* SPDX-License-Identifier: MIT */
/*
 * openmp.c - OpenMP tasks, no cut-off. Built twice: by gcc for libgomp (omp),
 * by clang for LLVM's run-time library (libomp). BACKEND_NAME says which.
 */
#include <errno.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/backend/backend.h"
#include "bench/backend/deep_stack.h"
#include "bench/backend/openmp_crowd.h"
#include "bench/workload/catalogue.h"
#include "bench/workload/measure.h"
#include "bench/workload/nqueens.h"

/* Not omp_set_num_threads(): that holds for the calling pthread only, and
 * inside() is another. */
static int team_size;
/* The workload opens its own parallel regions. */
static bool own_regions;

static int start(const struct measurement *m)
{
	team_size = (int)m->workers;
	own_regions = case_over_memory(m->bench_case);
	return 0;
}

struct first {
	void (*fn)(void *arg);
	void *arg;
	int ran;
};

static void first_task(void *arg)
{
	struct first *first = arg;

	omp_set_dynamic(0);
	if (own_regions) {
		first->fn(first->arg);
		first->ran = 1;
		return;
	}
	/* the team exists before anything is timed */
#pragma omp parallel num_threads(team_size)
#pragma omp single
	{
		if (omp_get_num_threads() == team_size) {
			first->fn(first->arg);
			first->ran = 1;
		}
	}
}

static int inside(void (*fn)(void *arg), void *arg)
{
	struct first first = {fn, arg, 0};
	int r = on_deep_stack(first_task, &first);

	return r || first.ran ? r : -EAGAIN; /* a smaller team would be another measurement */
}

static uint64_t fib(int n)
{
	uint64_t a, b;

	if (n < 2)
		return (uint64_t)n;
#pragma omp task shared(a) firstprivate(n)
	a = fib(n - 1);
	b = fib(n - 2);
#pragma omp taskwait
	return a + b;
}

static uint32_t all_columns;

static uint64_t place(uint32_t columns, uint32_t left, uint32_t right)
{
	uint64_t below[QUEENS_MOST], count = 0;
	int children = 0;

	if (columns == all_columns)
		return 1;
	for (uint32_t safe = queens_safe(all_columns, columns, left, right); safe; safe &= safe - 1) {
		uint32_t square = safe & -safe;
		uint64_t *result = &below[children++];

#pragma omp task firstprivate(result, columns, left, right, square)
		*result = place(columns | square, (left | square) << 1, (right | square) >> 1);
	}
#pragma omp taskwait
	for (int i = 0; i < children; i++)
		count += below[i];
	return count;
}

static uint64_t nqueens(int n)
{
	all_columns = (1u << n) - 1;
	return place(0, 0, 0);
}

static const struct uts_tree *the_tree;

static struct uts_totals walk(const struct uts_node *node);

static struct uts_totals walk_all(const struct uts_node *node, struct uts_totals *below, unsigned children)
{
	struct uts_totals sum = uts_alone(node, children);

	for (unsigned i = 0; i < children; i++) {
#pragma omp task firstprivate(node, below, i)
		{
			struct uts_node child;

			uts_child(node, i, &child);
			below[i] = walk(&child);
		}
	}
#pragma omp taskwait
	for (unsigned i = 0; i < children; i++)
		uts_add(&sum, &below[i]);
	return sum;
}

__attribute__((noinline)) static struct uts_totals walk_few(const struct uts_node *node, unsigned children)
{
	struct uts_totals below[children];

	return walk_all(node, below, children);
}

__attribute__((noinline)) static struct uts_totals walk_many(const struct uts_node *node, unsigned children)
{
	struct uts_totals *below = malloc(children * sizeof(*below));
	struct uts_totals sum = {0, 0, 0}; /* no memory: found to be wrong */

	if (below)
		sum = walk_all(node, below, children);
	free(below);
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
#pragma omp task firstprivate(f, a)
	f(a);
	g(b);
#pragma omp taskwait
}

/*
 * The static schedule gives each thread the same blocks each time, and the threads stay where
 * they are: OMP_PROC_BIND and OMP_PLACES are set (spawn.c), without which libgomp would ignore
 * proc_bind.
 */
static int loop(struct memory_loop *l)
{
	int team = 0;

	if (l->by_node)
		return -ENOTSUP;
#pragma omp parallel num_threads(team_size) proc_bind(spread)
	{
#pragma omp single nowait
		team = omp_get_num_threads();
#pragma omp for schedule(static)
		for (size_t b = 0; b < l->blocks; b++)
			l->body(b, l->context);
	}
	return team == team_size ? 0 : -EAGAIN; /* a smaller team would be another measurement */
}

static const char *note(const char *workload, const char *case_name)
{
	(void)case_name;
	if (!strcmp(workload, "yield"))
		return "by=sched_yield form=team-of-two-on-one-CPU";
	if (!strcmp(workload, "triad") || !strcmp(workload, "jacobi"))
		return "schedule=static proc_bind=spread";
	return strcmp(workload, "mem") ? "form=tasks" : "form=threads-of-a-team";
}

static const char *why(const char *workload, const char *case_name)
{
	if (case_by_node(case_name))
		return "a loop with the static schedule is by thread already, see the case for";
	if (!strcmp(workload, "block"))
		return "tasks of OpenMP keep their thread until they end";
	if (strcmp(workload, "mem") != 0)
		return "tasks of OpenMP wait for their children only";
	return "beyond a few hundred, OpenMP starts a task as it is created";
}

const struct backend backend = {
	.name = BACKEND_NAME,
	.slow_tasks = true,
	.start = start,
	.inside = inside,
	.note = note,
	.why = why,
	.fib = fib,
	.fib_typed = fib,
	.nqueens = nqueens,
	.uts = uts,
	.both = both,
	.flat = openmp_flat,
	.yield = openmp_yield_pair,
	.parked = openmp_parked,
	.loop = loop,
};
