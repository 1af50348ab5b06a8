/* SPDX-License-Identifier: MIT */
/* bias_stress.h - pthreads on two CPUs that change words which lean on one of them. */
#ifndef PERCH_TESTS_RSEQ_BIAS_STRESS_H
#define PERCH_TESTS_RSEQ_BIAS_STRESS_H

#include <stdint.h>

struct bias_result {
	uint64_t done;  /* lockings */
	uint64_t leant; /* of these, of a lock that leant */
	uint64_t lost;  /* counts that are wrong */
};

/* pthreads: at most 16. Once in a process. */
struct bias_result bias_stress(double seconds, unsigned pthreads);

#endif
