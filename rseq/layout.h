/* SPDX-License-Identifier: MIT */
/*
 * layout.h - where things lie in a CPU's area, and what inlined code needs to
 * find it. Assembly uses the numbers; percpu.h checks them against the struct.
 */
#ifndef PERCH_RSEQ_LAYOUT_H
#define PERCH_RSEQ_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* One area per CPU number, 64 KiB apart; only areas in use take memory. */
#define PERCPU_SHIFT 16

/* Line 0: touched by this CPU's sections; thieves write only `attention`. */
#define PERCPU_FLAGS 0   /* u32: PERCPU_* flags below; see below */
#define PERCPU_REQUEST 4 /* u32: somebody wants work from here (see ring.h) */
#define PERCPU_TAIL 8    /* u32: next free position of the ring */
#define PERCPU_FAIR 16   /* u64: {head u32, tail u32} of the fair queue */
/* Line 1: shared with thieves, changed by CAS or by a section's one store. */
#define PERCPU_SPLIT 64 /* u64: {head u16, split u16, version u32} */
#define PERCPU_SPLIT_SPLIT 66
/* Lines 2-15: heads of free lists; lines 16-17: counters. */
#define PERCPU_LIST 128
#define PERCPU_LISTS 112
#define PERCPU_LIST_ONCE 32 /* from here on, those of section_list_*_once */
#define PERCPU_COUNTER 1024
#define PERCPU_COUNTERS 16
/* Then room for the floors above (percpu_extra), the ring's and the fair queue's slots. */
#define PERCPU_EXTRA 1152
#define PERCPU_SLOT 4096
#define RING_CAPACITY 4096 /* a power of two, at most 2^15: positions are kept mod 2^16 */
#define PERCPU_FAIR_SLOT (PERCPU_SLOT + 8 * RING_CAPACITY)
#define FAIR_CAPACITY 1024

/*
 * Flags of an area. Sections go on only when the word is PERCPU_ACTIVE and
 * nothing else, so an area that was never touched (all zero) sends them to
 * their slow exit without having taken a page.
 */
#define PERCPU_ACTIVE 1  /* a processor is here */
#define PERCPU_FROZEN 2  /* a thief is moving split (ring_force); lasts microseconds */
#define PERCPU_BY_LOCK 4 /* instead of ACTIVE: a processor is here, reached by its lock only */

/*
 * What a section needs before it can find its area. Until the runtime first
 * starts with rseq, rseq_offset leads to a stand-in for the rseq area in which
 * the CPU number is 0, and base to an area that is not active; so inlined code
 * needs no test of its own.
 */
struct perch_fast {
	char *base;            /* area of CPU 0 */
	ptrdiff_t rseq_offset; /* of the rseq area, from the thread pointer */
};

extern struct perch_fast perch_fast __attribute__((__visibility__("default")));

#endif
