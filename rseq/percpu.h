/* SPDX-License-Identifier: MIT */
/*
 * percpu.h - one area of memory per CPU number, and finding the right one.
 *
 * Rule: an area is touched through sections, through atomics, or under its
 * lock in the fallback; never by plain code, since the pthread may move to
 * another CPU between any two instructions.
 */
#ifndef PERCH_RSEQ_PERCPU_H
#define PERCH_RSEQ_PERCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rseq/section.h"

struct percpu {
	/* line 0 */
	union {
		struct {
			uint32_t flags;
			uint32_t request;
		};
		uint64_t attention;
	};
	uint32_t tail;
	uint32_t cpu; /* its own number; set before it becomes active */
	uint32_t fair_head;
	uint32_t fair_tail;
	uint32_t lock;  /* the fallback's */
	uint32_t group; /* which depot serves it (pool.h) */
	/* line 1 */
	uint64_t split __attribute__((aligned(64))); /* {head u16, split u16, version u32} */
	/* lines 2-17 */
	struct section_node *list[PERCPU_LISTS] __attribute__((aligned(64)));
	uint64_t counter[PERCPU_COUNTERS];
	char extra[PERCPU_SLOT - PERCPU_EXTRA];
	uintptr_t slot[RING_CAPACITY];
	uintptr_t fair_slot[FAIR_CAPACITY];
};

_Static_assert(offsetof(struct percpu, flags) == PERCPU_FLAGS, "layout.h");
_Static_assert(offsetof(struct percpu, request) == PERCPU_REQUEST, "layout.h");
_Static_assert(offsetof(struct percpu, tail) == PERCPU_TAIL, "layout.h");
_Static_assert(offsetof(struct percpu, fair_head) == PERCPU_FAIR, "layout.h");
_Static_assert(offsetof(struct percpu, split) == PERCPU_SPLIT, "layout.h");
_Static_assert(offsetof(struct percpu, list) == PERCPU_LIST, "layout.h");
_Static_assert(offsetof(struct percpu, counter) == PERCPU_COUNTER, "layout.h");
_Static_assert(offsetof(struct percpu, extra) == PERCPU_EXTRA, "layout.h");
_Static_assert(offsetof(struct percpu, slot) == PERCPU_SLOT, "layout.h");
_Static_assert(offsetof(struct percpu, fair_slot) == PERCPU_FAIR_SLOT, "layout.h");
_Static_assert(sizeof(struct percpu) <= (size_t)1 << PERCPU_SHIFT, "layout.h");

/* How operations are done; settled when the runtime starts. */
extern bool percpu_locked; /* true: under the areas' locks; false: by sections */
extern char *percpu_base;  /* NULL until the first start */
extern int percpu_count;   /* areas there is room for */

/*
 * percpu_start - make room for `count` CPU numbers, none active yet.
 * The mapping is made once per process and kept: a foreign pthread that is
 * inside a section while the runtime stops must not lose it.
 * Returns 0 or -ENOMEM.
 */
int percpu_start(int count, bool sections);
/* Every area must be inactive. Gives its memory back. */
void percpu_stop(void);

static inline struct percpu *percpu_of(int cpu)
{
	return (struct percpu *)(percpu_base + ((size_t)cpu << PERCPU_SHIFT));
}

/* The CPU this runs on: a hint, stale as soon as it is read. */
int percpu_cpu(void);

/* The same without a call, once percpu_locked is false. */
static inline uint32_t percpu_cpu_hint(void)
{
	const volatile uint32_t *area =
		(const void *)((const char *)__builtin_thread_pointer() + perch_fast.rseq_offset);

	return area[1];
}

/* The area of that CPU, or NULL when no processor is there. A hint too. */
static inline struct percpu *percpu_here(void)
{
	int cpu = percpu_cpu();
	struct percpu *a;

	if (!percpu_base || cpu < 0 || cpu >= percpu_count)
		return NULL;
	a = percpu_of(cpu);
	/* acquire: what was set before it became active (`cpu`, `group`) is there to be read */
	return __atomic_load_n(&a->flags, __ATOMIC_ACQUIRE) & (PERCPU_ACTIVE | PERCPU_BY_LOCK) ? a : NULL;
}

/* Put a processor there / take it away; by one pthread at a time. Taking away waits
 * until no section can be in progress, nor a thief that has frozen the area; what is
 * in the queues stays there (ring_inherit). */
void percpu_activate(int cpu, uint32_t group);
void percpu_deactivate(int cpu);

/*
 * Keep sections, and others who do this, away from an area whose flags are `flags`; false:
 * they are not, or another is at it. A section that is in progress may still commit until a
 * barrier on that CPU (barrier.h). For microseconds.
 */
bool percpu_freeze(struct percpu *a, uint32_t flags);
void percpu_thaw(struct percpu *a);

/* From any CPU: take all that is in `n` of an area's lists. False: a thief is at it. */
bool percpu_take_lists(struct percpu *a, unsigned first, unsigned n, struct section_node **out);

#endif
