/* SPDX-License-Identifier: MIT */
/*
 * pool.h - free lists of objects of one size: a list per CPU, touched by
 * sections only, over a depot per group of CPUs (a NUMA node), under a lock,
 * that whole chains of objects move in and out of.
 *
 *	        get   put
 *	get      -     -      (sections on one CPU; the depot's lock between CPUs)
 *	put      -     -
 *
 * An object on a list stays mapped until pool_stop(): a section may read the
 * first word of one that another worker has just taken.
 *
 * In the manner of Bonwick's magazines (2001) and tcmalloc's per-CPU caches.
 */
#ifndef PERCH_RSEQ_POOL_H
#define PERCH_RSEQ_POOL_H

#include <pthread.h>

#include "rseq/percpu.h"

#define POOL_GROUPS 64

/* What an object's first three words are while it is free. */
struct pool_node {
	struct section_node node;
	struct pool_node *chain; /* in the depot: the next chain */
};

struct pool_depot {
	pthread_mutex_t lock;
	struct pool_node *chain;
	uint64_t chains;
} __attribute__((aligned(64)));

struct pool {
	unsigned list;  /* which of an area's lists */
	uint64_t batch; /* most objects on a CPU's list: what moves at once */
	/* Make a few new objects for this group, linked as a chain (node.next,
	 * with node.depth counted from its end); NULL when there is no memory. */
	struct pool_node *(*make)(struct pool *pool, uint32_t group);
	/* Called on each object of a chain that leaves a CPU for the depot; may be NULL. */
	void (*cool)(struct pool *pool, struct pool_node *object);
	struct pool_depot depot[POOL_GROUPS];
};

void pool_start(struct pool *pool, unsigned list, uint64_t batch, struct pool_node *(*make)(struct pool *, uint32_t),
		void (*cool)(struct pool *, struct pool_node *));

void *pool_get_slow(struct pool *pool);
void pool_put_slow(struct pool *pool, void *object);

/* An object, its first two words undefined; NULL when there is no memory. */
static inline void *pool_get(struct pool *pool)
{
	struct section_node *node;

	if (__builtin_expect(section_list_pop(pool->list, &node) == SECTION_DONE, 1))
		return node;
	return pool_get_slow(pool);
}

/* Give an object back; from any CPU, any pthread. */
static inline void pool_put(struct pool *pool, void *object)
{
	if (__builtin_expect(section_list_push(pool->list, (struct section_node *)object, pool->batch) == SECTION_DONE,
			     1))
		return;
	pool_put_slow(pool, object);
}

/* The same, where any CPU finds it at once. Slower. */
void pool_share(struct pool *pool, void *object);

/* Link `n` objects of `size` bytes from `first` on as make() must. */
struct pool_node *pool_link(char *first, size_t size, size_t n);

#endif
