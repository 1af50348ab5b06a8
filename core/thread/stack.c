/* SPDX-License-Identifier: MIT */
#include "core/thread/stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/thread/fibre.h"
#include "core/thread/group.h"
#include "core/thread/lists.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

/* A slab is this large, or one stack; smaller when addresses are short. */
#define SLAB ((size_t)64 << 20)
/* How many stacks move between a CPU and the depot at once, and are made at once. */
#define BATCH 32
/* So many chains are trimmed before whoever does it looks at its other work: 2,048 calls. */
#define TRIM_MOST 64
/* Mappings that mprotect's guards leave for everybody else in the process. */
#define MAPS_SPARE 4096

static struct {
	pthread_mutex_t lock;
	struct pool pool[STACK_CLASSES];
	struct pool_far far;
	struct group_slab *open[STACK_CLASSES][POOL_GROUPS]; /* unfinished ones; group 0 only if all memory is alike */
	struct group_slab *slabs;
	size_t page;
	bool mprotect;
	bool told;
	long maps_left; /* that mprotect may still use up */
	uint64_t stacks, bytes;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool stack_is_scarce;

static void say_once(const char *what)
{
	if (!all.told)
		fprintf(stderr, "perch: %s; threads that need a new stack fail with -ENOMEM until others end\n", what);
	all.told = true;
	__atomic_store_n(&stack_is_scarce, true, __ATOMIC_RELAXED);
}

/* 0, or an error with nothing changed */
static int guard(char *base)
{
	if (!all.mprotect)
		return madvise(base, all.page, MADV_GUARD_INSTALL);
	/* a guard cuts its mapping in two, and itself is one more */
	if (all.maps_left < 2 || mprotect(base, all.page, PROT_NONE)) {
		say_once("vm.max_map_count leaves no mapping for another stack's guard");
		return -1;
	}
	all.maps_left -= 2;
	return 0;
}

/* all.lock is held */
static struct group_slab *slab_new(unsigned class, uint32_t group)
{
	size_t size = stack_class_size(class);
	size_t want = size > SLAB ? size : SLAB;
	struct group_slab *s = malloc(sizeof(*s));

	for (; s && want >= size; want /= 2) {
		void *p = mmap(NULL, want, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

		if (p == MAP_FAILED)
			continue;
		/* else the first touch of a stack takes 2 MiB */
		madvise(p, want, MADV_NOHUGEPAGE);
		*s = (struct group_slab){p, want, 0, group, all.slabs};
		if (group_binds()) {
			group_bind(p, want, group); /* in one piece, before guards cut it up */
			all.maps_left--;
		}
		all.slabs = s;
		all.open[class][group] = s;
		all.bytes += want;
		return s;
	}
	free(s);
	say_once("no addresses for another stack (RLIMIT_AS, or memory limits)");
	return NULL;
}

/* all.lock is held */
static struct stack *stack_cut(unsigned class, uint32_t group)
{
	size_t size = stack_class_size(class);
	struct group_slab *slab = all.open[class][group];
	char *base;
	struct stack *s;

	if ((!slab || slab->size - slab->used < size) && !(slab = slab_new(class, group)))
		return NULL;
	base = slab->base + slab->used;
	if (guard(base))
		return NULL;
	slab->used += size;
	all.stacks++;
	s = (struct stack *)(base + size - sizeof(*s));
	s->base = base;
	s->size = size;
	s->thread = NULL;
	s->locals = NULL;
	s->pins = s->pins_below = 0;
	s->class = class;
	s->home = group_several ? group + 1 : 0;
	s->at_once = group_several ? STACK_CLASSES : class;
	return s;
}

static struct pool_node *stack_make(struct pool *pool, uint32_t group)
{
	unsigned class = pool->list - LIST_STACK;
	unsigned batch = stack_class_size(class) * BATCH <= SLAB ? BATCH : 1;
	struct pool_node *chain = NULL;

	if (!group_several)
		group = 0;
	pthread_mutex_lock(&all.lock);
	for (unsigned i = 0; i < batch; i++) {
		struct stack *s = stack_cut(class, group);

		if (!s)
			break;
		s->free.node.next = chain ? &chain->node : NULL;
		s->free.node.depth = i + 1;
		chain = &s->free;
	}
	pthread_mutex_unlock(&all.lock);
	return chain;
}

/* Give back all but the page with the header; the guard stays. */
static void stack_cool(struct pool *pool, struct pool_node *object)
{
	struct stack *s = (struct stack *)object;

	(void)pool;
	madvise(s->base + all.page, s->size - 2 * all.page, MADV_DONTNEED);
}

static struct pool *stack_home(struct pool_node *object, uint32_t *group)
{
	struct stack *s = (struct stack *)object;

	*group = s->home - 1;
	return &all.pool[s->class];
}

static long max_map_count(void)
{
	long n = 65530; /* the kernel's default */
	FILE *f = fopen("/proc/sys/vm/max_map_count", "re");

	if (f) {
		if (fscanf(f, "%ld", &n) != 1)
			n = 65530;
		fclose(f);
	}
	return n;
}

static bool light_guards(void)
{
	void *p = mmap(NULL, all.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool yes;

	if (p == MAP_FAILED)
		return false;
	yes = madvise(p, all.page, MADV_GUARD_INSTALL) == 0;
	munmap(p, all.page);
	return yes;
}

int stack_start(enum perch_guard wanted)
{
	all.page = (size_t)sysconf(_SC_PAGESIZE);
	all.mprotect = wanted == PERCH_GUARD_MPROTECT || !light_guards();
	if (all.mprotect && wanted == PERCH_GUARD_MADVISE)
		return -ENOTSUP;
	all.maps_left = max_map_count() - MAPS_SPARE;
	all.told = stack_is_scarce = false;
	all.stacks = all.bytes = 0;
	for (unsigned c = 0; c < STACK_CLASSES; c++) {
		memset(all.open[c], 0, sizeof(all.open[c]));
		pool_start(&all.pool[c], LIST_STACK + c, BATCH, stack_make, stack_cool);
	}
	pool_far_start(&all.far, LIST_FAR_STACK, BATCH, stack_home);
	return 0;
}

void stack_stop(void)
{
	while (all.slabs) {
		struct group_slab *s = all.slabs;

		all.slabs = s->next;
		fibre_forget(s->base, s->size);
		munmap(s->base, s->size);
		free(s);
	}
}

bool stack_to_trim(void)
{
	bool warm = false;

	for (unsigned c = 0; c < STACK_CLASSES; c++)
		warm |= pool_is_warm(&all.pool[c]);
	return warm;
}

uint64_t stack_trim(void)
{
	unsigned budget = TRIM_MOST;
	bool more = false;

	for (unsigned c = 0; c < STACK_CLASSES; c++)
		if (!pool_cool(&all.pool[c], &budget))
			return 0;
	for (unsigned c = 0; c < STACK_CLASSES; c++)
		more |= pool_tick(&all.pool[c]);
	return more ? STACK_TICK_NS : UINT64_MAX;
}

unsigned stack_class_of(size_t bytes)
{
	unsigned class = 0;

	while (stack_class_size(class) < bytes)
		class ++;
	return class;
}

struct stack *stack_get(unsigned class)
{
	return pool_get(&all.pool[class]);
}

/* When there are no more to be had, one CPU's list must not keep them from others;
 * and those of another group go home. */
static __attribute__((noinline)) void put_apart(struct stack *s)
{
	struct pool *pool = &all.pool[s->class];

	if (stack_scarce() && s->home)
		pool_put_home(pool, s, s->home - 1);
	else if (stack_scarce())
		pool_share(pool, s);
	else if (pool_group_is_here(s->home - 1))
		pool_put(pool, s);
	else
		pool_put_far(&all.far, s);
}

void stack_put(struct stack *s)
{
	s->thread = NULL;
	if (__builtin_expect(stack_scarce() | s->home, 0))
		put_apart(s);
	else
		pool_put(&all.pool[s->class], s);
}

bool stack_fits_here(const struct stack *s, unsigned class)
{
	return class == s->class && (!s->home || pool_group_is_here(s->home - 1));
}

bool stack_in_guard(const struct stack *s, uintptr_t address)
{
	return address - (uintptr_t)s->base < all.page;
}

const char *stack_guard_name(void)
{
	return all.mprotect ? "mprotect" : "madvise";
}

void stack_count(uint64_t *stacks, uint64_t *bytes)
{
	pthread_mutex_lock(&all.lock);
	*stacks = all.stacks;
	*bytes = all.bytes;
	pthread_mutex_unlock(&all.lock);
}

size_t stack_slabs(struct group_slab *out, size_t most)
{
	size_t n;

	pthread_mutex_lock(&all.lock);
	n = group_copy(all.slabs, out, most);
	pthread_mutex_unlock(&all.lock);
	return n;
}
