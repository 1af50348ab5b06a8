/* SPDX-License-Identifier: MIT */
#include "core/alloc/depot.h"

#include <string.h>
#include <sys/mman.h>

#include "core/alloc/tools.h"
#include "rseq/inject.h"
#include "rseq/reserve.h"

/* Chunks are had as many at a time as the depot has had, up to this. */
#define TAKE_MOST ((size_t)16 << 20)
/* Magazines are cut from such pieces. */
#define PIECE ((size_t)64 << 10)

void (*depot_tell)(void);

static struct depot depots[POOL_GROUPS][CLASSES];
/* One for each; but the thread sanitizer knows of 64 that are held at a time (depots_lock). */
#define LOCKS (SANITIZER_THREAD ? 8 : CLASSES)
static struct {
	pthread_mutex_t lock;
} __attribute__((aligned(64))) locks[POOL_GROUPS][LOCKS];
static bool made[POOL_GROUPS];
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static struct {
	pthread_mutex_t lock;
	char *next, *end;
} pieces = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void make_group(uint32_t group)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	/* held for a copy of some pointers: whoever waits had better not sleep */
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_lock(&making);
	for (unsigned i = 0; i < LOCKS && !made[group]; i++)
		pthread_mutex_init(&locks[group][i].lock, &attr);
	for (unsigned c = 0; c < CLASSES && !made[group]; c++) {
		struct depot *d = &depots[group][c];

		d->lock = &locks[group][c % LOCKS].lock;
		d->class = c;
		d->group = group;
	}
	__atomic_store_n(&made[group], true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&making);
	pthread_mutexattr_destroy(&attr);
}

struct depot *depot_of(unsigned class, uint32_t group)
{
	if (!__atomic_load_n(&made[group], __ATOMIC_ACQUIRE))
		make_group(group);
	return &depots[group][class];
}

struct depot *depot_if_any(unsigned class, uint32_t group)
{
	return __atomic_load_n(&made[group], __ATOMIC_ACQUIRE) ? &depots[group][class] : NULL;
}

/* ---- magazines; the depot's lock is held ---- */

static struct magazine *magazine_new(const struct depot *d)
{
	size_t size = sizeof(struct magazine) + class_batch(d->class) * sizeof(void *);
	struct magazine *m = NULL;

	pthread_mutex_lock(&pieces.lock);
	if ((size_t)(pieces.end - pieces.next) < size) {
		char *p = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p != MAP_FAILED) {
			pieces.next = p;
			pieces.end = p + PIECE;
		}
	}
	if ((size_t)(pieces.end - pieces.next) >= size) {
		m = (struct magazine *)pieces.next;
		pieces.next += size;
	}
	pthread_mutex_unlock(&pieces.lock);
	return m;
}

static struct magazine *pop(struct magazine **list)
{
	struct magazine *m = *list;

	if (m)
		__atomic_store_n(list, m->next, __ATOMIC_RELAXED);
	return m;
}

static void push(struct magazine **list, struct magazine *m)
{
	m->next = *list;
	__atomic_store_n(list, m, __ATOMIC_RELAXED);
}

/* ---- pages in which all is parked; the depot's lock is held ---- */

struct run {
	uintptr_t start, end; /* of pages to give back, or empty */
};

static void run_end(struct depot *d, struct run *run)
{
	if (run->end != run->start && reserve_drop((void *)run->start, run->end - run->start))
		d->returned += run->end - run->start;
	run->start = run->end = 0;
}

static void run_add(struct depot *d, struct run *run, uintptr_t page)
{
	uintptr_t size = (uintptr_t)1 << alloc_range.page_shift;

	if (page == run->end) {
		run->end += size;
	} else if (page + size == run->start) {
		run->start = page;
	} else {
		run_end(d, run);
		run->start = page;
		run->end = page + size;
	}
}

/* How many objects of the class lie in this page of a chunk, at least in part. */
static unsigned objects_in(size_t size, size_t page)
{
	size_t per_chunk = CHUNK / size, first = (page << alloc_range.page_shift) / size;
	size_t last = (((page + 1) << alloc_range.page_shift) - 1) / size;

	if (last >= per_chunk)
		last = per_chunk - 1;
	return (unsigned)(last - first + 1);
}

static void park(struct depot *d, const void *object, int by, struct run *run)
{
	struct chunk *chunk = range_chunk(object);
	size_t size = class_size(d->class);
	uintptr_t start = ((uintptr_t)object - alloc_range.base) % CHUNK;
	uintptr_t chunk_start = (uintptr_t)object - start;
	size_t first = start >> alloc_range.page_shift, last = (start + size - 1) >> alloc_range.page_shift;

	for (size_t page = first; page <= last; page++) {
		chunk->parked[page] = (uint16_t)(chunk->parked[page] + by);
		if (run && chunk->parked[page] == objects_in(size, page))
			run_add(d, run, chunk_start + (page << alloc_range.page_shift));
	}
}

/* ---- out ---- */

static unsigned take_from(struct depot *d, struct magazine **list, void **out, unsigned want)
{
	unsigned n = 0;

	while (*list && n < want) {
		struct magazine *m = *list;
		unsigned k = m->count < want - n ? (unsigned)m->count : want - n;

		m->count -= k;
		memcpy(out + n, m->object + m->count, k * sizeof(*out));
		n += k;
		if (!m->count)
			push(&d->empty, pop(list));
	}
	return n;
}

static unsigned take_loose(struct depot *d, void **out, unsigned want)
{
	unsigned n = 0;

	while (d->loose && n < want) {
		out[n++] = d->loose;
		TOOLS_UNPOISON(d->loose, sizeof(void *));
		d->loose = *(void **)d->loose;
		TOOLS_POISON(out[n - 1], sizeof(void *));
	}
	return n;
}

static unsigned take(struct depot *d, void **out, unsigned want)
{
	unsigned n = take_from(d, &d->recent, out, want), cold;

	n += take_from(d, &d->old, out + n, want - n);
	n += take_loose(d, out + n, want - n);
	cold = take_from(d, &d->cold, out + n, want - n);
	for (unsigned i = 0; i < cold; i++)
		park(d, out[n + i], -1, NULL);
	n += cold;
	__atomic_store_n(&d->free, d->free - n, __ATOMIC_RELAXED);
	return n;
}

static bool next_chunk(struct depot *d)
{
	size_t size = class_size(d->class);

	if (d->room == d->room_end) {
		size_t bytes = d->had < CHUNK ? CHUNK : d->had < TAKE_MOST ? d->had : TAKE_MOST;
		char *p = range_take(d->class, d->group, &bytes);

		if (!p)
			return false;
		d->room = p;
		d->room_end = p + bytes;
		d->had += bytes;
	}
	d->next = d->room;
	d->end = d->next + CHUNK / size * size;
	d->room += CHUNK;
	return true;
}

/* What was never handed out. */
static unsigned cut(struct depot *d, void **out, unsigned want)
{
	size_t size = class_size(d->class), n;

	if (d->next == d->end && !next_chunk(d))
		return 0;
	n = (size_t)(d->end - d->next) / size;
	if (n > want)
		n = want;
	/* whoever gets them writes into each: one page at a time, or one object */
	if (n * size > PAGE_LEAST)
		n = size < PAGE_LEAST ? PAGE_LEAST / size : 1;
	for (size_t i = n; i-- > 0; d->next += size)
		out[i] = d->next;
	return (unsigned)n;
}

unsigned depot_get(struct depot *d, void **out, unsigned want)
{
	unsigned n;

	pthread_mutex_lock(d->lock);
	inject();
	n = take(d, out, want);
	if (!n)
		n = cut(d, out, want);
	d->refills++;
	pthread_mutex_unlock(d->lock);
	return n;
}

unsigned depot_get_old(struct depot *d, void **out, unsigned want)
{
	unsigned n;

	pthread_mutex_lock(d->lock);
	n = take(d, out, want);
	pthread_mutex_unlock(d->lock);
	return n;
}

/* ---- in ---- */

/* One that has room, on top of what is recent; NULL: no memory. */
static struct magazine *with_room(struct depot *d)
{
	struct magazine *m = d->recent;

	if (m && m->count < class_batch(d->class))
		return m;
	m = pop(&d->empty);
	if (!m)
		m = magazine_new(d);
	if (m) {
		m->count = 0;
		push(&d->recent, m);
	}
	return m;
}

static void put_loose(struct depot *d, void *object)
{
	TOOLS_UNPOISON(object, sizeof(void *));
	*(void **)object = d->loose;
	TOOLS_POISON(object, sizeof(void *));
	d->loose = object;
}

void depot_put(struct depot *d, void *const *object, unsigned count)
{
	unsigned batch = class_batch(d->class), n = 0;
	void (*tell)(void) = __atomic_load_n(&depot_tell, __ATOMIC_RELAXED);
	bool warm;

	pthread_mutex_lock(d->lock);
	inject();
	warm = depot_is_warm(d);
	while (n < count) {
		struct magazine *m = with_room(d);
		unsigned k = count - n;

		if (!m) {
			put_loose(d, object[n++]);
			continue;
		}
		if (k > batch - m->count)
			k = batch - (unsigned)m->count;
		memcpy(m->object + m->count, object + n, k * sizeof(*object));
		m->count += k;
		n += k;
	}
	d->flushes++;
	__atomic_store_n(&d->free, d->free + count, __ATOMIC_RELAXED);
	pthread_mutex_unlock(d->lock);
	if (!warm && tell)
		tell();
}

/* ---- what lies there for long ---- */

bool depot_is_warm(const struct depot *d)
{
	return __atomic_load_n(&d->recent, __ATOMIC_RELAXED) || __atomic_load_n(&d->old, __ATOMIC_RELAXED);
}

/* The lock is held throughout: of a page that is given back some objects may have been parked
 * long ago, and could be had again meanwhile. */
static bool cool_one(struct depot *d)
{
	struct run run = {0, 0};
	struct magazine *m;

	pthread_mutex_lock(d->lock);
	inject();
	m = pop(&d->old);
	for (uint64_t i = 0; m && i < m->count; i++)
		park(d, m->object[i], 1, &run);
	run_end(d, &run);
	if (m)
		push(&d->cold, m);
	pthread_mutex_unlock(d->lock);
	return m;
}

bool depot_cool(struct depot *d, unsigned *budget)
{
	while (__atomic_load_n(&d->old, __ATOMIC_RELAXED)) {
		if (!*budget)
			return false;
		--*budget;
		if (!cool_one(d))
			break;
	}
	return true;
}

bool depot_tick(struct depot *d)
{
	bool more;

	if (!depot_is_warm(d))
		return false;
	pthread_mutex_lock(d->lock);
	if (!d->old) {
		__atomic_store_n(&d->old, d->recent, __ATOMIC_RELAXED);
		__atomic_store_n(&d->recent, NULL, __ATOMIC_RELAXED);
	}
	more = d->old;
	pthread_mutex_unlock(d->lock);
	return more;
}

/* ---- fork() ---- */

void depots_lock(void)
{
	pthread_mutex_lock(&making);
	for (unsigned g = 0; g < POOL_GROUPS; g++)
		for (unsigned i = 0; made[g] && i < LOCKS; i++)
			pthread_mutex_lock(&locks[g][i].lock);
	range_lock();
	pthread_mutex_lock(&pieces.lock);
}

void depots_unlock(void)
{
	pthread_mutex_unlock(&pieces.lock);
	range_unlock();
	for (unsigned g = 0; g < POOL_GROUPS; g++)
		for (unsigned i = 0; made[g] && i < LOCKS; i++)
			pthread_mutex_unlock(&locks[g][i].lock);
	pthread_mutex_unlock(&making);
}
