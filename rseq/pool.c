/* SPDX-License-Identifier: MIT */
#include "rseq/pool.h"

#include <errno.h>

#include "rseq/inject.h"
#include "rseq/section_lock.h"

void pool_start(struct pool *pool, unsigned list, uint64_t batch, struct pool_node *(*make)(struct pool *, uint32_t),
		bool (*retire)(struct pool *, struct pool_node *, uint32_t))
{
	pool->list = list;
	pool->batch = batch;
	pool->make = make;
	pool->retire = retire;
	for (int i = 0; i < POOL_GROUPS; i++) {
		pthread_mutex_init(&pool->depot[i].lock, NULL);
		pool->depot[i].chain = pool->depot[i].old = NULL;
		pool->depot[i].chains = 0;
	}
}

static struct pool_depot *depot_here(struct pool *pool, uint32_t *group)
{
	struct percpu *a = percpu_here();

	*group = a ? a->group % POOL_GROUPS : 0;
	return &pool->depot[*group];
}

/* The depot's lock is held, in both. */
static struct pool_node *pop_chain(struct pool_depot *depot, struct pool_node **list)
{
	struct pool_node *chain = *list;

	if (chain) {
		__atomic_store_n(list, chain->chain, __ATOMIC_RELAXED);
		__atomic_store_n(&depot->chains, depot->chains - 1, __ATOMIC_RELAXED);
	}
	return chain;
}

static void push_chain(struct pool_depot *depot, struct pool_node **list, struct pool_node *chain)
{
	chain->chain = *list;
	__atomic_store_n(list, chain, __ATOMIC_RELAXED);
	__atomic_store_n(&depot->chains, depot->chains + 1, __ATOMIC_RELAXED);
}

static struct pool_node *depot_get(struct pool_depot *depot)
{
	struct pool_node *chain;

	if (!__atomic_load_n(&depot->chains, __ATOMIC_RELAXED))
		return NULL;
	pthread_mutex_lock(&depot->lock);
	chain = pop_chain(depot, &depot->chain);
	if (!chain)
		chain = pop_chain(depot, &depot->old);
	pthread_mutex_unlock(&depot->lock);
	return chain;
}

static void depot_put(struct pool_depot *depot, struct pool_node *chain)
{
	pthread_mutex_lock(&depot->lock);
	push_chain(depot, &depot->chain, chain);
	pthread_mutex_unlock(&depot->lock);
}

void *pool_get_slow(struct pool *pool)
{
	struct pool_depot *depot, *from;
	struct pool_node *chain, *rest;
	struct section_node *node;
	uint32_t group;
	int done = SECTION_SLOW;

	/* without sections, the list is reached only here */
	if (percpu_locked && lock_list_pop(pool->list, &node) == SECTION_DONE)
		return node;
	inject();
	from = depot = depot_here(pool, &group);
	chain = depot_get(depot);
	if (!chain)
		chain = pool->make(pool, group);
	for (int i = 0; !chain && i < POOL_GROUPS; i++) {
		from = &pool->depot[i];
		chain = depot_get(from); /* better far than none */
	}
	if (!chain)
		return NULL;
	rest = (struct pool_node *)chain->node.next;
	if (rest) {
		inject();
		/* of another group only the one that is needed now; a pthread that is not
		 * pinned may have been moved while they were made */
		if (from == depot && depot_here(pool, &group) == depot)
			done = percpu_locked ? lock_list_put(pool->list, &rest->node)
					     : section_list_put(pool->list, &rest->node);
		if (done != SECTION_DONE) /* or another worker filled it meanwhile */
			depot_put(from, rest);
	}
	return chain;
}

/* A chain of one. */
static void put_one(struct pool_depot *depot, struct pool_node *node)
{
	node->node.next = NULL;
	node->node.depth = 1;
	depot_put(depot, node);
}

void pool_put_slow(struct pool *pool, void *object)
{
	struct pool_node *node = object;
	struct section_node *full;
	struct pool_depot *depot;
	uint32_t group;

	inject();
	if (percpu_locked && lock_list_push(pool->list, &node->node, pool->batch) == SECTION_DONE)
		return;
	depot = depot_here(pool, &group);
	if ((percpu_locked ? lock_list_take(pool->list, &full) : section_list_take(pool->list, &full)) ==
	    SECTION_DONE) {
		depot_put(depot, (struct pool_node *)full);
		if ((percpu_locked ? lock_list_push(pool->list, &node->node, pool->batch)
				   : section_list_push(pool->list, &node->node, pool->batch)) == SECTION_DONE)
			return;
	}
	/* no list here at all (frozen, or no processor) */
	put_one(depot, node);
}

void pool_share(struct pool *pool, void *object)
{
	uint32_t group;

	put_one(depot_here(pool, &group), object);
}

void pool_put_home(struct pool *pool, void *object, uint32_t group)
{
	put_one(&pool->depot[group % POOL_GROUPS], object);
}

/* ---- what lies there for long ---- */

static bool is_warm(const struct pool_depot *depot)
{
	return __atomic_load_n(&depot->chain, __ATOMIC_RELAXED) || __atomic_load_n(&depot->old, __ATOMIC_RELAXED);
}

bool pool_is_warm(const struct pool *pool)
{
	bool warm = false;

	for (int i = 0; i < POOL_GROUPS && pool->retire; i++)
		warm |= is_warm(&pool->depot[i]);
	return warm;
}

/* Up to `most` of the old chains, linked by `chain`; how many. */
static unsigned take_old(struct pool_depot *depot, unsigned most, struct pool_node **chains)
{
	struct pool_node **end = chains;
	unsigned n = 0;

	pthread_mutex_lock(&depot->lock);
	while (n < most && (*end = pop_chain(depot, &depot->old))) {
		end = &(*end)->chain;
		n++;
	}
	pthread_mutex_unlock(&depot->lock);
	*end = NULL;
	return n;
}

static bool retire_depot(struct pool *pool, uint32_t group, unsigned *budget)
{
	struct pool_depot *depot = &pool->depot[group];

	while (__atomic_load_n(&depot->old, __ATOMIC_RELAXED)) {
		struct pool_node *chains, *next;

		if (!*budget)
			return false;
		*budget -= take_old(depot, *budget < POOL_RETIRE ? *budget : POOL_RETIRE, &chains);
		inject();
		if (!chains || pool->retire(pool, chains, group))
			continue;
		for (; chains; chains = next) {
			next = chains->chain;
			depot_put(depot, chains);
		}
	}
	return true;
}

bool pool_retire(struct pool *pool, unsigned *budget)
{
	for (uint32_t i = 0; i < POOL_GROUPS && pool->retire; i++)
		if (!retire_depot(pool, i, budget))
			return false;
	return true;
}

bool pool_tick(struct pool *pool)
{
	bool more = false;

	for (int i = 0; i < POOL_GROUPS && pool->retire; i++) {
		struct pool_depot *depot = &pool->depot[i];

		if (!is_warm(depot))
			continue;
		pthread_mutex_lock(&depot->lock);
		if (!depot->old) {
			__atomic_store_n(&depot->old, depot->chain, __ATOMIC_RELAXED);
			__atomic_store_n(&depot->chain, NULL, __ATOMIC_RELAXED);
		}
		more |= depot->old != NULL;
		pthread_mutex_unlock(&depot->lock);
	}
	return more;
}

/* ---- what lies on the lists of CPUs ---- */

int pool_collect(int cpu, unsigned n, struct section_node **list, uint32_t *group)
{
	struct percpu *a = percpu_of(cpu);
	bool any = false;

	for (unsigned i = 0; i < n; i++)
		any |= __atomic_load_n(&a->list[i], __ATOMIC_RELAXED) != NULL;
	if (!any) /* an area that was never used stays untouched */
		return -ENOENT;
	if (!percpu_take_lists(a, 0, n, list))
		return -EBUSY;
	*group = a->group;
	return 0;
}

void pool_put_chain(struct pool *pool, struct section_node *chain, uint32_t group)
{
	if (chain)
		depot_put(&pool->depot[group % POOL_GROUPS], (struct pool_node *)chain);
}

/* ---- from CPUs of other groups ---- */

void pool_far_start(struct pool_far *far, unsigned list, uint64_t batch,
		    struct pool *(*home)(struct pool_node *, uint32_t *))
{
	*far = (struct pool_far){list, batch, home};
}

/* Of a list all that have the same home as the first, as one chain into that depot;
 * returns the others. */
static struct section_node *send_home(struct pool_far *far, struct section_node *list)
{
	struct section_node *others = NULL, *chain = NULL, *next;
	struct pool *pool = NULL;
	uint32_t group = 0;

	for (; list; list = next) {
		uint32_t g;
		struct pool *p = far->home((struct pool_node *)list, &g);

		next = list->next;
		if (!chain) {
			pool = p;
			group = g;
		}
		if (p != pool || g != group) {
			list->next = others;
			others = list;
			continue;
		}
		list->depth = chain ? chain->depth + 1 : 1;
		list->next = chain;
		chain = list;
	}
	if (chain)
		depot_put(&pool->depot[group % POOL_GROUPS], (struct pool_node *)chain);
	return others;
}

static int far_push(struct pool_far *far, struct section_node *node)
{
	return percpu_locked ? lock_list_push(far->list, node, far->batch)
			     : section_list_push(far->list, node, far->batch);
}

void pool_put_far(struct pool_far *far, void *object)
{
	struct section_node *node = object, *full = NULL;
	int done = far_push(far, node);

	if (done != SECTION_DONE) {
		inject();
		if ((percpu_locked ? lock_list_take(far->list, &full) : section_list_take(far->list, &full)) !=
		    SECTION_DONE)
			full = NULL;
		done = far_push(far, node);
	}
	if (done != SECTION_DONE) {
		/* no list here at all */
		node->next = full;
		full = node;
	}
	inject();
	pool_far_send(far, full);
}

void pool_far_send(struct pool_far *far, struct section_node *list)
{
	while (list)
		list = send_home(far, list);
}

struct pool_node *pool_link(char *first, size_t size, size_t n)
{
	struct pool_node *next = NULL;

	for (size_t i = n; i-- > 0;) {
		struct pool_node *node = (struct pool_node *)(first + i * size);

		node->node.next = next ? &next->node : NULL;
		node->node.depth = n - i;
		next = node;
	}
	return next;
}
