/* SPDX-License-Identifier: MIT */
/* loop.c - parallel loops: the range is halved until a piece is small enough. */
#include <errno.h>
#include <string.h>

#include <perch/perch.h>

#include "core/sched/outermost.h"
#include "core/sched/sched.h"
#include "core/task/loop.h"

/* Without a grain: this many pieces for each processor, so that what is left
 * when one runs dry is worth stealing. */
#define PIECES 32

size_t loop_grain(size_t n, size_t grain)
{
	size_t pieces;

	if (grain)
		return grain;
	pieces = (size_t)perch_procs() * PIECES;
	return pieces && n / pieces ? n / pieces : 1;
}

/* Taken to another node than it is for, which still has that processor. */
static inline bool is_abroad(const struct processor *home)
{
	struct worker *w = home ? worker_self() : NULL;

	return w && w->home->node != home->node && !processor_retired(home);
}

PERCH_VOID_TASK3(loop_range, const struct loop *, loop, size_t, lo, size_t, hi)
{
	struct loop_range_task right;
	size_t middle;

	if (hi - lo <= loop->grain) {
		loop->body(lo, hi, loop->context);
		return;
	}
	if (__builtin_expect(is_abroad(loop->home), 0)) {
		loop_run_abroad(loop, lo, hi);
		return;
	}
	middle = lo + (hi - lo) / 2;
	loop_range_fork(&right, loop, middle, hi);
	loop_range(loop, lo, middle);
	loop_range_sync(&right);
}

void loop_run(const struct loop *loop, size_t lo, size_t hi)
{
	loop_range(loop, lo, hi);
}

int loop_check(const struct loop *loop, size_t begin, size_t end)
{
	return loop->body && end >= begin ? sched_check() : -EINVAL;
}

int perch_for(size_t begin, size_t end, size_t grain, void (*body)(size_t, size_t, void *), void *context)
{
	struct loop loop = {loop_grain(end - begin, grain), body, context, NULL};
	int r = loop_check(&loop, begin, end);

	OUTERMOST();
	if (!r && begin < end)
		loop_range(&loop, begin, end);
	return r;
}

PERCH_VOID_TASK4(reduce_range, const struct reduction *, reduction, size_t, lo, size_t, hi, void *, value)
{
	struct reduce_range_task right;
	size_t middle;

	if (hi - lo <= reduction->grain) {
		reduction->body(lo, hi, value, reduction->context);
		return;
	}
	if (__builtin_expect(is_abroad(reduction->home), 0)) {
		loop_run_reduction_abroad(reduction, lo, hi, value);
		return;
	}
	{
		/* the right half's own accumulator, aligned for any type */
		char other[reduction->size] __attribute__((aligned(64)));

		memcpy(other, reduction->identity, reduction->size);
		middle = lo + (hi - lo) / 2;
		reduce_range_fork(&right, reduction, middle, hi, other);
		reduce_range(reduction, lo, middle, value);
		reduce_range_sync(&right);
		reduction->combine(value, other, reduction->context);
	}
}

void loop_run_reduction(const struct reduction *r, size_t lo, size_t hi, void *value)
{
	reduce_range(r, lo, hi, value);
}

int loop_check_reduction(const struct reduction *r, const void *result, size_t begin, size_t end)
{
	if (!r->body || !r->combine || !r->identity || !result || end < begin || !r->size || r->size > PERCH_REDUCE_MAX)
		return -EINVAL;
	return sched_check();
}

int perch_reduce(size_t begin, size_t end, size_t grain, size_t size, const void *identity,
		 void (*body)(size_t, size_t, void *, void *), void (*combine)(void *, const void *, void *),
		 void *result, void *context)
{
	struct reduction reduction = {loop_grain(end - begin, grain), size, identity, body, combine, context, NULL};
	int r = loop_check_reduction(&reduction, result, begin, end);

	OUTERMOST();
	if (r)
		return r;
	/* result may be identity itself */
	memmove(result, identity, size);
	if (begin < end) {
		char start[size] __attribute__((aligned(64)));

		memcpy(start, identity, size);
		reduction.identity = start;
		reduce_range(&reduction, begin, end, result);
	}
	return 0;
}
