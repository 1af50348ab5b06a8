/* SPDX-License-Identifier: MIT */
/*
 * load.h - what is run: a tree of tasks. A node has its own work, which comes first;
 * then it forks its children in turn (fib and loops call their last one instead), and
 * syncs with them, the newest first: as bench/backend/perch.c and core/task/loop.c do.
 */
#ifndef SIM_LOAD_H
#define SIM_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum load_kind { LOAD_UTS, LOAD_FIB, LOAD_LOOP };

struct load {
	enum load_kind kind;
	char name[64];
	bool calls_last;
	double work_ns; /* of a node; of a loop, of one iteration */
	double jitter;  /* each node's work is drawn from 1 +- this */
	uint64_t seed;  /* ... by this */
	/* what a run must come to */
	uint64_t nodes, leaves, value;
	uint32_t depth;
	/* uts: nodes are numbered in the order of a walk */
	uint16_t *children;
	uint32_t *size; /* of the tree below, with the node */
	/* fib: n; loop: iterations, and how many are one piece */
	uint64_t n, grain;
};

/*
 * load_make - uts:TREE (as bench --list has them), fib:N, loop:N or loop:N:GRAIN.
 * @cpus: for a loop without a grain, which is cut as perch_for() does
 * NULL, with what is wrong in `message`.
 */
struct load *load_make(const char *text, unsigned cpus, char *message, size_t size);
void load_free(struct load *l);

/* The work of all nodes together, and the longest chain of it that must be done one after
 * the other; in ps. -ENOMEM. */
int load_bounds(const struct load *l, uint64_t *work, uint64_t *span);

static inline uint64_t load_root(const struct load *l)
{
	return l->kind == LOAD_FIB || l->kind == LOAD_LOOP ? l->n : 0;
}

/* A node of a loop: where it begins, and how long it is. */
static inline uint64_t load_piece(uint64_t lo, uint64_t length)
{
	return lo << 32 | length;
}

static inline unsigned load_children(const struct load *l, uint64_t node)
{
	switch (l->kind) {
	case LOAD_UTS:
		return l->children[node];
	case LOAD_FIB:
		return node < 2 ? 0 : 2;
	default:
		return (uint32_t)node <= l->grain ? 0 : 2;
	}
}

/* The i-th child; before: the one before it, for i > 0. */
static inline uint64_t load_child(const struct load *l, uint64_t node, unsigned i, uint64_t before)
{
	uint64_t lo = node >> 32, length = (uint32_t)node;

	switch (l->kind) {
	case LOAD_UTS:
		return i ? before + l->size[before] : node + 1;
	case LOAD_FIB:
		return node - 1 - i;
	default: /* the right half is forked, the left one called */
		return i ? load_piece(lo, length / 2) : load_piece(lo + length / 2, length - length / 2);
	}
}

/* What a leaf adds to the value. */
static inline uint64_t load_value(const struct load *l, uint64_t node)
{
	return l->kind == LOAD_UTS ? 1 : (uint32_t)node;
}

/* Its own work, in ps. */
static inline uint64_t load_work(const struct load *l, uint64_t node)
{
	double ns = l->work_ns;
	uint64_t x;

	if (l->kind == LOAD_LOOP)
		ns = load_children(l, node) ? 0 : ns * (double)(uint32_t)node;
	if (l->jitter > 0) {
		x = (node + l->seed * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
		x = (x ^ x >> 29) * UINT64_C(0x94d049bb133111eb);
		ns *= 1 + l->jitter * ((double)(x >> 40) / (1 << 23) - 1);
	}
	return (uint64_t)(ns * 1000);
}

/* Where its data lies in an array that the load goes through, in blocks by node. */
static inline unsigned load_block(const struct load *l, uint64_t node, unsigned blocks)
{
	if (l->kind == LOAD_LOOP)
		return (unsigned)((node >> 32) * blocks / l->n);
	return l->kind == LOAD_UTS ? (unsigned)(node * blocks / l->nodes) : 0;
}

#endif
