/* SPDX-License-Identifier: MIT */
/* block.c - perch_block_begin and _end: marks that the monitor and the CPU's
 * lookout see (core/sched/lookout.h), no more. */
#include <perch/block.h>

#include "core/sched/handoff.h"
#include "core/sched/lookout.h"
#include "core/sched/outermost.h"
#include "core/sched/sched.h"

void perch_block_begin(void)
{
	struct worker *w = worker_self();

	if (__builtin_expect(!w, 0))
		return;
	__atomic_store_n(&w->in_call, w->current, __ATOMIC_RELEASE);
	if (__builtin_expect(!__atomic_load_n(&w->home->watched, __ATOMIC_RELAXED), 0))
		lookout_call(w->home);
}

void perch_block_end(void)
{
	struct worker *w = worker_self();

	if (__builtin_expect(!w, 0))
		return;
	__atomic_store_n(&w->in_call, NULL, __ATOMIC_RELEASE);
	if (__builtin_expect(!worker_on_duty(w), 0))
		handoff_go_on();
}

void *perch_blocking(void *(*fn)(void *), void *arg)
{
	void *result;

	OUTERMOST();
	perch_block_begin();
	result = fn(arg);
	perch_block_end();
	return result;
}
