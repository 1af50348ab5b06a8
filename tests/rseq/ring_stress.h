/* SPDX-License-Identifier: MIT */
/* ring_stress.h - the stress test of rseq/, to be run by a test or from the command line. */
#ifndef PERCH_TESTS_RSEQ_RING_STRESS_H
#define PERCH_TESTS_RSEQ_RING_STRESS_H

#include <stdbool.h>
#include <stdint.h>

struct stress_options {
	double seconds;       /* stop after these ... */
	uint64_t operations;  /* ... or after so many operations; 0: no such limit */
	unsigned per_cpu;     /* workers for each CPU, 0: a new number from 2 to 4 each round */
	unsigned signal_hz;   /* the fastest timer signals to each worker; 0: none */
	bool migrate;         /* half of the workers are moved between CPUs all the time */
	bool flap;            /* processors are taken away and put back */
	double round_seconds; /* how often all stop and everything is accounted for */
	uint64_t seed;
};

#define STRESS_OPTIONS_INIT                                                                                            \
	{                                                                                                              \
		.seconds = 5, .signal_hz = 20000, .migrate = false, .flap = true, .round_seconds = 0.5, .seed = 1      \
	}

/*
 * ring_stress - run it, and print what happened to stdout.
 * Once per process. Returns 0: nothing was lost, doubled or out of order; 1:
 * something was (it is on stderr, and stress_broken() says what); -errno: it
 * could not be run.
 */
int ring_stress(const struct stress_options *options);

#endif
