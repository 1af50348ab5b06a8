/* SPDX-License-Identifier: MIT */
/* alloc.c - the public calls on objects. */
#include <errno.h>
#include <string.h>

#include <perch/alloc.h>

#include "core/alloc/cache.h"
#include "core/alloc/checked.h"
#include "core/alloc/large.h"
#include "core/alloc/tools.h"

#if ALLOC_CHECKED

void *perch_alloc(size_t size)
{
	return checked_alloc(16, size, false);
}

void perch_free(void *p)
{
	checked_free(p);
}

void *perch_zalloc(size_t size)
{
	return checked_alloc(16, size, true);
}

void *perch_aligned_alloc(size_t alignment, size_t size)
{
	return alignment && !(alignment & (alignment - 1)) ? checked_alloc(alignment, size, false) : NULL;
}

size_t perch_usable_size(const void *p)
{
	return checked_size(p);
}

void *perch_realloc(void *p, size_t size)
{
	return checked_realloc(p, size);
}

#else

/* An object shrinks where it is as long as more than half of it stays in use. */
static bool fits(size_t size, size_t room)
{
	return size <= room && (size > room / 2 || room <= 64);
}

void *perch_alloc(size_t size)
{
	return cache_alloc(size);
}

void perch_free(void *p)
{
	cache_free(p);
}

void *perch_zalloc(size_t size)
{
	void *p = cache_alloc(size);

	/* a large one has just been mapped */
	return p && size <= CLASS_MOST ? memset(p, 0, size) : p;
}

void *perch_aligned_alloc(size_t alignment, size_t size)
{
	if (!alignment || alignment & (alignment - 1))
		return NULL;
	return cache_aligned(alignment, size);
}

size_t perch_usable_size(const void *p)
{
	return p ? cache_room(p, "perch_usable_size") : 0;
}

static void *move(void *p, size_t room, size_t size)
{
	void *q = cache_alloc(size);

	if (!q)
		return NULL;
	tools_copy(q, p, room < size ? room : size);
	cache_free(p);
	return q;
}

void *perch_realloc(void *p, size_t size)
{
	size_t room;

	if (!p)
		return cache_alloc(size);
	room = cache_room(p, "perch_realloc");
	if (fits(size, room) && !tools_watching())
		return p;
	if (!range_has(p) && size > CLASS_MOST && !tools_watching()) {
		int saved = errno;

		p = large_resize(p, size, "perch_realloc");
		errno = saved;
		return p;
	}
	return move(p, room, size);
}

#endif

size_t alloc_trim(void)
{
#if ALLOC_CHECKED
	checked_let_go();
#endif
	return cache_trim_all();
}
