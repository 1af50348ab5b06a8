/* SPDX-License-Identifier: MIT */
#include "core/thread/trim.h"

#include <pthread.h>

#include "core/thread/retired.h"
#include "core/thread/stack.h"
#include "core/thread/thread.h"

/* So many chains retire in a step: 2,048 stacks, or 65,536 descriptors. */
#define STEP 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct pool *pool_number(unsigned i)
{
	return i < STACK_CLASSES ? stack_pool(i) : i == STACK_CLASSES ? &thread_pool : NULL;
}

bool trim_wanted(void)
{
	struct pool *p;

	for (unsigned i = 0; (p = pool_number(i)); i++)
		if (pool_is_warm(p))
			return true;
	return false;
}

static bool retire_all(unsigned budget)
{
	struct pool *p;

	for (unsigned i = 0; (p = pool_number(i)); i++)
		if (!pool_retire(p, &budget))
			return false;
	return true;
}

static bool tick_all(void)
{
	struct pool *p;
	bool more = false;

	for (unsigned i = 0; (p = pool_number(i)); i++)
		more |= pool_tick(p);
	return more;
}

uint64_t trim_step(void)
{
	uint64_t wait = 0;

	pthread_mutex_lock(&lock);
	if (retire_all(STEP))
		wait = tick_all() ? TRIM_TICK_NS : UINT64_MAX;
	pthread_mutex_unlock(&lock);
	return wait;
}

size_t trim_all(void)
{
	size_t before, bytes;
	struct section_node *list[LIST_POOLS];
	uint32_t group;

	pthread_mutex_lock(&lock);
	before = stack_returned() + retired_returned();
	for (int cpu = 0; cpu < percpu_count; cpu++) {
		if (pool_collect(cpu, LIST_POOLS, list, &group))
			continue; /* nothing there, or it is in use at this very moment */
		stack_collect(list, group);
		thread_collect(list, group);
	}
	/* what is old, and what is not yet */
	retire_all(UINT32_MAX);
	tick_all();
	retire_all(UINT32_MAX);
	bytes = stack_returned() + retired_returned() - before;
	pthread_mutex_unlock(&lock);
	return bytes;
}
