/* SPDX-License-Identifier: MIT */
/*
 * pool.h - free lists of objects of one size: a list per CPU, touched by
 * sections only, over a depot per group of CPUs (a NUMA node), under a lock,
 * that whole chains of objects move in and out of.
 *
 *	           get   put   put_far   put_home
 *	get         -     -       -         -      (sections on one CPU; the depot's
 *	put         -     -       -         -       lock between CPUs)
 *	put_far     -     -       -         -
 *	put_home    -     -       -         -
 *
 * Where memory is not all alike an object belongs to the group it was made for,
 * and is given back to that one's depot: else what was once taken far away would
 * be handed out there for ever, as if it were near. What is given back on a CPU of
 * another group goes on a list of that CPU's for all of them (pool_far), which is
 * sorted when it is full: a lock for each group in it, not one for each object.
 * Only the owner of the objects knows their groups, so it chooses the call.
 *
 * An object on a list stays mapped until pool_stop(): a section may read the
 * first word of one that another worker has just taken.
 *
 * Nothing is given back to the kernel by who gets or puts. A depot knows which chains
 * came since the last tick, and which lay there before it; a tick comes from outside, in
 * seconds (pool_tick). What has lain there from one tick to the next is surplus, and
 * retires then (pool_retire), by one pthread: the owner of the pool takes the objects back,
 * gives their memory to the kernel, and hands them out again as it hands out new ones
 * (make). Work whose objects come and go within a tick is never slowed.
 *
 *	             get   put   retire  tick  collect
 *	retire        L     L     X       X     X     (L: the depot's lock, not held while
 *	tick          L     L     X       X     X      objects retire; X: one pthread at a time)
 *	collect       L     L     X       X     X
 *
 * In the manner of Bonwick's magazines (2001) and tcmalloc's per-CPU caches.
 */
#ifndef PERCH_RSEQ_POOL_H
#define PERCH_RSEQ_POOL_H

#include <pthread.h>

#include "rseq/percpu.h"

#define POOL_GROUPS 64
/* So many chains retire at once, at most. */
#define POOL_RETIRE 16u

/* What an object's first three words are while it is free. */
struct pool_node {
	struct section_node node;
	struct pool_node *chain; /* in the depot: the next chain */
};

struct pool_depot {
	pthread_mutex_t lock;
	struct pool_node *chain; /* put here since the last tick, the last on top */
	struct pool_node *old;   /* before it */
	uint64_t chains;         /* in both */
} __attribute__((aligned(64)));

struct pool {
	unsigned list;  /* which of an area's lists */
	uint64_t batch; /* most objects on a CPU's list: what moves at once */
	/* Make a few new objects for this group, linked as a chain (node.next,
	 * with node.depth counted from its end); NULL when there is no memory. */
	struct pool_node *(*make)(struct pool *pool, uint32_t group);
	/* Takes the objects of these chains (linked by `chain`) out of the pool for good: each
	 * may come again from make(). False: it could not, and they stay as they are. NULL:
	 * objects never retire. */
	bool (*retire)(struct pool *pool, struct pool_node *chains, uint32_t group);
	struct pool_depot depot[POOL_GROUPS];
};

void pool_start(struct pool *pool, unsigned list, uint64_t batch, struct pool_node *(*make)(struct pool *, uint32_t),
		bool (*retire)(struct pool *, struct pool_node *, uint32_t));

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

/* Straight to the depot of its group, from anywhere. Slower too. */
void pool_put_home(struct pool *pool, void *object, uint32_t group);

/* Objects of any pools that are on their way home from CPUs of other groups. */
struct pool_far {
	unsigned list;  /* of an area, for these only */
	uint64_t batch; /* most that wait on a CPU */
	struct pool *(*home)(struct pool_node *object, uint32_t *group);
};

void pool_far_start(struct pool_far *far, unsigned list, uint64_t batch,
		    struct pool *(*home)(struct pool_node *, uint32_t *));
void pool_put_far(struct pool_far *far, void *object);

/* This runs on a CPU of that group; a hint. */
static inline bool pool_group_is_here(uint32_t group)
{
	struct percpu *a = percpu_here();

	return a && a->group % POOL_GROUPS == group;
}

/*
 * Retire what has lain in depots since before the last tick; `budget`: at most so many
 * chains, less what was done. False: the budget did not do.
 */
bool pool_retire(struct pool *pool, unsigned *budget);
/* A tick, after pool_retire() has said true. True: something will retire at the next,
 * unless it is taken before. */
bool pool_tick(struct pool *pool);
/* Whether there is anything for a tick to see to; a look. */
bool pool_is_warm(const struct pool *pool);

/*
 * Take the first n lists of a CPU, by one pthread at a time; who gets or puts there meanwhile goes
 * by the depots. *group: whose depots they go to (pool_put_chain, pool_far_send). 0,
 * -ENOENT: there is nothing, or -EBUSY: a thief is at work there.
 */
int pool_collect(int cpu, unsigned n, struct section_node **list, uint32_t *group);
void pool_put_chain(struct pool *pool, struct section_node *chain, uint32_t group);
void pool_far_send(struct pool_far *far, struct section_node *list);

/* Link `n` objects of `size` bytes from `first` on as make() must. */
struct pool_node *pool_link(char *first, size_t size, size_t n);

#endif
