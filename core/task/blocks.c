/* SPDX-License-Identifier: MIT */
/*
 * blocks.c - loops whose range is cut by node: a block for each processor, aimed at
 * it, in the order of nodes and CPUs, so that the same range is cut in the same way
 * each time.
 *
 * A block is a task (its state says when it has run) that goes into an inbox, so it
 * has a carrier from the beginning. The caller runs its own processor's block itself.
 * To wake a worker takes microseconds, so the first block of each node, its leader,
 * forks the others of that node, on the node; the caller forks those of its own, and
 * the leaders.
 *
 * The caller waits for them in their order. A block that is not forked yet is waited
 * for like any other: its leader comes before it, and if there was no carrier or no
 * stack for one, the caller runs it when its turn comes (carrier_refuse()).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "core/sched/aim.h"
#include "core/sched/nodes.h"
#include "core/sched/outermost.h"
#include "core/sched/sched.h"
#include "core/task/cut.h"
#include "core/task/loop.h"

#define LINE ((size_t)64)

struct block {
	perch_task_t task;
	struct blocks *all;
	struct processor *processor;
	size_t lo, hi;
	void *value;     /* a reduction's, of its own */
	unsigned behind; /* so many after it are forked by it */
};

struct blocks {
	const struct loop *loop; /* one of the two */
	const struct reduction *reduction;
	char *values;
	unsigned count;
	struct block block[];
};

static void fork_behind(struct block *b)
{
	for (unsigned i = 1; i <= b->behind; i++)
		aim_task(b[i].processor, &b[i].task);
}

/* By other policies nobody of another node takes of it, or everybody alike. */
static struct processor *home_of(const struct block *b)
{
	return sched.policy.kind == POLICY_NEAR_FIRST ? b->processor : NULL;
}

static void run_range(struct block *b)
{
	if (b->all->loop) {
		struct loop loop = *b->all->loop;

		loop.home = home_of(b);
		loop_run(&loop, b->lo, b->hi);
	} else {
		struct reduction reduction = *b->all->reduction;

		reduction.home = home_of(b);
		loop_run_reduction(&reduction, b->lo, b->hi, b->value);
	}
}

static void run_block(perch_task_t *task)
{
	struct block *b = (struct block *)task;

	fork_behind(b);
	run_range(b);
}

unsigned cut_processors(const struct processor_set *set, struct processor **out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < set->count; i++)
		if (!processor_retired(set->nodes->order[i]))
			out[n++] = set->nodes->order[i];
	if (!n) /* they are just being replaced */
		out[n++] = set->nodes->order[0];
	return n;
}

static void cut(struct blocks *all, struct processor *const processor[], unsigned processors, size_t begin, size_t end)
{
	struct block *leader = NULL;

	for (unsigned i = 0; i < all->count; i++) {
		struct block *b = &all->block[i];

		*b = (struct block){
			.task = {run_block, 0},
			.all = all,
			/* fewer indices than processors are spread over all nodes */
			.processor = processor[cut_part(processors, i, all->count)],
			.lo = begin + cut_part(end - begin, i, all->count),
			.hi = begin + cut_part(end - begin, i + 1, all->count),
		};
		if (leader && leader->processor->node == b->processor->node)
			leader->behind++;
		else
			leader = b;
	}
}

/* NULL: no memory. begin < end. */
static struct blocks *make(size_t begin, size_t end)
{
	const struct processor_set *set = sched_set();
	struct processor **processor = malloc(set->count * sizeof(struct processor *));
	struct blocks *all = NULL;
	unsigned n, count;

	if (!processor)
		return NULL;
	n = cut_processors(set, processor);
	count = end - begin < n ? (unsigned)(end - begin) : n;
	all = malloc(sizeof(*all) + count * sizeof(all->block[0]));
	if (all) {
		*all = (struct blocks){.count = count};
		cut(all, processor, n, begin, end);
	}
	free(processor);
	return all;
}

/* The block of the processor that the caller runs on; NULL: it has none. */
static struct block *own_block(struct blocks *all)
{
	struct worker *w = worker_self();

	for (unsigned i = 0; w && i < all->count; i++)
		if (all->block[i].processor == w->home)
			return &all->block[i];
	return NULL;
}

/* Fork all but `own`: the leaders of other nodes first, then one's own neighbours. */
static void fork_all(struct blocks *all, struct block *own)
{
	struct block *mine = NULL, *next;

	for (struct block *b = all->block; b < all->block + all->count; b = next) {
		next = b + b->behind + 1; /* read before it is forked: it is another's then */
		if (own && own >= b && own < next)
			mine = b;
		else
			aim_task(b->processor, &b->task);
	}
	if (!mine)
		return;
	next = mine + mine->behind + 1;
	mine->behind = 0;
	for (struct block *b = mine; b < next; b++)
		if (b != own)
			aim_task(b->processor, &b->task);
}

static void run(struct blocks *all)
{
	struct block *own = own_block(all);

	fork_all(all, own);
	if (own)
		run_range(own);
	for (unsigned i = 0; i < all->count; i++) {
		struct block *b = &all->block[i];

		if (b != own && perch_task_sync_slow(&b->task))
			run_block(&b->task);
	}
}

int perch_for_numa(size_t begin, size_t end, size_t grain, void (*body)(size_t, size_t, void *), void *context)
{
	struct loop loop = {loop_grain(end - begin, grain), body, context, NULL};
	int r = loop_check(&loop, begin, end);
	struct blocks *all;

	OUTERMOST();
	if (r || begin == end)
		return r;
	all = make(begin, end);
	if (!all)
		return -ENOMEM;
	all->loop = &loop;
	run(all);
	free(all);
	return 0;
}

/* Each block's value on lines of its own, and one for the identity. */
static bool make_values(struct blocks *all, const struct reduction *r)
{
	size_t each = (r->size + LINE - 1) & -LINE;

	all->values = aligned_alloc(LINE, each * (all->count + 1));
	for (unsigned i = 0; all->values && i <= all->count; i++) {
		memcpy(all->values + i * each, r->identity, r->size);
		if (i < all->count)
			all->block[i].value = all->values + i * each;
	}
	return all->values != NULL;
}

int perch_reduce_numa(size_t begin, size_t end, size_t grain, size_t size, const void *identity,
		      void (*body)(size_t, size_t, void *, void *), void (*combine)(void *, const void *, void *),
		      void *result, void *context)
{
	struct reduction reduction = {loop_grain(end - begin, grain), size, identity, body, combine, context, NULL};
	int r = loop_check_reduction(&reduction, result, begin, end);
	struct blocks *all;

	OUTERMOST();
	if (r)
		return r;
	if (begin == end) {
		memmove(result, identity, size);
		return 0;
	}
	all = make(begin, end);
	if (!all || !make_values(all, &reduction)) {
		free(all);
		return -ENOMEM;
	}
	/* result may be identity itself */
	reduction.identity = all->values + all->count * ((size + LINE - 1) & -LINE);
	all->reduction = &reduction;
	run(all);
	memmove(result, reduction.identity, size);
	for (unsigned i = 0; i < all->count; i++)
		combine(result, all->block[i].value, context);
	free(all->values);
	free(all);
	return 0;
}
