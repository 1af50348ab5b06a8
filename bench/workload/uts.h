/* SPDX-License-Identifier: MIT */
/*
 * uts.h - the Unbalanced Tree Search benchmark: a tree that is known only by
 * walking it. A node is 20 bytes of SHA-1; its i-th child is the SHA-1 of those
 * and i; the number of children is drawn from the last word.
 */
#ifndef BENCH_WORKLOAD_UTS_H
#define BENCH_WORKLOAD_UTS_H

#include <stdint.h>

#define UTS_STATE 20
/* A node other than the root has at most this many children. */
#define UTS_CHILDREN_MOST 100

enum uts_shape {
	UTS_BINOMIAL,  /* the root has b0 children; any other m with probability q, else none */
	UTS_GEOMETRIC, /* b0 on average, by a geometric law, down to depth d (-a 3: fixed) */
};

struct uts_totals {
	uint64_t nodes;
	uint64_t leaves;
	uint64_t depth; /* of the deepest node; the root's is 0 */
};

struct uts_tree {
	const char *name;
	const char *flags; /* as the published program takes them */
	enum uts_shape shape;
	double b0, q;
	uint32_t m, d, seed;
	struct uts_totals expected;
};

struct uts_node {
	uint32_t depth;
	uint8_t state[UTS_STATE];
};

/* NULL: no such tree. */
const struct uts_tree *uts_find(const char *name);
void uts_root(const struct uts_tree *tree, struct uts_node *root);
void uts_child(const struct uts_node *parent, uint32_t index, struct uts_node *child);
unsigned uts_children(const struct uts_tree *tree, const struct uts_node *node);

/* The totals of a node whose children's have been added. */
static inline void uts_add(struct uts_totals *sum, const struct uts_totals *child)
{
	sum->nodes += child->nodes;
	sum->leaves += child->leaves;
	if (child->depth > sum->depth)
		sum->depth = child->depth;
}

static inline struct uts_totals uts_alone(const struct uts_node *node, unsigned children)
{
	return (struct uts_totals){1, children == 0, node->depth};
}

/* The walk without any parallelism: the serial backend, and below a cut-off. */
struct uts_totals uts_walk(const struct uts_tree *tree, const struct uts_node *node);

#endif
