/* SPDX-License-Identifier: MIT */
/*
 * perch_threads.c - plain threads, created and joined: one for each call, node and placement,
 * where perch.c has a task. No cut-off anywhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "bench/backend/backend.h"
#include "bench/backend/perch_crowd.h"
#include "bench/backend/perch_runtime.h"
#include "bench/workload/nqueens.h"

/* A call in place of a thread that cannot be had would hide it; so would a time without it. */
static perch_t begin(void *(*fn)(void *), void *arg)
{
	perch_t t;
	int r = perch_create(&t, NULL, fn, arg);

	if (r) {
		fprintf(stderr, "bench_perch-threads: no thread to be had: %s\n", strerror(-r));
		exit(3);
	}
	return t;
}

static void *end(perch_t t)
{
	void *result = NULL;

	perch_join(t, &result); /* NULL when it fails: found to be wrong */
	return result;
}

static void *fib_thread(void *arg)
{
	uintptr_t n = (uintptr_t)arg, b;
	perch_t child;

	if (n < 2)
		return arg;
	child = begin(fib_thread, (void *)(n - 1));
	b = (uintptr_t)fib_thread((void *)(n - 2));
	return (void *)((uintptr_t)end(child) + b);
}

static uint64_t fib(int n)
{
	return (uint64_t)(uintptr_t)fib_thread((void *)(uintptr_t)n);
}

static uint32_t all_columns;

struct place {
	uint32_t columns, left, right;
};

static void *place_thread(void *arg)
{
	const struct place *at = arg;
	struct place below[QUEENS_MOST];
	perch_t child[QUEENS_MOST];
	uintptr_t count = 0;
	int children = 0;

	if (at->columns == all_columns)
		return (void *)1;
	for (uint32_t safe = queens_safe(all_columns, at->columns, at->left, at->right); safe; safe &= safe - 1) {
		uint32_t square = safe & -safe;

		below[children] =
			(struct place){at->columns | square, (at->left | square) << 1, (at->right | square) >> 1};
		child[children] = begin(place_thread, &below[children]);
		children++;
	}
	while (children)
		count += (uintptr_t)end(child[--children]);
	return (void *)count;
}

static uint64_t nqueens(int n)
{
	struct place root = {0, 0, 0};

	all_columns = (1u << n) - 1;
	return (uint64_t)(uintptr_t)place_thread(&root);
}

static const struct uts_tree *the_tree;

struct walk {
	const struct uts_node *parent;
	uint32_t index;
	perch_t t;
	struct uts_totals totals;
};

static struct uts_totals walk(const struct uts_node *node);

static void *walk_thread(void *arg)
{
	struct walk *w = arg;
	struct uts_node node;

	uts_child(w->parent, w->index, &node);
	w->totals = walk(&node);
	return w;
}

static struct uts_totals walk_all(const struct uts_node *node, struct walk *below, unsigned children)
{
	struct uts_totals sum = uts_alone(node, children);

	for (unsigned i = 0; i < children; i++) {
		below[i].parent = node;
		below[i].index = i;
		below[i].t = begin(walk_thread, &below[i]);
	}
	while (children) {
		const struct walk *w = end(below[--children].t);

		if (w) /* else: found to be wrong */
			uts_add(&sum, &w->totals);
	}
	return sum;
}

/* Not inlined: a frame without the array is what most nodes, the leaves, need. */
__attribute__((noinline)) static struct uts_totals walk_few(const struct uts_node *node, unsigned children)
{
	struct walk below[children];

	return walk_all(node, below, children);
}

__attribute__((noinline)) static struct uts_totals walk_many(const struct uts_node *node, unsigned children)
{
	struct walk *below = malloc(children * sizeof(*below));
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

struct half {
	void (*fn)(void *arg);
	void *arg;
};

static void *half_thread(void *arg)
{
	const struct half *half = arg;

	half->fn(half->arg);
	return NULL;
}

static void both(void (*f)(void *), void *a, void (*g)(void *), void *b)
{
	struct half half = {f, a};
	perch_t child = begin(half_thread, &half);

	g(b);
	end(child);
}

static const char *note(const char *workload, const char *case_name)
{
	(void)case_name;
	return strcmp(workload, "burst") != 0 ? "form=threads" : NULL;
}

static const char *why(const char *workload, const char *case_name)
{
	(void)case_name;
	return !strcmp(workload, "fib-typed") ? "only tasks have a typed form" : "it is as in the backend perch";
}

const struct backend backend = {
	.name = "perch-threads",
	.variants = true,
	.start = perch_runtime_start,
	.stop = perch_runtime_stop,
	.inside = perch_runtime_inside,
	.mark = perch_runtime_mark,
	.report = perch_runtime_report,
	.slow_tasks = true,
	.note = note,
	.why = why,
	.fib = fib,
	.nqueens = nqueens,
	.uts = uts,
	.both = both,
	.flat = perch_flat,
	.burst = perch_burst,
};
