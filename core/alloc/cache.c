/* SPDX-License-Identifier: MIT */
#include "core/alloc/cache.h"

#include <errno.h>

#include "core/alloc/checked.h"
#include "core/alloc/large.h"
#include "core/alloc/tools.h"
#include "core/thread/group.h"
#include "rseq/inject.h"
#include "rseq/section_lock.h"

/* Not a static object's: errno belongs to the pthread, and none is switched here. */
#define KEEPING_ERRNO int saved_errno = errno

static pthread_mutex_t admin = PTHREAD_MUTEX_INITIALIZER;
static uint64_t sent_home;

/* ---- the beginning, and fork() ---- */

static void before_fork(void)
{
#if ALLOC_CHECKED
	checked_lock();
#endif
	pthread_mutex_lock(&admin);
	depots_lock();
	large_lock();
}

/* In the child the areas are not active (core/runtime.c): what lay there is lost to it. */
static void after_fork(void)
{
	large_unlock();
	depots_unlock();
	pthread_mutex_unlock(&admin);
#if ALLOC_CHECKED
	checked_unlock();
#endif
}

static void begin(void)
{
	range_start();
	pthread_atfork(before_fork, after_fork, after_fork);
}

static void begin_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, begin);
}

void cache_admin_lock(void)
{
	pthread_mutex_lock(&admin);
}

bool cache_admin_try(void)
{
	return !pthread_mutex_trylock(&admin);
}

void cache_admin_unlock(void)
{
	pthread_mutex_unlock(&admin);
}

/* ---- whose it is ---- */

static bool several(void)
{
	return !__atomic_load_n(&alloc_range.near, __ATOMIC_RELAXED);
}

/* Valgrind is told that a free object is nobody's, so nothing is linked through it. */
static bool no_lists(void)
{
	return percpu_locked && tools_watching();
}

/* The group of the CPU this runs on, a hint. *nowhere: there is no processor. */
static uint32_t group_here(bool *nowhere)
{
	struct percpu *a = percpu_here();

	*nowhere = !a || no_lists();
	return a && several() ? a->group % POOL_GROUPS : 0;
}

/* All that are like the first into its depot; how many are left of them. */
static unsigned give_like_first(void **object, unsigned count)
{
	unsigned class = (unsigned)range_class(object[0]), group = range_chunk(object[0])->group, others = 0, n = 0;
	void *same[LIST_MOST + 1];

	for (unsigned i = 0; i < count; i++) {
		void *p = object[i];

		if (range_class(p) == class && range_chunk(p)->group == group)
			same[n++] = p;
		else
			object[others++] = p;
	}
	depot_put(depot_of(class, group), same, n);
	return others;
}

/* Objects of any classes and groups. */
static void give_home(void **object, unsigned count)
{
	__atomic_add_fetch(&sent_home, count, __ATOMIC_RELAXED);
	while (count)
		count = give_like_first(object, count);
}

/* Of one class, mostly of one group. */
static void give(unsigned class, void **object, unsigned count)
{
	if (!__atomic_load_n(&alloc_range.grouped, __ATOMIC_RELAXED)) {
		depot_put(depot_of(class, 0), object, count);
		return;
	}
	while (count)
		count = give_like_first(object, count);
}

/* ---- lists ---- */

/* The first two words of free objects are read and written behind the sanitizers' backs, as sections do. */
#define UNSEEN __attribute__((__no_sanitize_address__, __no_sanitize_thread__))

static int list_pop(unsigned list, void **p)
{
	struct section_node *n;
	int done = SECTION_SLOW;

	if (!no_lists())
		done = percpu_locked ? lock_list_pop(list, &n) : section_list_pop(list, &n);

	if (done == SECTION_DONE)
		*p = n;
	return done;
}

static int list_push(unsigned list, void *p, unsigned most)
{
	if (no_lists())
		return SECTION_SLOW;
	return percpu_locked ? lock_list_push(list, p, most) : section_list_push(list, p, most);
}

static int list_put(unsigned list, struct section_node *chain)
{
	return percpu_locked ? lock_list_put(list, chain) : section_list_put(list, chain);
}

/* All that is there; NULL: nothing. */
static struct section_node *list_take(unsigned list)
{
	struct section_node *chain;

	if ((percpu_locked ? lock_list_take(list, &chain) : section_list_take(list, &chain)) != SECTION_DONE)
		return NULL;
	return chain;
}

/* A chain of these, the last in front. */
static UNSEEN struct section_node *link_up(void *const *object, unsigned count)
{
	struct section_node *chain = NULL;

	/* their memory may be in another CPU's cache: all of it is asked for at once */
	for (unsigned i = 0; i < count; i++)
		__builtin_prefetch(object[i], 1);
	for (unsigned i = 0; i < count; i++) {
		struct section_node *n = object[i];

		n->next = chain;
		n->depth = i + 1;
		chain = n;
	}
	return chain;
}

/* The first of a chain, so many at most; how many. *chain: the others. */
static UNSEEN unsigned unlink_some(struct section_node **chain, void **object, unsigned most)
{
	struct section_node *n = *chain;
	unsigned count = 0;

	for (; n && count < most; n = n->next)
		object[count++] = n;
	*chain = n;
	return count;
}

static void give_chain(unsigned list, struct section_node *chain)
{
	void *object[LIST_MOST];

	while (chain) {
		unsigned n = unlink_some(&chain, object, LIST_MOST);

		if (list == LIST_FAR_OBJECT)
			give_home(object, n);
		else
			give(list - LIST_OBJECT, object, n);
	}
}

/* ---- alloc ---- */

/* One that lies anywhere: better far than none. */
static void *from_elsewhere(unsigned class)
{
	void *p;

	for (uint32_t g = 0; g < POOL_GROUPS; g++) {
		struct depot *d = depot_if_any(class, g);

		if (d && depot_get_old(d, &p, 1))
			return p;
	}
	return NULL;
}

static void *refill(unsigned class)
{
	void *object[BATCH_MOST];
	bool nowhere, moved;
	uint32_t group = group_here(&nowhere);
	struct depot *d = depot_of(class, group);
	unsigned n = depot_get(d, object, nowhere ? 1 : class_batch(class));

	if (!n)
		return from_elsewhere(class);
	inject();
	/* a pthread that is not pinned may be on another group's CPU by now */
	moved = several() && group_here(&nowhere) != group;
	if (--n && (moved || list_put(LIST_OBJECT + class, link_up(object, n)) != SECTION_DONE))
		depot_put(d, object, n); /* or another has filled it meanwhile */
	return object[n];
}

void *cache_alloc_slow(size_t size)
{
	KEEPING_ERRNO;
	void *p = NULL;

	begin_once();
	if (!size)
		size = 1;
	if (size <= CLASS_MOST) {
		unsigned class = class_of_last(size - 1);

		if (list_pop(LIST_OBJECT + class, &p) != SECTION_DONE)
			p = refill(class);
	}
	/* also where the classes' addresses are used up */
	if (!p)
		p = large_alloc(16, size);
	if (p) {
		SANITIZER_TAKE(p);
		tools_begin(p, size);
	}
	errno = saved_errno;
	return p;
}

void *cache_aligned(size_t alignment, size_t size)
{
	size_t least = size > alignment ? size : alignment;
	void *p;

	if (alignment <= 16)
		return cache_alloc(size);
	if (least <= CLASS_MOST) {
		unsigned class = class_of_last(least - 1);

		/* objects of a class lie at its multiples, from a chunk's start on */
		while (class_size(class) % alignment)
			class ++;
		p = cache_alloc(class_size(class));
		if (!p || (uintptr_t)p % alignment == 0)
			return p;
		cache_free(p); /* a large one in its place */
	}
	KEEPING_ERRNO;
	p = large_alloc(alignment, size ? size : 1);
	if (p)
		tools_begin(p, size);
	errno = saved_errno;
	return p;
}

/* ---- free ---- */

/* The newer half of a list that is full stays, with p; the older goes to its depot. */
static void flush(unsigned class, void *p)
{
	unsigned list = LIST_OBJECT + class, batch = class_batch(class), n = 0;
	struct section_node *rest = list_take(list);
	void *object[BATCH_MOST + 1];

	if (rest) {
		/* the chain is newest first, a list is linked from its end */
		n = unlink_some(&rest, object, batch - 1);
		for (unsigned i = 0; i < n / 2; i++) {
			void *o = object[i];

			object[i] = object[n - 1 - i];
			object[n - 1 - i] = o;
		}
		inject();
	}
	object[n++] = p;
	if (!percpu_here() || no_lists() || list_put(list, link_up(object, n)) != SECTION_DONE)
		give(class, object, n);
	give_chain(list, rest);
}

static void free_far(void *p)
{
	if (list_push(LIST_FAR_OBJECT, p, LIST_MOST) == SECTION_DONE)
		return;
	give_chain(LIST_FAR_OBJECT, list_take(LIST_FAR_OBJECT));
	if (list_push(LIST_FAR_OBJECT, p, LIST_MOST) != SECTION_DONE)
		give_home(&p, 1);
}

static void free_small(void *p)
{
	unsigned class = (unsigned)range_class(p);
	bool nowhere;

	if (several() && range_chunk(p)->group != group_here(&nowhere) && !nowhere)
		free_far(p);
	else if (list_push(LIST_OBJECT + class, p, class_capacity(class)) != SECTION_DONE)
		flush(class, p);
}

void cache_free_slow(void *p)
{
	KEEPING_ERRNO;

	if (!p)
		return;
	tools_end(p);
	if (range_has(p))
		free_small(p);
	else
		large_free(p, "perch_free");
	errno = saved_errno;
}

size_t cache_room(const void *p, const char *call)
{
	return range_has(p) ? class_size(range_class(p)) : large_room(p, call);
}

/* ---- processors come and go ---- */

void cache_start(void)
{
	begin_once();
	__atomic_store_n(&alloc_range.near, group_several ? 0 : alloc_range.size, __ATOMIC_RELAXED);
}

void cache_close(int cpu)
{
	struct percpu *a = percpu_of(cpu);

	pthread_mutex_lock(&admin);
	for (unsigned i = LIST_OBJECT; i < PERCPU_LISTS; i++) {
		struct section_node *chain = a->list[i];

		a->list[i] = NULL;
		give_chain(i, chain);
	}
	pthread_mutex_unlock(&admin);
}

void cache_empty(void)
{
	struct section_node *list[PERCPU_LISTS - LIST_OBJECT];

	pthread_mutex_lock(&admin);
	for (int cpu = 0; percpu_base && cpu < percpu_count; cpu++) {
		if (!__atomic_load_n(&percpu_of(cpu)->flags, __ATOMIC_RELAXED))
			continue; /* cache_close() has been here, or nobody ever */
		if (!percpu_take_lists(percpu_of(cpu), LIST_OBJECT, PERCPU_LISTS - LIST_OBJECT, list))
			continue;
		inject();
		for (unsigned i = LIST_OBJECT; i < PERCPU_LISTS; i++)
			give_chain(i, list[i - LIST_OBJECT]);
	}
	pthread_mutex_unlock(&admin);
}

uint64_t cache_sent_home(void)
{
	return __atomic_load_n(&sent_home, __ATOMIC_RELAXED);
}
