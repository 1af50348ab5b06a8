/* SPDX-License-Identifier: MIT */
/*
 * depot.h - a depot for each class and group of CPUs: free objects, by batches, between the
 * CPUs, under a lock. What is free lies in magazines, arrays of pointers, so that no object's memory
 * is touched as it passes through; and what was never handed out is cut from the newest chunk.
 *
 *	        get   put   cool   tick   lock
 *	get      L     L     L      L      L     (L: the depot's lock; cool keeps it for one
 *	put      L     L     L      L      L      magazine's calls of madvise())
 *	cool     L     L     X      X      L     (X: one pthread at a time, alloc.c's lock)
 *	tick     L     L     X      X      L
 *
 * An object is always given to the depot of its own class and group, whose lock so also keeps
 * the counts of parked objects in its chunks' notes.
 *
 * Memory goes back as that of stacks does (rseq/pool.h): a depot knows what came since the last
 * tick and what lay there before it. What has lain there from one tick to the next is parked:
 * it counts in its pages' notes, and a page in which all objects are parked is given
 * back to the kernel. What is parked is handed out last, and counts no more then. A page that holds a
 * single object in use stays.
 */
#ifndef PERCH_ALLOC_DEPOT_H
#define PERCH_ALLOC_DEPOT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/alloc/range.h"
#include "rseq/pool.h"

struct magazine {
	struct magazine *next;
	uint64_t count;
	void *object[]; /* class_batch() */
};

struct depot {
	pthread_mutex_t *lock;
	struct magazine *recent; /* put here since the last tick; only the first may be not full */
	struct magazine *old;    /* before it */
	struct magazine *cold;   /* parked */
	struct magazine *empty;
	void *loose;               /* linked through their first words, as there was no memory for a magazine */
	char *next, *end;          /* never handed out, of one chunk */
	char *room, *room_end;     /* chunks that were not begun */
	size_t had;                /* from the range so far */
	uint64_t free;             /* objects that lie here */
	uint64_t refills, flushes; /* gets, and puts */
	uint64_t returned;         /* bytes given back to the kernel so far */
	unsigned class, group;
} __attribute__((aligned(64)));

/* That of a class and group; made when it is first asked for. */
struct depot *depot_of(unsigned class, uint32_t group);
/* The same if there is one, or NULL. */
struct depot *depot_if_any(unsigned class, uint32_t group);

/* Take up to `want` objects, the last to be used first; how many there were: 0 when there is no memory. */
unsigned depot_get(struct depot *d, void **out, unsigned want);
/* The same of what lies there already. */
unsigned depot_get_old(struct depot *d, void **out, unsigned want);
/* Give objects of that class and group; never fails. */
void depot_put(struct depot *d, void *const *object, unsigned count);

/* Called when some depot has become warm: whoever gives memory back may sleep. Or NULL. */
extern void (*depot_tell)(void);

/* Park what is old, `budget` magazines at most, less what was done; false: that did not do. */
bool depot_cool(struct depot *d, unsigned *budget);
/* A tick, behind depot_cool() that said true. True: there is something to park at the next. */
bool depot_tick(struct depot *d);
/* Whether there is anything for a tick; a look. */
bool depot_is_warm(const struct depot *d);

/* All locks of depots, around a fork(). */
void depots_lock(void);
void depots_unlock(void);

#endif
