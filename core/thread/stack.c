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
#include "core/thread/lists.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

/* A slab is this large, or one stack; smaller when addresses are short. */
#define SLAB ((size_t)64 << 20)
/* How many stacks move between a CPU and the depot at once, and are made at once. */
#define BATCH 32
/* What a trimmed stack keeps: its hot end. */
#define KEEP ((size_t)16 << 10)
/* Mappings that mprotect's guards leave for everybody else in the process. */
#define MAPS_SPARE 4096

/* The unfinished slab of a class; whole slabs are listed for stack_stop(). */
struct slab {
	char *base;
	size_t size;
	struct slab *next;
};

static struct {
	pthread_mutex_t lock;
	struct pool pool[STACK_CLASSES];
	char *cut[STACK_CLASSES];   /* next stack of the unfinished slab */
	size_t left[STACK_CLASSES]; /* bytes behind it */
	struct slab *slabs;
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
static bool slab_new(unsigned class)
{
	size_t size = stack_class_size(class);
	size_t want = size > SLAB ? size : SLAB;
	struct slab *s = malloc(sizeof(*s));

	for (; s && want >= size; want /= 2) {
		void *p = mmap(NULL, want, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

		if (p == MAP_FAILED)
			continue;
		/* else the first touch of a stack takes 2 MiB */
		madvise(p, want, MADV_NOHUGEPAGE);
		*s = (struct slab){p, want, all.slabs};
		all.slabs = s;
		all.cut[class] = p;
		all.left[class] = want;
		all.bytes += want;
		return true;
	}
	free(s);
	say_once("no addresses for another stack (RLIMIT_AS, or memory limits)");
	return false;
}

/* all.lock is held */
static struct stack *stack_cut(unsigned class)
{
	size_t size = stack_class_size(class);
	char *base;
	struct stack *s;

	if (all.left[class] < size && !slab_new(class))
		return NULL;
	base = all.cut[class];
	if (guard(base))
		return NULL;
	all.cut[class] += size;
	all.left[class] -= size;
	all.stacks++;
	s = (struct stack *)(base + size - sizeof(*s));
	s->base = base;
	s->size = size;
	s->thread = NULL;
	s->locals = NULL;
	s->pins = s->pins_below = 0;
	s->class = class;
	return s;
}

static struct pool_node *stack_make(struct pool *pool, uint32_t group)
{
	unsigned class = pool->list - LIST_STACK;
	unsigned batch = stack_class_size(class) * BATCH <= SLAB ? BATCH : 1;
	struct pool_node *chain = NULL;

	pthread_mutex_lock(&all.lock);
	for (unsigned i = 0; i < batch; i++) {
		struct stack *s = stack_cut(class);

		if (!s)
			break;
		s->node = (uint16_t)group;
		s->free.node.next = chain ? &chain->node : NULL;
		s->free.node.depth = i + 1;
		chain = &s->free;
	}
	pthread_mutex_unlock(&all.lock);
	return chain;
}

/* Give back what lies below the hot end; the guard stays. */
static void stack_cool(struct pool *pool, struct pool_node *object)
{
	struct stack *s = (struct stack *)object;

	(void)pool;
	if (s->size > KEEP + all.page)
		madvise(s->base + all.page, s->size - all.page - KEEP, MADV_DONTNEED);
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
		all.left[c] = 0;
		pool_start(&all.pool[c], LIST_STACK + c, BATCH, stack_make, stack_cool);
	}
	return 0;
}

void stack_stop(void)
{
	while (all.slabs) {
		struct slab *s = all.slabs;

		all.slabs = s->next;
		fibre_forget(s->base, s->size);
		munmap(s->base, s->size);
		free(s);
	}
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

void stack_put(struct stack *s)
{
	s->thread = NULL;
	/* when there are no more to be had, one CPU's list must not keep them from others */
	if (__builtin_expect(stack_scarce(), 0))
		pool_share(&all.pool[s->class], s);
	else
		pool_put(&all.pool[s->class], s);
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
