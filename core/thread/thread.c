/* SPDX-License-Identifier: MIT */
#include "core/thread/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/thread/lists.h"
#include "rseq/pool.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define HANDLE_BITS 48 /* of a user address on x86-64 and aarch64 as Linux maps without being asked for more */

/* The range: as large as the limits on addresses let it be. 2^30 descriptors
 * are more than memory holds; under RLIMIT_AS less is tried. */
#define RANGE_MOST ((size_t)64 << 30)
#define RANGE_LEAST ((size_t)1 << 20)
/* Cut at once: 64 KiB. Pages are touched as descriptors are handed out. */
#define CUT ((size_t)1024)

static struct pool pool;
static char *range;
static size_t range_size;
static size_t range_used;

static struct pool_node *thread_make(struct pool *p, uint32_t group)
{
	size_t bytes = CUT * sizeof(struct thread);
	size_t at = __atomic_fetch_add(&range_used, bytes, __ATOMIC_RELAXED);

	(void)p;
	(void)group;
	if (at + bytes > range_size) {
		__atomic_fetch_sub(&range_used, bytes, __ATOMIC_RELAXED);
		return NULL;
	}
	/* sixteen pages in one call, not one fault for each (Linux 5.14) */
	madvise(range + at, bytes, MADV_POPULATE_WRITE);
	return pool_link(range + at, sizeof(struct thread), CUT);
}

int thread_start(void)
{
	for (range_size = RANGE_MOST; range_size >= RANGE_LEAST; range_size /= 2) {
		void *p = mmap(NULL, range_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);

		if (p == MAP_FAILED)
			continue;
		range = p;
		range_used = 0;
		pool_start(&pool, LIST_THREAD, CUT, thread_make, NULL);
		return 0;
	}
	return -ENOMEM;
}

void thread_stop(void)
{
	munmap(range, range_size);
	range = NULL;
}

struct thread *thread_new(void)
{
	struct thread *t = pool_get(&pool);

	if (!t)
		return NULL;
	t->next = NULL;
	t->stack = NULL;
	t->joiner = 0;
	t->name = NULL;
	__atomic_store_n(&t->park, PARK_EMPTY, __ATOMIC_RELAXED);
	t->flags = 0;
	t->reason = PARK_NONE;
	if (!t->generation)
		t->generation = 1;
	return t;
}

void thread_free(struct thread *t)
{
	uint16_t next = (uint16_t)(t->generation + 1);

	if (t->name) {
		free(t->name);
		t->name = NULL;
	}
	__atomic_store_n(&t->generation, next ? next : 1, __ATOMIC_RELAXED);
	pool_put(&pool, t);
}

perch_t thread_handle(const struct thread *t)
{
	return (perch_t)t->generation << HANDLE_BITS | (uintptr_t)t;
}

struct thread *thread_of(perch_t handle)
{
	uintptr_t p = handle & (((uintptr_t)1 << HANDLE_BITS) - 1);
	size_t used = __atomic_load_n(&range_used, __ATOMIC_RELAXED);
	struct thread *t = (struct thread *)p;

	if (p - (uintptr_t)range >= used || p % sizeof(*t))
		return NULL;
	return __atomic_load_n(&t->generation, __ATOMIC_RELAXED) == handle >> HANDLE_BITS ? t : NULL;
}
