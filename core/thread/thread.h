/* SPDX-License-Identifier: MIT */
/*
 * thread.h - the descriptor of a thread (G): 64 bytes, one cache line.
 *
 * Descriptors are cut from one reserved range of addresses, so that a handle
 * can be checked before it is followed, and are never unmapped while the
 * runtime runs; a generation in each tells an old handle from a new one.
 *
 * Nothing here knows who schedules a thread.
 */
#ifndef PERCH_THREAD_THREAD_H
#define PERCH_THREAD_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <perch/thread.h>

#include "rseq/pool.h"

struct stack;

/* Why a thread sleeps; shown in dumps. */
enum park_reason {
	PARK_NONE = 0,
	PARK_JOIN,
	PARK_SYNC,
	PARK_WAITGROUP,
};

/* thread.park: see core/sched/park.h */
enum { PARK_EMPTY = 0, PARK_NOTIFIED, PARK_PARKED };

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
	THREAD_STARTED = 1 << 5,   /* has run: sp is where it left its stack */
	THREAD_INLINE = 1 << 4,    /* runs on its joiner's stack; arg says where it ends */
};

struct thread {
	union {                      /* the first three words are a pool_node while it is free */
		void *sp;            /* started, not running: where its stack was left */
		void *(*fn)(void *); /* not started */
	};
	void *arg;           /* then the result */
	struct thread *next; /* link of whatever queue it is in */
	struct stack *stack; /* NULL until it first runs */
	uintptr_t joiner;
	char *name; /* malloc'ed; NULL: none */
	uint32_t park;
	uint8_t flags;
	uint8_t stack_class;
	uint16_t generation; /* of the handle; never 0 */
	uint16_t reason;     /* enum park_reason */
	uint16_t pad[3];
};

_Static_assert(sizeof(struct thread) == 64, "a thread that has not started costs one cache line");

/* Reserve addresses for descriptors. 0 or -ENOMEM. */
int thread_start(void);
void thread_stop(void);

/* Where they come from, and the range that they lie in; thread.c. */
extern struct pool thread_pool;
extern char *thread_range;
extern size_t thread_range_used;
extern bool thread_any_named; /* thread_stop() has names to free, perhaps */

#define THREAD_HANDLE_BITS                                                                                             \
	48 /* of a user address, on x86-64 and aarch64, as Linux maps without being asked for more                     \
	    */

/* A descriptor with every field but sp and arg set to its resting value; NULL
 * when there is no memory. */
static inline struct thread *thread_new(void)
{
	struct thread *t = pool_get(&thread_pool);

	if (__builtin_expect(!t, 0))
		return NULL;
	t->next = NULL;
	t->stack = NULL;
	t->joiner = 0;
	t->name = NULL;
	__atomic_store_n(&t->park, PARK_EMPTY, __ATOMIC_RELAXED);
	t->flags = 0;
	t->reason = PARK_NONE;
	if (!t->generation)
		t->generation = 1;
	return t;
}

/* Give it back; its handle is void from now on. */
void thread_free_name(struct thread *t);
static inline void thread_free(struct thread *t)
{
	uint16_t next = (uint16_t)(t->generation + 1);

	if (__builtin_expect(t->name != NULL, 0))
		thread_free_name(t);
	__atomic_store_n(&t->generation, next ? next : 1, __ATOMIC_RELAXED);
	pool_put(&thread_pool, t);
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
