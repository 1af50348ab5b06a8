/* SPDX-License-Identifier: MIT */
/* gather.h - waiting in tests: without a limit it would be a hang without a word. */
#ifndef PERCH_TESTS_HARNESS_GATHER_H
#define PERCH_TESTS_HARNESS_GATHER_H

#include <stdint.h>
#include <time.h>

#include "tests/harness/harness.h"

/* True once *word is at least `least`; false after `seconds`. Blocks the pthread
 * that calls it, so only workers beside it, or pthreads, can make it true. */
static inline bool gather(const uint32_t *word, uint32_t least, double seconds)
{
	uint64_t until = harness_now() + (uint64_t)(seconds * 1e9);

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < least) {
		struct timespec nap = {0, 20000};

		if (harness_now() > until)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

static inline uint32_t count_up(uint32_t *word)
{
	return __atomic_add_fetch(word, 1, __ATOMIC_ACQ_REL);
}

#endif
