/* SPDX-License-Identifier: MIT */
/*
 * section_lock.h - the operations of section.h without rseq: the same pseudo-
 * code, under the area's lock. Slower, equally correct, and it does not matter
 * then whether the caller stays on the CPU: the lock is what keeps others out.
 *
 * Who may hold it: anybody, for a few instructions, never across a switch of
 * threads, a system call or another lock.
 */
#ifndef PERCH_RSEQ_SECTION_LOCK_H
#define PERCH_RSEQ_SECTION_LOCK_H

#include <sched.h>

#include "rseq/inject.h"
#include "rseq/percpu.h"

#define LOCK_GET(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define LOCK_SET(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

static inline void percpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* One more look in vain at what another holds: it runs, or is preempted, perhaps
 * on this very CPU, and is given way to. */
static inline void percpu_wait(unsigned *spins)
{
	percpu_relax();
	if (++*spins % 64 == 0)
		sched_yield();
}

static inline void lock_area(struct percpu *a)
{
	unsigned spins = 0;

	while (__atomic_exchange_n(&a->lock, 1, __ATOMIC_ACQUIRE))
		percpu_wait(&spins);
	inject();
}

static inline void unlock_area(struct percpu *a)
{
	inject();
	__atomic_store_n(&a->lock, 0, __ATOMIC_RELEASE);
}

/* Returns when no operation that had begun before is still under way. */
static inline void percpu_pass_lock(struct percpu *a)
{
	lock_area(a);
	unlock_area(a);
}

/* The area of the CPU we are on, locked; NULL when no processor is there. */
static inline struct percpu *lock_here(void)
{
	struct percpu *a = percpu_here();

	if (!a)
		return NULL;
	lock_area(a);
	if (__atomic_load_n(&a->flags, __ATOMIC_RELAXED) != PERCPU_BY_LOCK) {
		unlock_area(a);
		return NULL;
	}
	return a;
}

/* Each returns SECTION_DONE, or SECTION_SLOW with nothing changed. */

#define LOCKED_OPERATION(body)                                                                                         \
	struct percpu *a = lock_here();                                                                                \
	int done = SECTION_SLOW;                                                                                       \
	if (!a)                                                                                                        \
		return SECTION_SLOW;                                                                                   \
	body;                                                                                                          \
	unlock_area(a);                                                                                                \
	return done

static inline uint16_t lock_split(struct percpu *a)
{
	return (uint16_t)(__atomic_load_n(&a->split, __ATOMIC_ACQUIRE) >> 16);
}

/* mind: a request is a reason for the slow exit */
static inline int lock_push(uintptr_t item, bool mind)
{
	LOCKED_OPERATION({
		uint32_t tail = LOCK_GET(a->tail);
		uint16_t head = (uint16_t)__atomic_load_n(&a->split, __ATOMIC_ACQUIRE);

		if ((uint16_t)(tail - head) < RING_CAPACITY &&
		    !(mind && __atomic_load_n(&a->request, __ATOMIC_ACQUIRE))) {
			LOCK_SET(a->slot[tail % RING_CAPACITY], item);
			__atomic_store_n(&a->tail, tail + 1, __ATOMIC_RELEASE);
			done = SECTION_DONE;
		}
	});
}

/* wanted: the only item that may be popped, or 0 for any */
static inline int lock_pop(uintptr_t *item, uintptr_t wanted)
{
	LOCKED_OPERATION({
		uint32_t tail = LOCK_GET(a->tail);

		if ((uint16_t)tail != lock_split(a)) {
			uintptr_t v = LOCK_GET(a->slot[(tail - 1) % RING_CAPACITY]);

			if (!wanted || v == wanted) {
				*item = v;
				__atomic_store_n(&a->tail, tail - 1, __ATOMIC_RELEASE);
				done = SECTION_DONE;
			}
		}
	});
}

static inline int lock_fair_push(uintptr_t item)
{
	LOCKED_OPERATION({
		uint32_t tail = LOCK_GET(a->fair_tail);

		if (tail - LOCK_GET(a->fair_head) < FAIR_CAPACITY && !__atomic_load_n(&a->request, __ATOMIC_ACQUIRE)) {
			LOCK_SET(a->fair_slot[tail % FAIR_CAPACITY], item);
			LOCK_SET(a->fair_tail, tail + 1);
			done = SECTION_DONE;
		}
	});
}

static inline int lock_fair_pop(uintptr_t *item)
{
	LOCKED_OPERATION({
		uint32_t head = LOCK_GET(a->fair_head);

		if (head != LOCK_GET(a->fair_tail)) {
			*item = LOCK_GET(a->fair_slot[head % FAIR_CAPACITY]);
			LOCK_SET(a->fair_head, head + 1);
			done = SECTION_DONE;
		}
	});
}

/* Whether there is one is looked at without the lock, too. */
static inline void set_list(struct percpu *a, unsigned list, struct section_node *node)
{
	__atomic_store_n(&a->list[list], node, __ATOMIC_RELAXED);
}

static inline int lock_list_push(unsigned list, struct section_node *node, uint64_t max)
{
	LOCKED_OPERATION({
		struct section_node *top = a->list[list];
		uint64_t depth = top ? top->depth + 1 : 1;

		if (depth == 1 || depth <= max) {
			node->next = top;
			node->depth = depth;
			set_list(a, list, node);
			done = SECTION_DONE;
		}
	});
}

static inline int lock_list_pop(unsigned list, struct section_node **node)
{
	LOCKED_OPERATION({
		if (a->list[list]) {
			*node = a->list[list];
			set_list(a, list, a->list[list]->next);
			done = SECTION_DONE;
		}
	});
}

static inline int lock_list_take(unsigned list, struct section_node **chain)
{
	LOCKED_OPERATION({
		if (a->list[list]) {
			*chain = a->list[list];
			set_list(a, list, NULL);
			done = SECTION_DONE;
		}
	});
}

static inline int lock_list_put(unsigned list, struct section_node *chain)
{
	LOCKED_OPERATION({
		if (!a->list[list]) {
			set_list(a, list, chain);
			done = SECTION_DONE;
		}
	});
}

#endif
