/* SPDX-License-Identifier: MIT */
/*
 * thread.h - the descriptor of a thread (G): 64 bytes, one cache line.
 *
 * Descriptors are cut from one reserved range of addresses, so that a handle
 * can be checked before it is followed, and are never unmapped while the
 * runtime runs; a generation in each tells an old handle from a new one. Those that
 * nobody has used for long give their memory back (retired.h). Where
 * several nodes have memory, the range is cut into slabs of one group each
 * (group.h), and a descriptor is given back to its group wherever it is freed.
 *
 * Nothing here knows who schedules a thread.
 */
#ifndef PERCH_THREAD_THREAD_H
#define PERCH_THREAD_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <perch/thread.h>

#include "core/thread/group.h"
#include "core/thread/lists.h"
#include "rseq/pool.h"

struct stack;

/* Why a thread sleeps; shown in dumps. */
enum park_reason {
	PARK_NONE = 0,
	PARK_JOIN,
	PARK_SYNC,
	PARK_WAITGROUP,
	PARK_MUTEX,
	PARK_COND,
	PARK_RDLOCK,
	PARK_WRLOCK,
	PARK_SEM,
	PARK_BARRIER,
	PARK_ONCE,
	PARK_EVENT,
	PARK_SEND,
	PARK_RECEIVE,
	PARK_SELECT,
	PARK_SLEEP,
	PARK_TIMER, /* for a callback's end */
	PARK_RESIZE,
	/* from here on `wait_for` is a descriptor's number */
	PARK_READ,
	PARK_WRITE,
	PARK_ACCEPT,
	PARK_CONNECT,
	PARK_FILE,
	PARK_POLL, /* of the first of several, perhaps */
	PARK_REASONS,
};

/* thread.park: see core/sched/park.h */
enum {
	PARK_EMPTY = 0,
	PARK_NOTIFIED,
	PARK_PARKED,
	PARK_FOR_GOOD, /* of a foreign pthread: parked, without a time-out; it wakes nobody meanwhile */
};

/* thread.joiner, beside 0 (nobody joins yet) and a waiting thread's address */
enum {
	JOIN_ENDED = 1,    /* has ended; nobody has joined it yet */
	JOIN_TAKEN = 2,    /* has ended, and its joiner is freeing it */
	JOIN_DETACHED = 3, /* frees itself */
	JOIN_HERE = 4,     /* runs on its joiner's stack */
	JOIN_LAST = 4,
};

enum {
	THREAD_CARRIER = 1 << 0,   /* runs a task for a thief; arg is the task */
	THREAD_FOREIGN = 1 << 1,   /* a pthread of the program's, in the role of a waiter */
	THREAD_NEVER_RAN = 1 << 2, /* there was no stack for it */
	THREAD_PLAIN = 1 << 3,     /* fn returns nothing (perch_go) */
	THREAD_INLINE = 1 << 4,    /* runs on its joiner's stack; arg says where it ends */
	THREAD_STARTED = 1 << 5,   /* has run: sp is where it left its stack */
	THREAD_PINNED = 1 << 6,    /* runs on one worker only */
	THREAD_LOCALS = 1 << 7,    /* has values of keys */
	THREAD_USED = 1 << 8,      /* is a thread: not set in descriptors that are free */
	THREAD_AT_END = 1 << 9,    /* stack.at_end is to be called */
	/* something is left to do when it has ended: locals_end() */
	THREAD_LEAVES = THREAD_PINNED | THREAD_LOCALS | THREAD_AT_END,
};

struct thread {
	union {                      /* the first three words are a pool_node while it is free */
		void *sp;            /* started, not running: where its stack was left */
		uintptr_t woken;     /* of a foreign pthread's stand-in: park.h */
		void *(*fn)(void *); /* not started */
	};
	void *arg; /* then the result */
	union {
		struct thread *next;  /* link of whatever queue it is in */
		const void *wait_for; /* while it has a reason: the object, for dumps */
	};
	struct stack *stack; /* NULL until it first runs */
	uintptr_t joiner;
	char *name; /* perch_alloc()ed, NULL: none; see thread_rename() */
	uint32_t park;
	uint16_t flags;
	uint16_t generation; /* of the handle; never 0 */
	uint32_t since;      /* while it waits: since when, ms of the runtime's age */
	uint8_t reason;      /* enum park_reason, until somebody wakes it */
	uint8_t stack_home;  /* the group whose memory its stack is, plus one, once it has started; 0: all is alike */
	uint8_t stack_class;
	uint8_t home; /* the group whose memory it is, plus one; 0: all is alike */
};

_Static_assert(PARK_REASONS <= UINT8_MAX, "thread.reason");
_Static_assert(sizeof(struct thread) == 64, "a thread that has not started costs one cache line");

/* Reserve addresses for descriptors. 0 or -ENOMEM. */
int thread_start(void);
void thread_stop(void);

/* Where they come from, and the range that they lie in; thread.c. */
extern struct pool thread_pool;
extern char *thread_range;
extern size_t thread_range_used;
extern bool thread_any_named; /* thread_stop() has names to free, perhaps */
/* Where several nodes have memory: the slabs of each group (group_copy). */
size_t thread_slabs(struct group_slab *out, size_t most);
/* Those on a CPU's lists (pool_collect), into the depots. */
void thread_collect(struct section_node *list[LIST_POOLS], uint32_t group);

#define THREAD_HANDLE_BITS                                                                                             \
	48 /* of a user address, on x86-64 and aarch64, as Linux maps without being asked for more                     \
	    */

/*
 * Free descriptors that a worker keeps for itself, so that threads which come and go one
 * after the other take no section. Only that worker touches them. It gives them back
 * before it sleeps, so that their memory can retire.
 */
struct thread_cache {
	struct pool_node *first;
	uint32_t count;
	uint8_t home; /* as thread.home is of those it keeps */
};

#define THREAD_CACHE_MOST 64u

/* All to where any worker finds them. */
void thread_cache_empty(struct thread_cache *c);

/* Every field but sp and arg gets its resting value. */
static inline struct thread *thread_made(struct thread *t)
{
	t->next = NULL;
	t->stack = NULL;
	t->joiner = 0;
	__atomic_store_n(&t->park, PARK_EMPTY, __ATOMIC_RELAXED);
	__atomic_store_n(&t->flags, THREAD_USED, __ATOMIC_RELAXED);
	t->reason = PARK_NONE;
	if (!t->generation)
		t->generation = 1;
	return t;
}

/* One that its worker keeps, or NULL. */
static inline struct thread *thread_new_kept(struct thread_cache *c)
{
	struct pool_node *node = c->first;

	if (__builtin_expect(!node, 0))
		return NULL;
	c->first = (struct pool_node *)node->node.next;
	c->count--;
	return thread_made((struct thread *)node);
}

/* A descriptor, from this worker's (NULL: no worker) or the pool; NULL when there is no memory. */
static inline struct thread *thread_new(struct thread_cache *c)
{
	struct thread *t = c ? thread_new_kept(c) : NULL;

	if (!t) {
		t = pool_get(&thread_pool);
		if (__builtin_expect(!t, 0))
			return NULL;
		thread_made(t);
	}
	return t;
}

/* By whoever has the thread; others may look at its flags meanwhile: a dump, and
 * an unpark() that comes late, even for a thread that had this descriptor before. */
static inline void thread_set_flag(struct thread *t, uint16_t flag)
{
	__atomic_store_n(&t->flags, (uint16_t)(t->flags | flag), __ATOMIC_RELAXED);
}

static inline void thread_clear_flag(struct thread *t, uint16_t flag)
{
	__atomic_store_n(&t->flags, (uint16_t)(t->flags & ~flag), __ATOMIC_RELAXED);
}

/*
 * Names. Strings are replaced, read and freed under one lock for all threads:
 *
 *	            rename  read  free
 *	rename         L      L     L     (L: that lock)
 *	read           L      -     L     nobody follows thread.name without it,
 *	free           L      L     -     but NULL may be seen without it
 *
 * A thread may end while it is being renamed: who renames checks the handle
 * under the lock before, and after, to take the string back. thread_new() does
 * not touch the name, so that one that came too late is not lost: the next
 * thread's end frees it.
 */
/* "" takes the name away. 0, -ESRCH (the handle is void), -ENOMEM. */
int thread_rename(perch_t handle, const char *name);
/* Of a thread that is not yet known to others. 0 or -ENOMEM. */
int thread_name_first(struct thread *t, const char *name);
/* Copy it, "" when there is none. For signal handlers: `must` is false, then
 * "" too when somebody has the lock. */
void thread_read_name(const struct thread *t, char name[PERCH_NAME_MAX + 1], bool must);
void thread_free_name(struct thread *t);
/* Nobody looks at or changes a name in between. */
void thread_names_lock(void);
void thread_names_unlock(void);

/* To this CPU's list; or home, when it is another group's. */
void thread_put(struct thread *t);

/* Give it back, to this worker (NULL: no worker) or the pool; its handle is void from now on. */
static inline void thread_free(struct thread *t, struct thread_cache *c)
{
	uint16_t next = (uint16_t)(t->generation + 1);

	if (__builtin_expect(__atomic_load_n(&t->name, __ATOMIC_RELAXED) != NULL, 0))
		thread_free_name(t);
	__atomic_store_n(&t->flags, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&t->generation, next ? next : 1, __ATOMIC_RELAXED);
	if (c && c->count < THREAD_CACHE_MOST && t->home == c->home) {
		struct pool_node *node = (struct pool_node *)t;

		node->node.next = (struct section_node *)c->first;
		c->first = node;
		c->count++;
	} else {
		thread_put(t);
	}
}

static inline perch_t thread_handle(const struct thread *t)
{
	return (perch_t)t->generation << THREAD_HANDLE_BITS | (uintptr_t)t;
}

/* The thread of a handle, or NULL when the handle was never one, or is void. */
static inline struct thread *thread_of(perch_t handle)
{
	uintptr_t p = handle & (((uintptr_t)1 << THREAD_HANDLE_BITS) - 1);
	struct thread *t = (struct thread *)p;

	if (p - (uintptr_t)thread_range >= __atomic_load_n(&thread_range_used, __ATOMIC_RELAXED) || p % sizeof(*t))
		return NULL;
	return __atomic_load_n(&t->generation, __ATOMIC_RELAXED) == handle >> THREAD_HANDLE_BITS ? t : NULL;
}

#endif
