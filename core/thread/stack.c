/* SPDX-License-Identifier: MIT */
#include "core/thread/stack.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/thread/fibre.h"
#include "core/thread/group.h"
#include "rseq/inject.h"
#include "rseq/reserve.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef PIDFD_SELF_THREAD_GROUP
#define PIDFD_SELF_THREAD_GROUP (-10001) /* Linux 6.15; -EBADF before */
#endif

/* A slab is this large, or one stack; smaller when addresses are short. */
#define SLAB ((size_t)64 << 20)
/* How many stacks move between a CPU and the depot at once, and are made at once. */
#define BATCH 32
/* How many retire at once, and how many such stacks one record holds. */
#define RETIRE_MOST (POOL_RETIRE * BATCH)
#define RETIRED 62
/* Mappings that mprotect's guards leave for everybody else in the process. */
#define MAPS_SPARE 4096

/* Stacks of a class that have retired: their reservations, each with its guard. */
struct retired {
	struct retired *next;
	size_t n;
	char *base[RETIRED];
};

static struct {
	pthread_mutex_t lock;
	struct pool pool[STACK_CLASSES];
	struct retired *retired[STACK_CLASSES][POOL_GROUPS]; /* none is empty */
	struct pool_far far;
	struct group_slab *open[STACK_CLASSES][POOL_GROUPS]; /* unfinished ones; group 0 only if all memory is alike */
	struct group_slab *slabs;
	size_t page;
	int protection; /* executable too, in a program whose stacks are */
	bool mprotect;
	bool in_bulk; /* the kernel takes one call for many pages */
	bool told;
	long maps_left; /* that mprotect may still use up */
	uint64_t stacks, bytes;
	size_t returned; /* stack_returned() */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool stack_is_scarce;

static void say_once(const char *what)
{
	if (!all.told)
		fprintf(stderr, "perch: %s; threads that need a new stack fail with -ENOMEM until others end\n", what);
	all.told = true;
	__atomic_store_n(&stack_is_scarce, true, __ATOMIC_RELAXED);
}

/* The same advice for a page of each stack, `offset` bytes from its base, in one call for
 * many where the kernel has that (Linux 6.15). How many it was taken for, from the first on. */
static unsigned advise(char *const *base, unsigned n, size_t offset, int advice)
{
	struct iovec page[BATCH];
	unsigned done = 0;

	for (unsigned i = 0; i < n; i++)
		page[i] = (struct iovec){base[i] + offset, all.page};
	while (done < n && all.in_bulk) {
		ssize_t r = process_madvise(PIDFD_SELF_THREAD_GROUP, page + done, n - done, advice, 0);

		if (r < (ssize_t)all.page)
			break; /* the first of the rest is refused, or all are: one by one, to know */
		done += (unsigned)((size_t)r / all.page);
	}
	if (advice == MADV_POPULATE_WRITE) /* for speed only: who touches it will see */
		return n;
	while (done < n && !madvise(page[done].iov_base, all.page, advice))
		done++;
	return done;
}

/* How many of them, from the first on, have a guard now. */
static unsigned guard(char *const *base, unsigned n)
{
	unsigned done = 0;

	if (!all.mprotect)
		done = advise(base, n, 0, MADV_GUARD_INSTALL);
	if (done == n)
		return n;
	/* memory that was locked after the start takes no light guard; nor does any, where a filter
	 * has come */
	all.mprotect |= errno == EINVAL || errno == EPERM || errno == ENOSYS;
	if (!all.mprotect)
		return done;
	/* a guard cuts its mapping in two, and itself is one more */
	while (done < n && all.maps_left >= 2 && !mprotect(base[done], all.page, PROT_NONE)) {
		all.maps_left -= 2;
		done++;
	}
	if (done < n)
		say_once("vm.max_map_count leaves no mapping for another stack's guard");
	return done;
}

/* all.lock is held */
static struct group_slab *slab_new(unsigned class, uint32_t group)
{
	size_t size = stack_class_size(class);
	size_t want = size > SLAB ? size : SLAB;
	struct group_slab *s = malloc(sizeof(*s));

	for (; s && want >= size; want /= 2) {
		void *p = reserve(want, all.protection, MAP_STACK);

		if (!p)
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

/* all.lock is held. Addresses for up to n more, with guards; how many. */
static unsigned cut_new(char **base, unsigned n, unsigned class, uint32_t group)
{
	size_t size = stack_class_size(class);
	struct group_slab *slab = all.open[class][group];
	unsigned room;

	if (!n || ((!slab || slab->size - slab->used < size) && !(slab = slab_new(class, group))))
		return 0;
	room = (unsigned)((slab->size - slab->used) / size);
	n = n < room ? n : room;
	for (unsigned i = 0; i < n; i++)
		base[i] = slab->base + slab->used + i * size;
	n = guard(base, n);
	slab->used += n * size;
	all.stacks += n;
	return n;
}

/* all.lock is held. Those of one that has retired. */
static char *cut_retired(unsigned class, uint32_t group)
{
	struct retired **list = &all.retired[class][group], *r = *list;
	char *base;

	if (!r)
		return NULL;
	base = r->base[--r->n];
	if (!r->n) {
		*list = r->next;
		free(r);
	}
	return base;
}

static struct stack *stack_init(char *base, unsigned class, uint32_t group)
{
	size_t size = stack_class_size(class);
	struct stack *s = (struct stack *)(base + size - sizeof(*s));

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
	char *base[BATCH];
	unsigned n = 0;

	if (!group_several)
		group = 0;
	pthread_mutex_lock(&all.lock);
	while (n < batch && (base[n] = cut_retired(class, group)))
		n++;
	n += cut_new(base + n, batch - n, class, group);
	/* one from afar rather than none */
	for (uint32_t g = 0; !n && g < POOL_GROUPS; g++)
		if ((base[0] = cut_retired(class, g))) {
			group = g;
			n = 1;
		}
	pthread_mutex_unlock(&all.lock);
	/* the page of the header and of the first frames: a fault each, else */
	advise(base, n, stack_class_size(class) - all.page, MADV_POPULATE_WRITE);
	for (unsigned i = n; i-- > 0;) {
		struct stack *s = stack_init(base[i], class, group);

		s->free.node.next = chain ? &chain->node : NULL;
		s->free.node.depth = n - i;
		chain = &s->free;
	}
	return chain;
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (char *const *)a, y = (uintptr_t) * (char *const *)b;

	return x < y ? -1 : x > y;
}

/* Give back all of them but their guards, in as few calls as there are gaps between them. */
static void drop(char **base, unsigned n, size_t size)
{
	qsort(base, n, sizeof(*base), by_address);
	for (unsigned i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && base[k] == base[k - 1] + size; k++)
			;
		/* a guard within stays one, of either kind */
		reserve_return(base[i] + all.page, (k - i) * size - all.page);
	}
}

static bool stack_retire(struct pool *pool, struct pool_node *chains, uint32_t group)
{
	static char *base[RETIRE_MOST]; /* by one pthread at a time; a chain has BATCH at most */
	unsigned class = pool->list - LIST_STACK, n = 0;
	struct retired *record = NULL, *r;

	/* records first: they may be refused */
	for (struct pool_node *c = chains; c; c = c->chain)
		for (struct section_node *s = &c->node; s; s = s->next) {
			if (n % RETIRED == 0) {
				r = malloc(sizeof(*r));
				if (!r)
					goto refused;
				r->next = record;
				record = r;
			}
			base[n++] = ((struct stack *)s)->base;
		}
	inject();
	drop(base, n, stack_class_size(class));
	all.returned += n * all.page;
	pthread_mutex_lock(&all.lock);
	while ((r = record)) {
		struct retired **list;

		record = r->next;
		r->n = n % RETIRED ? n % RETIRED : RETIRED;
		n -= (unsigned)r->n;
		memcpy(r->base, base + n, r->n * sizeof(*base));
		list = &all.retired[class][group_several ? group : 0];
		r->next = *list;
		*list = r;
	}
	pthread_mutex_unlock(&all.lock);
	return true;
refused:
	while ((r = record)) {
		record = r->next;
		free(r);
	}
	return false;
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

/* Probed with a page. */
static bool in_bulk(void)
{
	char *p = mmap(NULL, all.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec page = {p, all.page};
	bool yes;

	if (p == MAP_FAILED)
		return false;
	yes = process_madvise(PIDFD_SELF_THREAD_GROUP, &page, 1, MADV_POPULATE_WRITE, 0) == (ssize_t)all.page;
	munmap(p, all.page);
	return yes;
}

/* The program, or a library of it, asks for them: nested functions whose address is taken
 * (GNU C, Fortran's internal procedures) put code there. */
static int wants_executable(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_STACK && info->dlpi_phdr[i].p_flags & PF_X)
			return 1;
	return 0;
}

int stack_start(enum perch_guard wanted)
{
	all.page = (size_t)sysconf(_SC_PAGESIZE);
	all.protection = PROT_READ | PROT_WRITE | (dl_iterate_phdr(wants_executable, NULL) ? PROT_EXEC : 0);
	all.in_bulk = in_bulk();
	all.mprotect = wanted == PERCH_GUARD_MPROTECT || !light_guards();
	if (all.mprotect && wanted == PERCH_GUARD_MADVISE)
		return -ENOTSUP;
	all.maps_left = max_map_count() - MAPS_SPARE;
	all.told = stack_is_scarce = false;
	all.stacks = all.bytes = 0;
	for (unsigned c = 0; c < STACK_CLASSES; c++) {
		memset(all.open[c], 0, sizeof(all.open[c]));
		pool_start(&all.pool[c], LIST_STACK + c, BATCH, stack_make, stack_retire);
	}
	pool_far_start(&all.far, LIST_FAR_STACK, BATCH, stack_home);
	return 0;
}

static void forget_retired(void)
{
	struct retired *r;

	for (unsigned c = 0; c < STACK_CLASSES; c++)
		for (unsigned g = 0; g < POOL_GROUPS; g++)
			while ((r = all.retired[c][g])) {
				all.retired[c][g] = r->next;
				free(r);
			}
}

void stack_stop(void)
{
	forget_retired();
	while (all.slabs) {
		struct group_slab *s = all.slabs;

		all.slabs = s->next;
		fibre_forget(s->base, s->size);
		munmap(s->base, s->size);
		free(s);
	}
}

struct pool *stack_pool(unsigned class)
{
	return &all.pool[class];
}

size_t stack_returned(void)
{
	return all.returned;
}

void stack_collect(struct section_node *list[LIST_POOLS], uint32_t group)
{
	for (unsigned c = 0; c < STACK_CLASSES; c++)
		pool_put_chain(&all.pool[c], list[LIST_STACK + c], group);
	pool_far_send(&all.far, list[LIST_FAR_STACK]);
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
