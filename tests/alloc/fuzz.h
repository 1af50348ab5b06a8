/* SPDX-License-Identifier: MIT */
/* fuzz.h - random calls by threads that move, on objects that others have made. */
#ifndef PERCH_TESTS_ALLOC_FUZZ_H
#define PERCH_TESTS_ALLOC_FUZZ_H

#include <stdint.h>

struct fuzz {
	uint64_t operations; /* in all */
	unsigned threads;    /* of perch */
	unsigned pthreads;   /* beside them; they move from CPU to CPU */
	/* out: */
	uint64_t objects; /* made, by whom is known */
	uint64_t foreign; /* of those, given back by another than who made them */
	uint64_t moved;   /* times that a pthread has moved */
};

/* The runtime runs. Every object is written to its last byte, and must be as it was when it is taken;
 * else the process ends by an assertion. Returns when all objects are given back. */
void fuzz(struct fuzz *f);

#endif
