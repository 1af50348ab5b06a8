/* SPDX-License-Identifier: MIT */
#include "core/alloc/checked.h"

#include <pthread.h>
#include <string.h>

#include "core/alloc/cache.h"
#include "core/alloc/die.h"
#include "core/alloc/large.h"
#include "core/alloc/tools.h"

#if ALLOC_CHECKED

#define LIVE UINT64_C(0x70657263684c4956)
#define FREED UINT64_C(0x7065726368465245)
#define BEHIND 0xfb
#define AFTER 0xdb
#define FRESH 0xa5

/* At the very end of an object's memory. */
struct mark {
	uint64_t size;
	uint64_t state;
};

/* Kept: so many objects at most, and so many bytes. */
#define KEPT_MOST 4096
#define KEPT_BYTES ((size_t)4 << 20)

static struct {
	pthread_mutex_t lock;
	unsigned char *object[KEPT_MOST];
	unsigned first, count;
	size_t bytes;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What is poisoned is looked at here. */
#define UNSEEN __attribute__((__no_sanitize_address__))

static UNSEEN bool is_all(const unsigned char *p, size_t from, size_t to, unsigned char byte)
{
	for (size_t i = from; i < to; i++)
		if (((const volatile unsigned char *)p)[i] != byte)
			return false;
	return true;
}

static struct mark *mark_of(const void *p, size_t room)
{
	return (struct mark *)((char *)p + room) - 1;
}

static UNSEEN struct mark read_mark(const void *p, size_t room)
{
	const volatile struct mark *m = mark_of(p, room);

	return (struct mark){m->size, m->state};
}

/* The room of an object in use that was not written beyond its end; else the end. */
static size_t check(const void *p, struct mark *m, const char *call)
{
	size_t room;

	if (range_has(p) ? !range_is_object(p) : !large_has(p))
		die("%s: %p is no object of perch_alloc", call, p);
	room = cache_room(p, call);
	*m = read_mark(p, room);
	if (m->state == (FREED ^ (uintptr_t)p))
		die("%s: %p was given back before; it had %zu bytes", call, p, (size_t)m->size);
	if (m->state != (LIVE ^ (uintptr_t)p ^ m->size)) {
		if (m->state || m->size)
			die("%s: %p was written to beyond its end", call, p);
		die("%s: %p is no object of perch_alloc that is in use", call, p);
	}
	if (!is_all(p, m->size, room - sizeof(*m), BEHIND))
		die("%s: %p was written to beyond its end, it has %zu bytes", call, p, (size_t)m->size);
	return room;
}

static void *with_mark(size_t alignment, size_t size)
{
	size += sizeof(struct mark);
	return alignment > 16 ? cache_aligned(alignment, size) : cache_alloc(size);
}

void *checked_alloc(size_t alignment, size_t size, bool zeroed)
{
	size_t room;
	unsigned char *p;

	if (size > PTRDIFF_MAX)
		return NULL;
	p = with_mark(alignment, size);
	if (!p) {
		checked_let_go();
		p = with_mark(alignment, size);
	}
	if (!p)
		return NULL;
	room = cache_room(p, "perch_alloc");
	TOOLS_UNPOISON(p, room);
	/* a large one has just been mapped */
	if (range_has(p))
		memset(p, zeroed ? 0 : FRESH, size);
	memset(p + size, BEHIND, room - size - sizeof(struct mark));
	*mark_of(p, room) = (struct mark){size, LIVE ^ (uintptr_t)p ^ size};
	TOOLS_POISON(p + size, room - size);
	return p;
}

/* ---- the quarantine; its lock is held ---- */

static void let_go_of_one(void)
{
	unsigned char *p = kept.object[kept.first];
	size_t room = cache_room(p, "perch_free");

	kept.first = (kept.first + 1) % KEPT_MOST;
	kept.count--;
	kept.bytes -= room;
	if (!is_all(p, 0, room - sizeof(struct mark), AFTER) || read_mark(p, room).state != (FREED ^ (uintptr_t)p))
		die("perch_free: %p was written to after it had been given back", (void *)p);
	cache_free(p);
}

static void keep(unsigned char *p, size_t room)
{
	pthread_mutex_lock(&kept.lock);
	while (kept.count == KEPT_MOST || (kept.count && kept.bytes + room > KEPT_BYTES))
		let_go_of_one();
	kept.object[(kept.first + kept.count++) % KEPT_MOST] = p;
	kept.bytes += room;
	pthread_mutex_unlock(&kept.lock);
}

void checked_let_go(void)
{
	pthread_mutex_lock(&kept.lock);
	while (kept.count)
		let_go_of_one();
	pthread_mutex_unlock(&kept.lock);
}

void checked_lock(void)
{
	pthread_mutex_lock(&kept.lock);
}

void checked_unlock(void)
{
	pthread_mutex_unlock(&kept.lock);
}

/* ---- the other calls ---- */

void checked_free(void *p)
{
	struct mark m;
	size_t room;

	if (!p)
		return;
	room = check(p, &m, "perch_free");
	TOOLS_UNPOISON(p, room);
	if (!range_has(p)) {
		cache_free(p);
		return;
	}
	mark_of(p, room)->state = FREED ^ (uintptr_t)p;
	memset(p, AFTER, room - sizeof(m));
	TOOLS_POISON(p, room);
	keep(p, room);
}

size_t checked_size(const void *p)
{
	struct mark m;

	if (!p)
		return 0;
	check(p, &m, "perch_usable_size");
	return m.size;
}

/* Always elsewhere: who goes on with the old pointer is found. */
void *checked_realloc(void *p, size_t size)
{
	void *q = checked_alloc(16, size, false);
	struct mark m;

	if (!p || !q)
		return q;
	check(p, &m, "perch_realloc");
	memcpy(q, p, m.size < size ? m.size : size);
	checked_free(p);
	return q;
}

#endif
