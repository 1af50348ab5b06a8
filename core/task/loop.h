/* SPDX-License-Identifier: MIT */
/* loop.h - one range of a parallel loop, halved until a piece is small enough. */
#ifndef PERCH_TASK_LOOP_H
#define PERCH_TASK_LOOP_H

#include <stddef.h>

struct processor;

struct loop {
	size_t grain;
	void (*body)(size_t, size_t, void *);
	void *context;
	struct processor *home; /* for whose node it is (blocks.c); NULL: for anybody's */
};

struct reduction {
	size_t grain, size;
	const void *identity; /* not the result's place */
	void (*body)(size_t, size_t, void *, void *);
	void (*combine)(void *, const void *, void *);
	void *context;
	struct processor *home;
};

/* The grain that was asked for, or, when that is 0, one that is fit for n indices. */
size_t loop_grain(size_t n, size_t grain);
/* What the arguments of both kinds must be: 0 or -EINVAL; and that the runtime is up. */
int loop_check(const struct loop *loop, size_t begin, size_t end);
int loop_check_reduction(const struct reduction *r, const void *result, size_t begin, size_t end);

/* lo < hi. May switch threads. */
void loop_run(const struct loop *loop, size_t lo, size_t hi);
/* Adds to what *value is. */
void loop_run_reduction(const struct reduction *r, size_t lo, size_t hi, void *value);

/* The same on another node than home's, of more than a grain: abroad.c. */
void loop_run_abroad(const struct loop *loop, size_t lo, size_t hi);
void loop_run_reduction_abroad(const struct reduction *r, size_t lo, size_t hi, void *value);

#endif
