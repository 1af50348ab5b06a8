/* SPDX-License-Identifier: MIT */
/*
 * pthread.c - what a reasonable user of pthreads does: a thread for each node
 * down to a cut-off, plain calls below. `workers` is how many CPUs the threads
 * may use.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/backend/backend.h"
#include "bench/backend/deep_stack.h"
#include "bench/backend/pthread_alloc.h"
#include "bench/backend/pthread_blocks.h"
#include "bench/backend/pthread_crowd.h"
#include "bench/backend/pthread_waits.h"
#include "bench/workload/fib.h"
#include "bench/workload/measure.h"
#include "bench/workload/nqueens.h"

/* Levels with a thread per node. More was slower: a thread is 20-40 us. */
#define FIB_CUTOFF 5
#define QUEENS_CUTOFF 1
#define GEOMETRIC_CUTOFF 3
#define BINOMIAL_CUTOFF 1
#define SORT_CUTOFF 5

static int start(const struct measurement *m)
{
	cpu_set_t all, few;
	unsigned left = m->workers;

	if (m->variant) {
		int r = pthread_malloc_of(m->variant);

		if (r)
			return r;
	}
	if (sched_getaffinity(0, sizeof(all), &all))
		return -errno;
	CPU_ZERO(&few);
	for (int cpu = 0; cpu < CPU_SETSIZE && left; cpu++)
		if (CPU_ISSET(cpu, &all)) {
			CPU_SET(cpu, &few);
			left--;
		}
	return sched_setaffinity(0, sizeof(few), &few) ? -errno : 0;
}

/* A thread where one can be had, else a call in place. */
struct child {
	pthread_t t;
	bool made;
};

static void child_start(struct child *c, void *(*fn)(void *), void *arg)
{
	c->made = pthread_create(&c->t, NULL, fn, arg) == 0;
	if (!c->made)
		fn(arg);
}

static void child_wait(struct child *c)
{
	if (c->made)
		pthread_join(c->t, NULL);
}

struct fib_call {
	int n, level;
	uint64_t result;
};

static void *fib_thread(void *arg)
{
	struct fib_call *call = arg;
	struct fib_call a = {call->n - 1, call->level + 1, 0}, b = {call->n - 2, call->level + 1, 0};
	struct child child;

	if (call->level == FIB_CUTOFF || call->n < 2) {
		call->result = fib_walk(call->n);
		return NULL;
	}
	child_start(&child, fib_thread, &a);
	fib_thread(&b);
	child_wait(&child);
	call->result = a.result + b.result;
	return NULL;
}

static uint64_t fib(int n)
{
	struct fib_call call = {n, 0, 0};

	fib_thread(&call);
	return call.result;
}

struct place_call {
	uint32_t all, columns, left, right;
	int level;
	uint64_t result;
};

static void *place_thread(void *arg)
{
	struct place_call *call = arg, below[QUEENS_MOST];
	struct child child[QUEENS_MOST];
	int children = 0;

	if (call->level == QUEENS_CUTOFF || call->columns == call->all) {
		call->result = queens_walk(call->all, call->columns, call->left, call->right);
		return NULL;
	}
	for (uint32_t safe = queens_safe(call->all, call->columns, call->left, call->right); safe; safe &= safe - 1) {
		uint32_t square = safe & -safe;

		below[children] = (struct place_call){call->all,
						      call->columns | square,
						      (call->left | square) << 1,
						      (call->right | square) >> 1,
						      call->level + 1,
						      0};
		child_start(&child[children], place_thread, &below[children]);
		children++;
	}
	for (int i = 0; i < children; i++) {
		child_wait(&child[i]);
		call->result += below[i].result;
	}
	return NULL;
}

static uint64_t nqueens(int n)
{
	struct place_call root = {(1u << n) - 1, 0, 0, 0, 0, 0};

	place_thread(&root);
	return root.result;
}

struct walk_call {
	const struct uts_tree *tree;
	struct uts_node node;
	struct uts_totals totals;
	struct child child;
};

static void *walk_thread(void *arg)
{
	struct walk_call *call = arg, *below;
	unsigned cutoff = call->tree->shape == UTS_BINOMIAL ? BINOMIAL_CUTOFF : GEOMETRIC_CUTOFF;
	unsigned children = uts_children(call->tree, &call->node);

	below = call->node.depth < cutoff && children ? malloc(children * sizeof(*below)) : NULL;
	if (!below) {
		call->totals = uts_walk(call->tree, &call->node);
		return NULL;
	}
	call->totals = uts_alone(&call->node, children);
	for (unsigned i = 0; i < children; i++) {
		below[i].tree = call->tree;
		uts_child(&call->node, i, &below[i].node);
		child_start(&below[i].child, walk_thread, &below[i]);
	}
	for (unsigned i = 0; i < children; i++) {
		child_wait(&below[i].child);
		uts_add(&call->totals, &below[i].totals);
	}
	free(below);
	return NULL;
}

static struct uts_totals uts(const struct uts_tree *tree)
{
	struct walk_call root = {.tree = tree};

	uts_root(tree, &root.node);
	walk_thread(&root);
	return root.totals;
}

/* Forks above the one that the thread runs in. */
static __thread int forks_above;

struct both_call {
	void (*fn)(void *);
	void *arg;
	int forks_above;
};

static void *both_thread(void *arg)
{
	struct both_call *call = arg;
	int before = forks_above; /* when no thread was to be had, this is a call */

	forks_above = call->forks_above;
	call->fn(call->arg);
	forks_above = before;
	return NULL;
}

static void both(void (*f)(void *), void *a, void (*g)(void *), void *b)
{
	struct both_call call = {f, a, forks_above + 1};
	struct child child;

	if (forks_above == SORT_CUTOFF) {
		f(a);
		g(b);
		return;
	}
	child_start(&child, both_thread, &call);
	forks_above++;
	g(b);
	forks_above--;
	child_wait(&child);
}

#define WORD_(x) #x
#define WORD(x) WORD_(x)

static const char *note(const char *workload, const char *case_name)
{
	if (!strncmp(workload, "fib", 3))
		return "form=threads cutoff=" WORD(FIB_CUTOFF);
	if (!strcmp(workload, "nqueens"))
		return "form=threads cutoff=" WORD(QUEENS_CUTOFF);
	if (!strcmp(workload, "uts"))
		return uts_find(case_name)->shape == UTS_BINOMIAL ? "form=threads cutoff=" WORD(BINOMIAL_CUTOFF)
								  : "form=threads cutoff=" WORD(GEOMETRIC_CUTOFF);
	if (!strcmp(workload, "sort"))
		return "form=threads cutoff=" WORD(SORT_CUTOFF);
	if (!strcmp(workload, "flat"))
		return "form=threads at_once=" WORD(PTHREAD_FLAT_AT_ONCE);
	if (!strcmp(workload, "chan") || (!strcmp(workload, "pingpong") && !strcmp(case_name, "chan")))
		return "by=queue-of-mutex-and-conditions";
	if (!strcmp(workload, "timers"))
		return !strcmp(case_name, "sleep-1ms") ? "by=nanosleep" : "by=timer_settime";
	if (!strcmp(workload, "wake"))
		return !strcmp(case_name, "wake") ? "by=condition" : "by=semaphore";
	return strcmp(workload, "yield") ? NULL : "by=sched_yield";
}

static const char *why(const char *workload, const char *case_name)
{
	(void)case_name;
	if (!strcmp(workload, "alloc"))
		return pthread_malloc_why();
	if (!strcmp(workload, "block"))
		return "the kernel needs no marks";
	if (!strcmp(workload, "triad") || !strcmp(workload, "jacobi"))
		return "a loop over pthreads is what OpenMP is";
	if (!strcmp(workload, "timers"))
		return "a timer of the kernel is a signal, and those that are pending are merged";
	if (!strcmp(workload, "select"))
		return "pthreads cannot wait for one of several queues";
	return "a pthread is started as it is created";
}

const struct backend backend = {
	.name = "pthread",
	.slow_waits = true,
	.variants = true,
	.start = start,
	.inside = on_deep_stack,
	.note = note,
	.why = why,
	.fib = fib,
	.fib_typed = fib,
	.nqueens = nqueens,
	.uts = uts,
	.both = both,
	.flat = pthread_flat,
	.burst = pthread_burst,
	.yield = pthread_yield_pair,
	.parked = pthread_parked,
	.pingpong = pthread_pingpong,
	.mutex = pthread_locking,
	.chan = pthread_chan,
	.timers = pthread_timers,
	.sleeps = pthread_sleeps,
	.wake = pthread_wake,
	.echo = pthread_echo,
	.idle = pthread_idle,
	.baton = pthread_baton,
	.beside = pthread_beside,
	.placement = pthread_placement,
	.alloc_pairs = pthread_pairs,
	.alloc_handover = pthread_handover,
	.alloc_larson = pthread_larson,
};
