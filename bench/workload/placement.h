/* SPDX-License-Identifier: MIT */
/*
 * placement.h - many threads that start wherever they are run, park, and are
 * woken all at once: is each one's stack on the node of the CPU that started it,
 * and does it wake on the node where its stack is?
 *
 * The kernel is asked (home.h), not the runtime.
 */
#ifndef BENCH_WORKLOAD_PLACEMENT_H
#define BENCH_WORKLOAD_PLACEMENT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct placed {
	void *page;      /* in its stack */
	int born, woken; /* the node of the CPU it ran on */
};

/*
 * What a backend does: n threads, thread i calls placement_born(p, i), waits
 * until all n have, calls placement_woken(p, i) and ends with the right result;
 * between the two, when all wait, placement_look(p) is called once.
 */
struct placement {
	size_t n;
	struct placed *thread;
	_Atomic size_t arrived; /* by placement_born() */
	size_t right;           /* how many did what they should */
	uint64_t ns;            /* until all had arrived */
	/* What the runtime says of its own memory then, in pages; 0: it says nothing. */
	uint64_t pages_home, pages_abroad;

	/* for placement.c */
	int *node; /* of each page */
	int r;     /* of looking */
};

void placement_born(struct placement *p, size_t i);
void placement_look(struct placement *p);
void placement_woken(struct placement *p, size_t i);

#endif
