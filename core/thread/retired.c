/* SPDX-License-Identifier: MIT */
#include "core/thread/retired.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/thread/group.h"
#include "core/thread/thread.h"
#include "rseq/inject.h"
#include "rseq/reserve.h"

#define PAGE ((size_t)4096)
#define IN_PAGE (PAGE / sizeof(struct thread))
/* As many pages as retired_get() takes at once, and retired_put() drops. */
#define GET_MOST 16
#define DROP_MOST 256
#define NONE UINT32_MAX

/* Of a page of descriptors. All zero: none has retired. */
struct page {
	uint64_t retired; /* one bit for each */
	uint32_t next;    /* on the list of its group */
	uint16_t floor;   /* the highest generation of those that have */
	bool dropped;
};

static struct {
	pthread_mutex_t lock;
	char *range;
	struct page *page; /* of the range; NULL: nothing retires */
	size_t pages;
	size_t open; /* bytes of `page` that may be touched; by who opens the range, under its lock */
	uint32_t list[POOL_GROUPS];
	/* to be dropped; by one pthread */
	uint32_t drop[DROP_MOST];
	unsigned drops;
	size_t returned;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

_Static_assert(IN_PAGE == 64, "a word of bits");

int retired_start(char *range, size_t bytes)
{
	void *p;

	all.range = range;
	all.pages = bytes / PAGE;
	all.drops = 0;
	for (int g = 0; g < POOL_GROUPS; g++)
		all.list[g] = NONE;
	if ((size_t)sysconf(_SC_PAGESIZE) != PAGE)
		return 0;
	p = reserve(all.pages * sizeof(struct page), PROT_NONE, 0);
	if (!p)
		return -ENOMEM;
	all.page = p;
	all.open = 0;
	return 0;
}

bool retired_open(size_t bytes)
{
	size_t to = (bytes / PAGE * sizeof(struct page) + PAGE - 1) / PAGE * PAGE;

	if (!all.page || to <= all.open)
		return true;
	if (mprotect((char *)all.page + all.open, to - all.open, PROT_READ | PROT_WRITE))
		return false;
	all.open = to;
	return true;
}

bool retired_possible(void)
{
	return all.page != NULL;
}

void retired_stop(void)
{
	if (all.page)
		munmap(all.page, all.pages * sizeof(struct page));
	all.page = NULL;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The lock is held: none of them is handed out meanwhile. */
static void drop_pages(void)
{
	qsort(all.drop, all.drops, sizeof(*all.drop), by_number);
	thread_names_lock();
	for (unsigned i = 0, k; i < all.drops; i = k) {
		for (k = i + 1; k < all.drops && all.drop[k] == all.drop[k - 1] + 1; k++)
			;
		reserve_drop(all.range + all.drop[i] * PAGE, (k - i) * PAGE);
	}
	thread_names_unlock();
	for (unsigned i = 0; i < all.drops; i++)
		all.page[all.drop[i]].dropped = true;
	all.returned += all.drops * PAGE;
	all.drops = 0;
}

/* The lock is held; whether there is one is looked at without it, too. */
static void set_list(uint32_t group, uint32_t page)
{
	__atomic_store_n(&all.list[group], page, __ATOMIC_RELAXED);
}

/* The lock is held. */
static void put_one(struct thread *t, uint32_t group)
{
	size_t at = (size_t)((char *)t - all.range), n = at / PAGE;
	struct page *p = &all.page[n];

	if (__atomic_load_n(&t->name, __ATOMIC_RELAXED))
		thread_free_name(t);
	if (!p->retired) {
		p->next = all.list[group];
		set_list(group, (uint32_t)n);
	}
	p->retired |= UINT64_C(1) << at % PAGE / sizeof(*t);
	if (t->generation > p->floor)
		p->floor = t->generation;
	if (p->retired == UINT64_MAX) {
		all.drop[all.drops++] = (uint32_t)n;
		if (all.drops == DROP_MOST)
			drop_pages();
	}
}

bool retired_put(struct pool *pool, struct pool_node *chains, uint32_t group)
{
	(void)pool;
	group = group_several ? group : 0;
	for (struct pool_node *c = chains, *next_chain; c; c = next_chain) {
		next_chain = c->chain;
		pthread_mutex_lock(&all.lock);
		for (struct section_node *n = &c->node, *next; n; n = next) {
			next = n->next; /* before its page is gone */
			put_one((struct thread *)n, group);
		}
		drop_pages();
		pthread_mutex_unlock(&all.lock);
		inject();
	}
	return true;
}

/* The lock is held: the first page of the list, in front of `chain`. */
static struct pool_node *get_page(uint32_t group, uint8_t home, struct pool_node *chain)
{
	uint32_t n = all.list[group];
	struct page *p = &all.page[n];
	struct thread *first = (struct thread *)(all.range + n * PAGE);

	for (unsigned i = IN_PAGE; i-- > 0;) {
		struct pool_node *node = (struct pool_node *)&first[i];

		if (!(p->retired >> i & 1))
			continue;
		if (p->dropped) {
			__atomic_store_n(&first[i].generation, p->floor, __ATOMIC_RELAXED);
			first[i].home = home;
		}
		node->node.next = chain ? &chain->node : NULL;
		node->node.depth = chain ? chain->node.depth + 1 : 1;
		chain = node;
	}
	set_list(group, p->next);
	*p = (struct page){.floor = p->floor};
	return chain;
}

struct pool_node *retired_get(uint32_t group, uint8_t home)
{
	struct pool_node *chain = NULL;

	group = group_several ? group : 0;
	if (!all.page || __atomic_load_n(&all.list[group], __ATOMIC_RELAXED) == NONE)
		return NULL;
	pthread_mutex_lock(&all.lock);
	for (unsigned i = 0; i < GET_MOST && all.list[group] != NONE; i++)
		chain = get_page(group, home, chain);
	pthread_mutex_unlock(&all.lock);
	return chain;
}

size_t retired_returned(void)
{
	return all.returned;
}
