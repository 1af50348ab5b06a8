/* SPDX-License-Identifier: MIT */
/*
 * section.h - the restartable sequences. One meaning, written once here; each
 * architecture's header spells it in assembly.
 *
 * Pseudo-code, with `a` = the area of the CPU this runs on, found inside the
 * section. Everything up to the store marked COMMIT restarts from the top when
 * the kernel preempts, migrates or signals the pthread (or another one issues
 * the rseq membarrier for this CPU); so each is atomic against everything
 * else on that CPU. A section has no call, no fence and no locked instruction.
 *
 *   push(v):      if a.flags != ACTIVE or a.request: SLOW
 *                 if u16(a.tail - a.head) >= RING_CAPACITY: SLOW
 *                 a.slot[a.tail] = v;                     COMMIT a.tail += 1
 *   pop():        if a.flags != ACTIVE or a.request: SLOW
 *                 if u16(a.tail) == a.split: SLOW
 *                 v = a.slot[a.tail - 1];                 COMMIT a.tail -= 1
 *   pop_if(v):    as pop, but SLOW unless a.slot[a.tail - 1] == v
 *   push_raw, pop_raw, pop_if_raw: the same, but a.request does not matter
 *   publish():    if a.flags != ACTIVE: SLOW;  n = u16(a.tail - a.split);  if n == 0: SLOW
 *                                                 COMMIT a.split += (n + 1) / 2  (release)
 *   fair_push(v): if a.flags != ACTIVE or a.request: SLOW
 *                 if a.fair.tail - a.fair.head >= FAIR_CAPACITY: SLOW
 *                 a.fair_slot[a.fair.tail] = v;           COMMIT a.fair.tail += 1
 *   fair_pop():   if a.flags != ACTIVE: SLOW;  if a.fair.head == a.fair.tail: SLOW
 *                 v = a.fair_slot[a.fair.head];           COMMIT a.fair.head += 1
 *   list_push(i, n, max): if a.flags != ACTIVE: SLOW;  d = a.list[i] ? a.list[i]->depth + 1 : 1
 *                 if d > max: SLOW
 *                 n->next = a.list[i]; n->depth = d;      COMMIT a.list[i] = n
 *   list_pop(i):  if a.flags != ACTIVE: SLOW;  n = a.list[i];  if !n: SLOW
 *                                                         COMMIT a.list[i] = n->next
 *   list_take(i): as list_pop, but                        COMMIT a.list[i] = NULL
 *   list_put(i, n): if a.flags != ACTIVE: SLOW; if a.list[i]: SLOW  COMMIT a.list[i] = n  (a whole chain)
 *   list_push_once, list_pop_once: as list_push, list_pop, but SLOW when it was cut
 *   cas(w, e, n, c): if this CPU is not c: SLOW;  if *w != e: SLOW    COMMIT *w = n  (bias.h; no area)
 *   add(i, n):    if a.flags != ACTIVE: SLOW;                       COMMIT a.counter[i] += n
 *
 * Each returns SECTION_DONE, or SECTION_SLOW with nothing changed. A section
 * that was restarted SECTION_RETRIES times gives up with SECTION_SLOW (a
 * debugger that single-steps would otherwise never get through).
 *
 * Builds for tests:
 *   PERCH_SECTION_DELAY   a loop of perch_section_delay rounds at each step of
 *                         each section, so that it is cut everywhere; the cuts
 *                         are counted in perch_section_cuts;
 *   PERCH_SECTION_TWICE   right before COMMIT, the CPU and the value that the
 *                         section stands on are read again; a difference traps;
 *   PERCH_SEED_NO_FREEZE_CHECK, PERCH_SEED_NO_CPU_CHECK (and, in barrier.c and
 *                         ring.c, _NO_BARRIER and _NO_VERSION): seeded bugs,
 *                         which the stress test must find.
 */
#ifndef PERCH_RSEQ_SECTION_H
#define PERCH_RSEQ_SECTION_H

#include "layout.h"

enum { SECTION_DONE = 0, SECTION_SLOW = 1 };
#define SECTION_RETRIES 1000

/* The first two words of whatever lies in a free list. */
struct section_node {
	struct section_node *next;
	uint64_t depth; /* nodes in the list from here on */
};

#ifdef PERCH_SECTION_DELAY
extern uint32_t perch_section_delay;
extern __thread uint64_t perch_section_cuts; /* how often this pthread was cut */
#define SECTION_COUNT_CUT() ((void)perch_section_cuts++)
#else
#define SECTION_COUNT_CUT() ((void)0)
#endif

#if defined(__x86_64__)
#include "section_x86_64.h"
#elif defined(__aarch64__)
#include "section_aarch64.h"
#else
#error "perch has sections for x86_64 and aarch64 only"
#endif

#endif
