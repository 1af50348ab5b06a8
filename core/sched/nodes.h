/* SPDX-License-Identifier: MIT */
/*
 * nodes.h - the machine's nodes, as long as the runtime runs: which CPUs and
 * processors are on each, and where its memory is. It is part of a set of
 * processors (set.h): made with it, never changed, replaced together with it.
 */
#ifndef PERCH_SCHED_NODES_H
#define PERCH_SCHED_NODES_H

#include <stdbool.h>

struct processor;
struct topology;

struct node {
	bool has_memory;
	int memory;          /* the node whose memory is for it; -1: there is no such node */
	unsigned begin, end; /* its processors, of `order` */
};

struct nodes {
	unsigned count;     /* numbers are below this, of all CPUs and processors too; they may be sparse */
	unsigned populated; /* nodes with processors, in use or not */
	unsigned cpus;      /* CPU numbers are below this */
	bool placement;     /* memory can be bound to them */
	struct node *node;
	int *of_cpu;               /* -1: it is on none */
	struct processor **at;     /* by CPU; NULL: none */
	struct processor *order[]; /* all of them, by node, then by CPU */
};

/* Of these processors. NULL: no memory. */
struct nodes *nodes_make(const struct topology *t, struct processor *const processor[], unsigned count);
void nodes_free(struct nodes *nodes);

#endif
