/* SPDX-License-Identifier: MIT */
/*
 * rounds.h - a stress test is a sequence of rounds; each starts the runtime
 * with other workers, with or without signals, runs a load for a moment and
 * stops it. A watchdog ends the process when nothing moves any more, and says
 * what every worker and every queue looked like.
 */
#ifndef PERCH_TESTS_STRESS_ROUNDS_H
#define PERCH_TESTS_STRESS_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>

#include <perch/perch.h>

#include "tests/harness/harness.h"

#ifdef CORE_STRESS_LONG
#define STRESS(name) TEST_STRESS(name)
#else
#define STRESS(name) TEST_TIMEOUT(name, 60)
#endif

/* Everything that moves adds here, or it is taken for a hang. */
extern uint64_t progress;

static inline void moved(void)
{
	__atomic_add_fetch(&progress, 1, __ATOMIC_RELAXED);
}

/* Start the watchdog; then one runtime after another. least: workers. */
void rounds_begin(unsigned least);
/* Stop the last round's runtime, start the next; false: the time is over. */
bool rounds_next(void);
/* This round's load goes on. */
bool round_goes_on(void);

/* Compute for a random time, below max_ns, without a call into perch. */
void compute(uint64_t max_ns);

#endif
