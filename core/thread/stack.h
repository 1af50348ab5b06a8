/* SPDX-License-Identifier: MIT */
/*
 * stack.h - stacks of threads: reserved addresses with a guard at the bottom,
 * memory as it is touched.
 *
 *	base            base + guard                          top
 *	| guard | .......... grows down ................ | struct stack |
 *
 * Size classes are powers of two from 16 KiB to 1 GiB. Stacks of a class are
 * cut from slabs (one mapping each) and kept in pools; who gets or puts one makes no
 * kernel call. A stack that has lain in a depot from one tick to the next retires: all of
 * its memory goes back to the kernel, the header with it, and only its address and its
 * guard are kept, until it is handed out as new ones are (trim.h).
 * Where several nodes have memory, each group of CPUs (group.h) has slabs of its
 * own, bound to its node, and gets its stacks back wherever their threads end.
 */
#ifndef PERCH_THREAD_STACK_H
#define PERCH_THREAD_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <perch/config.h>

#include "core/thread/group.h"
#include "core/thread/lists.h"
#include "rseq/pool.h"

#define STACK_SHIFT_MIN 14
#define STACK_SHIFT_MAX 30
#define STACK_CLASSES (STACK_SHIFT_MAX - STACK_SHIFT_MIN + 1)

struct thread;
struct locals;

/* At the top of the stack itself. */
struct stack {
	struct pool_node free; /* while it is in a pool */
	char *base;            /* of the reservation; the guard starts here */
	size_t size;           /* of the reservation, this header and the guard included */
	void *(*fn)(void *);   /* what the thread on it was started with */
	struct thread *thread; /* whose it is; NULL while it is free */
	void *sanitizer;       /* the thread sanitizer's fibre */
	void *sanitizer_saved; /* the address sanitizer's fake stack */
	uint32_t class;
	/* how often whoever runs on it is pinned, and how many of those are a
	 * joiner's that runs another thread on its stack (locals.h) */
	uint32_t pins, pins_below;
	uint16_t home;          /* the group whose memory it is, plus one; 0: all is alike */
	uint16_t cpu;           /* where the thread on it first ran */
	void *pinned_to;        /* whoever schedules knows what it is */
	struct locals *locals;  /* values of keys; a joiner's lie below the other thread's */
	void (*at_end)(void *); /* called with at_end_arg when a thread with THREAD_AT_END has ended */
	void *at_end_arg;
	uint32_t at_once; /* class of new threads that may have it anywhere; else STACK_CLASSES */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct stack) == 128, "two lines");

/* guard: how to make guards. 0, or -ENOTSUP when MADVISE is asked for and the
 * kernel has no light guards. */
int stack_start(enum perch_guard guard);
void stack_stop(void);

/* The class for that many bytes (rounded up), which must be in range. */
unsigned stack_class_of(size_t bytes);
static inline size_t stack_class_size(unsigned class)
{
	return (size_t)1 << (class + STACK_SHIFT_MIN);
}

/* A stack of this class, or NULL when there are no addresses, no maps or no
 * memory for one. */
struct stack *stack_get(unsigned class);
void stack_put(struct stack *s);

/* The pool of a class; and those on a CPU's lists (pool_collect) into the depots. */
struct pool *stack_pool(unsigned class);
/* Bytes of those that have retired so far, one page each; by the pthread that retires them. */
size_t stack_returned(void);
void stack_collect(struct section_node *list[LIST_POOLS], uint32_t group);

/* A new thread may have it here, as it is: of its class, and not from afar. The
 * first compare alone says so where all memory is alike. */
bool stack_fits_here(const struct stack *s, unsigned class);
static inline bool stack_fits(const struct stack *s, unsigned class)
{
	return class == s->at_once || stack_fits_here(s, class);
}

/* Below this address no task is run as a plain call any more: the lowest
 * quarter is for what the task's own frames need. Worked out without a look at
 * the header, which may not be in the cache. 0 for a worker's own stack. */
static inline uintptr_t stack_limit(const struct stack *s, unsigned class)
{
	return s ? (uintptr_t)s - ((size_t)3 << (class + STACK_SHIFT_MIN - 2)) : 0;
}

/* Where execution starts on it: aligned as the ABI wants at a call. */
static inline void *stack_top(struct stack *s)
{
	return (void *)((uintptr_t)s & ~(uintptr_t)63);
}

/* True when the address lies in the guard of s. */
bool stack_in_guard(const struct stack *s, uintptr_t address);

/* True once a stack could not be made: from then on a thread gets its stack
 * when it is created, so that the creator hears of a failure. */
extern bool stack_is_scarce;
static inline bool stack_scarce(void)
{
	return __atomic_load_n(&stack_is_scarce, __ATOMIC_RELAXED);
}

/* For reports: "madvise" or "mprotect"; stacks made so far, bytes reserved. */
const char *stack_guard_name(void);
void stack_count(uint64_t *stacks, uint64_t *bytes);
/* Their slabs (group_copy). */
size_t stack_slabs(struct group_slab *out, size_t most);

#endif
