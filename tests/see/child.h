/* SPDX-License-Identifier: MIT */
/* child.h - what the tests of reports share. */
#ifndef PERCH_TESTS_SEE_CHILD_H
#define PERCH_TESTS_SEE_CHILD_H

#include <stdint.h>
#include <time.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/harness.h"

/* The thread sanitizer has a pthread of its own, which perch does not know. */
#define REPORTS (SANITIZER_THREAD ? PERCH_DEADLOCK_REPORT : PERCH_DEADLOCK_AUTO)

static inline void sleep_ms(unsigned ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t))
		;
}

/* True once the counter is at least so much; false after half a minute. */
static inline bool reaches(const uint32_t *word, uint32_t least)
{
	for (int i = 0; i < 30000; i++) {
		if (__atomic_load_n(word, __ATOMIC_ACQUIRE) >= least)
			return true;
		sleep_ms(1);
	}
	return false;
}

static inline void count_one(uint32_t *word)
{
	__atomic_add_fetch(word, 1, __ATOMIC_ACQ_REL);
}

#endif
