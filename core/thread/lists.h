/* SPDX-License-Identifier: MIT */
/* lists.h - who uses which of a CPU's free lists and counters (rseq/percpu.h). */
#ifndef PERCH_THREAD_LISTS_H
#define PERCH_THREAD_LISTS_H

#include "rseq/layout.h"

enum {
	LIST_THREAD = 0, /* descriptors */
	LIST_STACK = 1,  /* stacks, one list for each size class from here on */
	/* on their way home to other groups (pool_far) */
	LIST_FAR_THREAD = 30,
	LIST_FAR_STACK = 31,
	LIST_POOLS = 32,                /* all of those above */
	LIST_OBJECT = PERCPU_LIST_ONCE, /* objects, one list for each size class from here on (core/alloc) */
	LIST_FAR_OBJECT = 111,
};

enum {
	COUNTER_SPAWNED = 0, /* by foreign pthreads; what workers do is in their own counters */
};

#endif
