/* SPDX-License-Identifier: MIT */
/*
 * inject.h - random delays at the steps of every protocol, for the stress
 * builds (PERCH_INJECT); nothing at all otherwise.
 */
#ifndef PERCH_RSEQ_INJECT_H
#define PERCH_RSEQ_INJECT_H

#ifdef PERCH_INJECT
#include <sched.h>
#include <stdint.h>

static inline void inject(void)
{
	static __thread uint64_t state;
	uint64_t x = state ? state : (uint64_t)(uintptr_t)&state | 1;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	state = x;
	if ((x >> 32) % 64 == 0) {
		sched_yield();
	} else if ((x >> 32) % 8 == 1) {
		for (volatile unsigned n = (x >> 40) % 400; n; n--)
			;
	}
}
#else
static inline void inject(void)
{
}
#endif

#endif
