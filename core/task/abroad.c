/* SPDX-License-Identifier: MIT */
/*
 * abroad.c - a part of a range that is for one node, when another node's worker has
 * taken it, which is the older half of what the owner had left. It keeps a piece of that
 * and leaves the rest for its home again, where it is safe from other nodes for as long
 * as anything that is aimed (numa/policy.c, FAR_INBOX_NS): so what an idle node takes of
 * a loop whose memory is elsewhere is little at a time, as much as there is need for.
 *
 * The frame waits for the rest, so it stands in the line of waiting frames that a loop
 * is anyway; if nobody at home takes it, others do, and each time it becomes shorter.
 */
#include <string.h>

#include <perch/perch.h>

#include "core/sched/aim.h"
#include "core/task/loop.h"

/* One part of so many is kept. */
#define KEEP 8

struct rest {
	perch_task_t task;
	const struct loop *loop;
	const struct reduction *reduction;
	size_t lo, hi;
	void *value;
};

static void run_rest(perch_task_t *task)
{
	struct rest *rest = (struct rest *)task;

	if (rest->loop)
		loop_run(rest->loop, rest->lo, rest->hi);
	else
		loop_run_reduction(rest->reduction, rest->lo, rest->hi, rest->value);
}

static void wait_for(struct rest *rest)
{
	if (perch_task_sync_slow(&rest->task))
		run_rest(&rest->task);
}

/* What is kept of it: more than nothing, and less than all. */
static size_t keep(size_t length, size_t grain)
{
	return length / KEEP > grain ? length / KEEP : grain;
}

void loop_run_abroad(const struct loop *loop, size_t lo, size_t hi)
{
	size_t middle = lo + keep(hi - lo, loop->grain);
	struct rest rest = {.task = {run_rest, 0}, .loop = loop, .lo = middle, .hi = hi};
	struct loop here = *loop;

	here.home = NULL; /* the neighbours help */
	aim_task(loop->home, &rest.task);
	loop_run(&here, lo, middle);
	wait_for(&rest);
}

void loop_run_reduction_abroad(const struct reduction *r, size_t lo, size_t hi, void *value)
{
	size_t middle = lo + keep(hi - lo, r->grain);
	char other[r->size] __attribute__((aligned(64)));
	struct rest rest = {.task = {run_rest, 0}, .reduction = r, .lo = middle, .hi = hi, .value = other};
	struct reduction here = *r;

	here.home = NULL;
	memcpy(other, r->identity, r->size);
	aim_task(r->home, &rest.task);
	loop_run_reduction(&here, lo, middle, value);
	wait_for(&rest);
	r->combine(value, other, r->context);
}
