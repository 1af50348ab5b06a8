/* SPDX-License-Identifier: MIT */
#include "core/thread/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/thread/lists.h"
#include "rseq/inject.h"
#include "rseq/pool.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* The range: as large as the limits on addresses let it be. 2^30 descriptors
 * are more than memory holds; under RLIMIT_AS less is tried. */
#define RANGE_MOST ((size_t)64 << 30)
#define RANGE_LEAST ((size_t)1 << 20)
/* Cut at once: 64 KiB. Pages are touched as descriptors are handed out. */
#define CUT ((size_t)1024)

struct pool thread_pool;
char *thread_range;
size_t thread_range_used;
bool thread_any_named;
static size_t range_size;

static struct pool_node *thread_make(struct pool *p, uint32_t group)
{
	size_t bytes = CUT * sizeof(struct thread);
	size_t at = __atomic_fetch_add(&thread_range_used, bytes, __ATOMIC_RELAXED);

	(void)p;
	(void)group;
	if (at + bytes > range_size) {
		__atomic_fetch_sub(&thread_range_used, bytes, __ATOMIC_RELAXED);
		return NULL;
	}
	/* sixteen pages in one call, not one fault for each (Linux 5.14) */
	madvise(thread_range + at, bytes, MADV_POPULATE_WRITE);
	return pool_link(thread_range + at, sizeof(struct thread), CUT);
}

int thread_start(void)
{
	for (range_size = RANGE_MOST; range_size >= RANGE_LEAST; range_size /= 2) {
		void *p = mmap(NULL, range_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);

		if (p == MAP_FAILED)
			continue;
		thread_range = p;
		thread_range_used = 0;
		pool_start(&thread_pool, LIST_THREAD, CUT, thread_make, NULL);
		return 0;
	}
	return -ENOMEM;
}

/* Of threads that ended and that nobody joined. */
static void free_names(void)
{
	struct thread *t = (struct thread *)thread_range;

	for (size_t n = thread_range_used / sizeof(*t); n; n--, t++)
		free(t->name);
}

void thread_stop(void)
{
	if (thread_any_named)
		free_names();
	thread_any_named = false;
	munmap(thread_range, range_size);
	thread_range = NULL;
}

/* ---- names ---- */

static pthread_mutex_t names = PTHREAD_MUTEX_INITIALIZER;

/* The lock is held. */
static char *swap_name(struct thread *t, char *name)
{
	if (name)
		__atomic_store_n(&thread_any_named, true, __ATOMIC_RELAXED);
	return __atomic_exchange_n(&t->name, name, __ATOMIC_RELAXED);
}

void thread_free_name(struct thread *t)
{
	char *old;

	pthread_mutex_lock(&names);
	old = swap_name(t, NULL);
	pthread_mutex_unlock(&names);
	free(old);
}

int thread_name_first(struct thread *t, const char *name)
{
	char *copy = strdup(name), *old;

	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&names);
	old = swap_name(t, copy);
	pthread_mutex_unlock(&names);
	free(old);
	return 0;
}

int thread_rename(perch_t handle, const char *name)
{
	char *copy = *name ? strdup(name) : NULL, *old = copy;
	struct thread *t;
	int r = -ESRCH;

	if (*name && !copy)
		return -ENOMEM;
	pthread_mutex_lock(&names);
	t = thread_of(handle);
	if (t) {
		r = 0;
		old = swap_name(t, copy);
		inject();
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (copy && !thread_of(handle)) {
			/* it ended in between, and may not have seen this name */
			r = -ESRCH;
			free(old);
			old = swap_name(t, NULL);
		}
	}
	pthread_mutex_unlock(&names);
	free(old);
	return r;
}

void thread_read_name(const struct thread *t, char name[PERCH_NAME_MAX + 1], bool must)
{
	name[0] = 0;
	if (!__atomic_load_n(&t->name, __ATOMIC_RELAXED))
		return;
	if (must)
		pthread_mutex_lock(&names);
	else if (pthread_mutex_trylock(&names))
		return;
	if (t->name)
		strcpy(name, t->name);
	pthread_mutex_unlock(&names);
}
