/* SPDX-License-Identifier: MIT */
/*
 * loop.h - a parallel loop over blocks of memory, run again and again: does the
 * loop that reads go where the loop went that wrote first?
 *
 * Each block is whole pages, which nobody has touched before the first loop
 * does. Which node each block's pages are on is asked of the kernel, which node
 * a block ran on of the CPU.
 */
#ifndef BENCH_WORKLOAD_LOOP_H
#define BENCH_WORKLOAD_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a backend runs: body(b, context) once for each b below `blocks`. */
struct memory_loop {
	size_t blocks;
	bool by_node; /* the same blocks on the same nodes each time */
	void (*body)(size_t block, void *context);
	void *context;
};

struct measurement;

/* A workload of such loops. */
struct sweeps {
	struct measurement *m;
	struct memory_loop loop;
	/* In block `b`: write all of its memory, which nobody has touched; then, for each sweep
	 * after that, work on it. */
	void (*touch)(size_t b, void *context);
	void (*work)(size_t b, size_t sweep, void *context);
	/* A page of the block's memory. */
	void *(*page)(size_t b, void *context);
	void *context;

	/* for loop.c */
	size_t sweep;    /* 0: the one that touches */
	uint32_t *times; /* block -> how often it was run */
	int *node;       /* block -> where, the last time */
	int *home;       /* block -> where it was touched; then the node of its memory */
	int r;
};

/*
 * Touch, then sweep for as long as a measurement takes; *ns: of a sweep. What it
 * gets wrong, blocks that were left out or done twice, is noted in m.
 * 0 or -errno, after a message.
 */
int sweeps_measure(struct sweeps *s, double *ns);
/* Share of blocks that ran, in the last sweep, on the node of their memory. */
void sweeps_emit(struct sweeps *s);
void sweeps_free(struct sweeps *s);

/* Memory that is zero and not touched, in small pages, so that each block has its own: each is
 * on the node of who touches it first, or, in the case "blocks", where the backend has bound it
 * (of m, which may be NULL). NULL: none to be had. */
void *pages_new(const struct measurement *m, size_t size);
void pages_free(const struct measurement *m, void *start, size_t size);

#endif
