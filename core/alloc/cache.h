/* SPDX-License-Identifier: MIT */
/*
 * cache.h - objects of any size, from any pthread, whether the runtime runs or not.
 *
 *	perch_alloc: the list of this CPU and class (rseq/section.h)
 *	               | empty, full: half of it at a time
 *	             the depot of the class and group (depot.h), under its lock
 *	               | nothing there
 *	             a chunk of the class (range.h), cut from below
 *
 * Larger ones are mapped one by one (large.h). Where there is no processor, before the start and
 * after the stop, there are no lists, and each call goes to the depot.
 *
 *	         alloc  free  close  empty  trim  fork
 *	alloc      -     -      S      S     L     L     (-: sections on one CPU, the depot's lock
 *	free       -     -      S      S     L     L      between CPUs; S: closing waits for sections
 *	close      S     S      A      A     A     A      (percpu_deactivate), emptying freezes them
 *	empty      S     S      A      A     A     A      (percpu_take_lists); L: a depot's lock;
 *	trim       L     L      A      A     A     A      A: the lock `admin`)
 *	fork       L     L      A      A     A     A
 *
 * Order of the locks: admin, depots by group and class, the range's, the magazines'; that of large
 * objects is alone. None is held while threads are switched.
 *
 * Progress: a call that finds its list neither empty nor full waits for nobody. Else it waits for a
 * depot's lock, which is held while some pointers are copied, addresses are had from the kernel, or
 * one magazine's memory is given back to it.
 *
 * A list is linked through the objects: so the word that an alloc takes the object from is the one that
 * the free before has written it to, and a pair has one trip through memory in its chain of
 * dependences. Between CPUs objects move as arrays of pointers, so that who takes some does
 * not have to wait for the memory of one object to find the next.
 *
 * An object belongs to the group whose chunk it is cut from. Where several nodes have memory, what
 * is freed on a CPU of another group goes on a list for all of those, which is sorted into
 * the depots they belong to when it is full (as in rseq/pool.h, and for its reasons).
 */
#ifndef PERCH_ALLOC_CACHE_H
#define PERCH_ALLOC_CACHE_H

#include "core/alloc/depot.h"
#include "rseq/sanitizer.h"

/* What perch_stats tells of objects. */
struct cache_counts {
	uint64_t taken;       /* bytes of the range in use by some class */
	uint64_t free;        /* bytes of objects that lie in depots */
	uint64_t returned;    /* bytes given back to the kernel, so far */
	uint64_t large;       /* large objects */
	uint64_t large_bytes; /* mapped for them */
	uint64_t refills, flushes;
	uint64_t sent_home;
};
void cache_count(struct cache_counts *out);

void *cache_alloc_slow(size_t size);
void cache_free_slow(void *p);

/* size: any. Aligned to 16. NULL: no memory. */
static inline __attribute__((__always_inline__)) void *cache_alloc(size_t size)
{
	struct section_node *object;
	size_t last = size - 1;

	if (__builtin_expect(last < CLASS_MOST, 1) &&
	    __builtin_expect(section_list_pop_once(class_of_last(last), &object) == SECTION_DONE, 1)) {
		SANITIZER_TAKE(object);
		return object;
	}
	return cache_alloc_slow(size);
}

static inline __attribute__((__always_inline__)) void cache_free(void *p)
{
	SANITIZER_GIVE(p);
	if (__builtin_expect((uintptr_t)p - alloc_range.base < alloc_range.near, 1)) {
		size_t class = range_class(p);

		if (__builtin_expect(section_list_push_once(class, p, &alloc_range.capacity[class]) == SECTION_DONE, 1))
			return;
	}
	cache_free_slow(p);
}

/* alignment: a power of two. */
void *cache_aligned(size_t alignment, size_t size);
/* Bytes at p that belong to it; `call` as in large.h. */
size_t cache_room(const void *p, const char *call);

/* Processors will come: whose an object is matters, or not. */
void cache_start(void);
/* None is on this CPU any more, nor will be before this returns: what lay there goes to depots. */
void cache_close(int cpu);

/* As trim_step() and trim_wanted() (core/thread/trim.h). */
uint64_t cache_trim(void);
bool cache_to_trim(void);
/* Give back at once all that can be; how many bytes. */
size_t cache_trim_all(void);
/* The same, of what a checked build has kept back too (alloc.c). */
size_t alloc_trim(void);

/* The lock of close, empty, and of all that gives memory back. */
void cache_admin_lock(void);
bool cache_admin_try(void);
void cache_admin_unlock(void);
/* What lies on any CPU goes to depots, as far as nobody keeps it. */
void cache_empty(void);
uint64_t cache_sent_home(void);

#endif
