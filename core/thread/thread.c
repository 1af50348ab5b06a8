/* SPDX-License-Identifier: MIT */
#include "core/thread/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <perch/alloc.h>

#include "core/thread/retired.h"
#include "rseq/inject.h"
#include "rseq/pool.h"
#include "rseq/reserve.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* The range: as large as the limits on addresses let it be. 2^30 descriptors
 * are more than memory holds; under RLIMIT_AS less is tried (thread_start()). */
#define RANGE_MOST ((size_t)64 << 30)
#define RANGE_LEAST ((size_t)1 << 20)
#define RANGE_SHARE 16 /* of the addresses that there are, when they are short: one part of so many */
/* Cut at once: 64 KiB. Pages are touched as descriptors are handed out. */
#define CUT ((size_t)1024)
/* Made accessible at once. The rest cannot be touched, so that mlockall() does not fill it. */
#define OPEN ((size_t)2 << 20)
/* A group's slab is as large as all it has, up to this: few mappings, and little that
 * a walk over the range finds empty. */
#define SLAB_MOST ((size_t)16 << 20)
/* How many wait on a CPU of another group to go home. */
#define FAR 256

struct pool thread_pool;
char *thread_range;
size_t thread_range_used;
bool thread_any_named;
static size_t range_size;
static struct pool_far far;

/* Of groups. */
static struct {
	pthread_mutex_t lock;
	struct group_slab *all, *open[POOL_GROUPS];
	size_t size[POOL_GROUPS]; /* of the next slab */
} slabs = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Nobody looks at what is not open yet: `thread_range_used` is behind it. */
static struct {
	pthread_mutex_t lock;
	size_t open; /* bytes that may be touched */
} range = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The lock is held. */
static bool range_open(size_t bytes)
{
	size_t to = (bytes + OPEN - 1) / OPEN * OPEN;

	if (bytes <= range.open)
		return true;
	if (bytes > range_size)
		return false;
	if (to > range_size)
		to = range_size;
	if (mprotect(thread_range + range.open, to - range.open, PROT_READ | PROT_WRITE) || !retired_open(to))
		return false;
	range.open = to;
	return true;
}

static char *range_take(size_t bytes)
{
	size_t at;
	bool open;

	pthread_mutex_lock(&range.lock);
	at = thread_range_used;
	open = range_open(at + bytes);
	if (open)
		__atomic_store_n(&thread_range_used, at + bytes, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&range.lock);
	return open ? thread_range + at : NULL;
}

/* slabs.lock is held */
static struct group_slab *slab_new(uint32_t group, size_t least)
{
	struct group_slab *s = malloc(sizeof(*s));
	size_t size = slabs.size[group] > least ? slabs.size[group] : least;
	char *p = s ? range_take(size) : NULL;

	if (s && !p)
		p = range_take(size = least); /* the range is short */
	if (!p) {
		free(s);
		return NULL;
	}
	group_bind(p, size, group);
	*s = (struct group_slab){p, size, 0, group, slabs.all};
	slabs.size[group] = size * 2 < SLAB_MOST ? size * 2 : SLAB_MOST;
	return slabs.all = slabs.open[group] = s;
}

static char *slab_take(uint32_t group, size_t bytes)
{
	struct group_slab *s;
	char *p = NULL;

	pthread_mutex_lock(&slabs.lock);
	s = slabs.open[group];
	if (!s || s->size - s->used < bytes)
		s = slab_new(group, bytes);
	if (s) {
		p = s->base + s->used;
		s->used += bytes;
	}
	pthread_mutex_unlock(&slabs.lock);
	return p;
}

static struct pool_node *thread_make(struct pool *p, uint32_t group)
{
	size_t bytes = CUT * sizeof(struct thread);
	struct pool_node *again = retired_get(group, group_several ? (uint8_t)(group + 1) : 0);
	char *first;

	(void)p;
	if (again)
		return again;
	first = group_several ? slab_take(group, bytes) : range_take(bytes);
	if (!first)
		return NULL;
	/* sixteen pages in one call, not one fault for each (Linux 5.14) */
	madvise(first, bytes, MADV_POPULATE_WRITE);
	for (size_t i = 0; group_several && i < CUT; i++)
		((struct thread *)first)[i].home = (uint8_t)(group + 1);
	return pool_link(first, sizeof(struct thread), CUT);
}

static struct pool *thread_home(struct pool_node *object, uint32_t *group)
{
	*group = ((struct thread *)object)->home - 1u;
	return &thread_pool;
}

void thread_put(struct thread *t)
{
	if (!t->home || pool_group_is_here(t->home - 1u))
		pool_put(&thread_pool, t);
	else
		pool_put_far(&far, t);
}

void thread_cache_empty(struct thread_cache *c)
{
	while (c->first) {
		struct thread *t = (struct thread *)c->first;

		c->first = (struct pool_node *)c->first->node.next;
		thread_put(t);
	}
	c->count = 0;
}

void thread_collect(struct section_node *list[LIST_POOLS], uint32_t group)
{
	pool_put_chain(&thread_pool, list[LIST_THREAD], group);
	pool_far_send(&far, list[LIST_FAR_THREAD]);
}

size_t thread_slabs(struct group_slab *out, size_t most)
{
	size_t n;

	pthread_mutex_lock(&slabs.lock);
	n = group_copy(slabs.all, out, most);
	pthread_mutex_unlock(&slabs.lock);
	return n;
}

static bool map_range(size_t size)
{
	void *p = reserve(size, PROT_NONE, 0);

	if (!p)
		return false;
	thread_range = p;
	range_size = size;
	return true;
}

int thread_start(void)
{
	size_t size = RANGE_MOST;

	while (size >= RANGE_LEAST && !map_range(size))
		size /= 2;
	if (size < RANGE_LEAST)
		return -ENOMEM;
	if (size < RANGE_MOST && size / RANGE_SHARE >= RANGE_LEAST) {
		/* addresses are short, and this may be nearly all: stacks need many times as much */
		munmap(thread_range, size);
		if (!map_range(size / RANGE_SHARE))
			return -ENOMEM;
	}
	if (retired_start(thread_range, range_size)) {
		munmap(thread_range, range_size);
		return -ENOMEM;
	}
	thread_range_used = range.open = 0;
	pool_start(&thread_pool, LIST_THREAD, CUT, thread_make, retired_possible() ? retired_put : NULL);
	pool_far_start(&far, LIST_FAR_THREAD, FAR, thread_home);
	return 0;
}

/* Of threads that ended and that nobody joined. */
static void free_names(void)
{
	struct thread *t = (struct thread *)thread_range;

	for (size_t n = thread_range_used / sizeof(*t); n; n--, t++)
		perch_free(t->name);
}

void thread_stop(void)
{
	if (thread_any_named)
		free_names();
	thread_any_named = false;
	retired_stop();
	munmap(thread_range, range_size);
	thread_range = NULL;
	while (slabs.all) {
		struct group_slab *s = slabs.all;

		slabs.all = s->next;
		free(s);
	}
	memset(slabs.open, 0, sizeof(slabs.open));
	memset(slabs.size, 0, sizeof(slabs.size));
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

void thread_names_lock(void)
{
	pthread_mutex_lock(&names);
}

void thread_names_unlock(void)
{
	pthread_mutex_unlock(&names);
}

void thread_free_name(struct thread *t)
{
	char *old;

	pthread_mutex_lock(&names);
	old = swap_name(t, NULL);
	pthread_mutex_unlock(&names);
	perch_free(old);
}

static char *copy_of(const char *name)
{
	size_t size = strlen(name) + 1;
	char *copy = perch_alloc(size);

	return copy ? memcpy(copy, name, size) : NULL;
}

int thread_name_first(struct thread *t, const char *name)
{
	char *copy = copy_of(name), *old;

	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&names);
	old = swap_name(t, copy);
	pthread_mutex_unlock(&names);
	perch_free(old);
	return 0;
}

int thread_rename(perch_t handle, const char *name)
{
	char *copy = *name ? copy_of(name) : NULL, *old = copy;
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
			perch_free(old);
			old = swap_name(t, NULL);
		}
	}
	pthread_mutex_unlock(&names);
	perch_free(old);
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
