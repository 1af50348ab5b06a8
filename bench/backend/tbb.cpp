/* SPDX-License-Identifier: MIT */
/*
 * tbb.cpp - oneTBB: a task for each call, node and placement, no cut-off anywhere; loops by
 * parallel_for. Workers are not bound to CPUs, which is how the library comes.
 */
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sched.h>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "bench/backend/peer.hpp"

#define WORKER_STACK ((size_t)64 << 20) /* as OMP_STACKSIZE: they recurse as deep as the tree */
#define MEET_NS UINT64_C(5000000000)

using oneapi::tbb::global_control;
using oneapi::tbb::task_group;

static int workers;
static std::unique_ptr<global_control> limit, stacks;
static std::unique_ptr<oneapi::tbb::task_arena> arena;
/* One for all groups: a group that makes its own is two to four times as slow. */
static std::unique_ptr<oneapi::tbb::task_group_context> context;

static int start(const struct measurement *m)
{
	workers = (int)m->workers;
	limit = std::make_unique<global_control>(global_control::max_allowed_parallelism, m->workers);
	stacks = std::make_unique<global_control>(global_control::thread_stack_size, WORKER_STACK);
	arena = std::make_unique<oneapi::tbb::task_arena>(workers);
	context = std::make_unique<oneapi::tbb::task_group_context>();
	return 0;
}

static void stop(void)
{
	context.reset();
	arena.reset();
	stacks.reset();
	limit.reset();
}

/* As many tasks as workers wait until all of them have begun: the workers exist before
 * anything is timed, and there are as many as were asked for. */
static bool all_here(void)
{
	std::atomic<int> here{0};
	std::atomic<bool> late{false};
	uint64_t end = now_ns() + MEET_NS;
	task_group group(*context);

	for (int i = 0; i < workers; i++)
		group.run([&here, &late, end] {
			here++;
			while (here < workers && !late) {
				sched_yield();
				if (now_ns() > end)
					late = true;
			}
		});
	group.wait();
	return !late;
}

struct first {
	void (*fn)(void *arg);
	void *arg;
	bool ran;
};

static void first_task(void *arg)
{
	struct first *first = static_cast<struct first *>(arg);

	arena->execute([first] {
		if (!all_here())
			return;
		first->fn(first->arg);
		first->ran = true;
	});
}

static int inside(void (*fn)(void *arg), void *arg)
{
	struct first first = {fn, arg, false};
	int r = on_deep_stack(first_task, &first);

	return r || first.ran ? r : -EAGAIN; /* fewer workers would be another measurement */
}

static uint64_t fib(int n)
{
	uint64_t a, b;

	if (n < 2)
		return (uint64_t)n;
	task_group group(*context);
	group.run([&a, n] { a = fib(n - 1); });
	b = fib(n - 2);
	group.wait();
	return a + b;
}

static uint32_t all_columns;

static uint64_t place(uint32_t columns, uint32_t left, uint32_t right)
{
	uint32_t safe = queens_safe(all_columns, columns, left, right);
	uint64_t below[QUEENS_MOST], count = 0;
	int children = 0;

	if (columns == all_columns)
		return 1;
	if (!safe)
		return 0;
	task_group group(*context);
	for (; safe; safe &= safe - 1) {
		uint32_t square = safe & -safe;
		uint64_t *result = &below[children++];

		group.run([=] { *result = place(columns | square, (left | square) << 1, (right | square) >> 1); });
	}
	group.wait();
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
	task_group group(*context);

	for (unsigned i = 0; i < children; i++)
		group.run([=] {
			struct uts_node child;

			uts_child(node, i, &child);
			below[i] = walk(&child);
		});
	group.wait();
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
	std::unique_ptr<struct uts_totals[]> below(new struct uts_totals[children]);

	return walk_all(node, below.get(), children);
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
	task_group group(*context);

	group.run([f, a] { f(a); });
	g(b);
	group.wait();
}

static size_t flat(size_t n)
{
	static std::unique_ptr<size_t[]> result; /* kept from run to run, as all backends do */
	static size_t room;
	task_group group(*context);
	size_t right = 0, *to;

	if (room < n) {
		result.reset(new size_t[n]());
		room = n;
	}
	to = result.get();
	for (size_t i = 0; i < n; i++)
		group.run([to, i] { to[i] = i + 1; });
	group.wait();
	for (size_t i = 0; i < n; i++) {
		right += to[i] == i + 1;
		to[i] = 0;
	}
	return right;
}

/* A block at a time; the static partitioner gives each worker as many, the same ones while
 * none is stolen. */
static int loop(struct memory_loop *l)
{
	if (l->by_node)
		return -ENOTSUP;
	oneapi::tbb::parallel_for(
		oneapi::tbb::blocked_range<size_t>(0, l->blocks, 1),
		[l](const oneapi::tbb::blocked_range<size_t> &range) {
			for (size_t b = range.begin(); b < range.end(); b++)
				l->body(b, l->context);
		},
		oneapi::tbb::static_partitioner());
	return 0;
}

static const char *note(const char *workload, const char *case_name)
{
	(void)case_name;
	if (!strcmp(workload, "triad") || !strcmp(workload, "jacobi"))
		return "by=parallel_for schedule=static_partitioner";
	return "form=tasks by=task_group";
}

static const char *why(const char *workload, const char *case_name)
{
	if (case_by_node(case_name))
		return "the static partitioner is by worker already, see the case for";
	if (!strcmp(workload, "mem"))
		return "a task of oneTBB may run as it is created, and cannot park";
	if (!strcmp(workload, "alloc"))
		return "oneTBB's allocator is a library of its own, which this does not measure";
	return "a task of oneTBB runs to its end: it waits for its children only, and cannot yield";
}

extern "C" const struct backend backend = {
	.name = "tbb",
	.slow_tasks = true,
	.start = start,
	.stop = stop,
	.inside = inside,
	.note = note,
	.why = why,
	.fib = fib,
	.fib_typed = fib,
	.nqueens = nqueens,
	.uts = uts,
	.both = both,
	.flat = flat,
	.loop = loop,
};
