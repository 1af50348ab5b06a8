/* SPDX-License-Identifier: MIT */
#include "core/alloc/large.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/alloc/die.h"
#include "core/alloc/tools.h"
#include "rseq/inject.h"

#define MAGIC UINT64_C(0x70657263686c6172)

struct large {
	struct large *next, **link;
	char *map;
	size_t map_size;
	uint64_t magic; /* MAGIC, and where it is */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct large) == 64, "what an object's mapping has in front");

static struct {
	pthread_mutex_t lock;
	struct large *all;
	uint64_t objects, bytes;
} list = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct large *header(const void *p)
{
	return (struct large *)p - 1;
}

static void link_in(struct large *l)
{
	pthread_mutex_lock(&list.lock);
	inject();
	l->magic = MAGIC ^ (uintptr_t)l;
	l->next = list.all;
	l->link = &list.all;
	if (l->next)
		l->next->link = &l->next;
	list.all = l;
	list.objects++;
	list.bytes += l->map_size;
	pthread_mutex_unlock(&list.lock);
	tools_region(l->map, l->map_size);
}

static void link_out(struct large *l)
{
	tools_region_ends(l->map, l->map_size);
	pthread_mutex_lock(&list.lock);
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	l->magic = 0;
	list.objects--;
	list.bytes -= l->map_size;
	pthread_mutex_unlock(&list.lock);
}

static size_t pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) & -page;
}

void *large_alloc(size_t alignment, size_t size)
{
	size_t most = PTRDIFF_MAX / 2, extra = sizeof(struct large) + (alignment > 64 ? alignment : 0);
	char *map, *p;
	struct large *l;

	if (size > most || alignment > most)
		return NULL;
	size = pages(size + extra);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	p = map + sizeof(struct large);
	if (alignment > 64)
		p = (char *)(((uintptr_t)p + alignment - 1) & -alignment);
	l = header(p);
	l->map = map;
	l->map_size = size;
	link_in(l);
	return p;
}

static struct large *checked(const void *p, const char *call)
{
	struct large *l = header(p);

	if ((uintptr_t)p % 64 || l->magic != (MAGIC ^ (uintptr_t)l))
		die("%s: %p is no object of perch_alloc", call, p);
	return l;
}

void large_free(void *p, const char *call)
{
	struct large *l = checked(p, call);

	link_out(l);
	munmap(l->map, l->map_size);
}

size_t large_room(const void *p, const char *call)
{
	struct large *l = checked(p, call);

	return (size_t)(l->map + l->map_size - (const char *)p);
}

void *large_resize(void *p, size_t size, const char *call)
{
	struct large *l = checked(p, call);
	size_t offset = (size_t)((char *)p - l->map);
	char *map;

	if (size > PTRDIFF_MAX / 2)
		return NULL;
	size = pages(size + offset);
	if (size == l->map_size)
		return p;
	link_out(l);
	map = mremap(l->map, l->map_size, size, MREMAP_MAYMOVE);
	if (map == MAP_FAILED) {
		link_in(l);
		return NULL;
	}
	l = header(map + offset);
	l->map = map;
	l->map_size = size;
	link_in(l);
	return l + 1;
}

bool large_has(const void *p)
{
	const struct large *l;

	pthread_mutex_lock(&list.lock);
	for (l = list.all; l && l + 1 != p; l = l->next)
		;
	pthread_mutex_unlock(&list.lock);
	return l;
}

void large_count(uint64_t *objects, uint64_t *bytes)
{
	pthread_mutex_lock(&list.lock);
	*objects = list.objects;
	*bytes = list.bytes;
	pthread_mutex_unlock(&list.lock);
}

void large_lock(void)
{
	pthread_mutex_lock(&list.lock);
}

void large_unlock(void)
{
	pthread_mutex_unlock(&list.lock);
}
