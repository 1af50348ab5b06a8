/* SPDX-License-Identifier: MIT */
#include "bench/workload/uts.h"

#include <math.h>
#include <string.h>

#include <nettle/sha1.h>

/* T1, T3, T1L and T3L with their totals as published; the small ones are of the same kinds. */
static const struct uts_tree trees[] = {
	{"tiny-geometric", "-t 1 -a 3 -d 6 -b 4 -r 19", UTS_GEOMETRIC, 4, 0, 0, 6, 19, {16000, 12839, 6}},
	{"tiny-binomial", "-t 0 -b 100 -q 0.12 -m 8 -r 42", UTS_BINOMIAL, 100, 0.12, 8, 0, 42, {981, 870, 17}},
	/* hardly a tree: a few chains, for what happens to deep stacks */
	{"tiny-deep", "-t 0 -b 20 -q 0.9985 -m 1 -r 19", UTS_BINOMIAL, 20, 0.9985, 1, 0, 19, {13828, 20, 4775}},
	{"T1", "-t 1 -a 3 -d 10 -b 4 -r 19", UTS_GEOMETRIC, 4, 0, 0, 10, 19, {4130071, 3305118, 10}},
	{"T3", "-t 0 -b 2000 -q 0.124875 -m 8 -r 42", UTS_BINOMIAL, 2000, 0.124875, 8, 0, 42, {4112897, 3599034, 1572}},
	{"T1L", "-t 1 -a 3 -d 13 -b 4 -r 29", UTS_GEOMETRIC, 4, 0, 0, 13, 29, {102181082, 81746377, 13}},
	{"T3L",
	 "-t 0 -b 2000 -q 0.200014 -m 5 -r 7",
	 UTS_BINOMIAL,
	 2000,
	 0.200014,
	 5,
	 0,
	 7,
	 {111345631, 89076904, 17844}},
};

const struct uts_tree *uts_find(const char *name)
{
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++)
		if (!strcmp(trees[i].name, name))
			return &trees[i];
	return NULL;
}

static void put_big_endian(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 24);
	to[1] = (uint8_t)(value >> 16);
	to[2] = (uint8_t)(value >> 8);
	to[3] = (uint8_t)value;
}

static void hash(const uint8_t *text, size_t length, uint8_t *state)
{
	struct sha1_ctx sha1;

	sha1_init(&sha1);
	sha1_update(&sha1, length, text);
	sha1_digest(&sha1, UTS_STATE, state);
}

void uts_root(const struct uts_tree *tree, struct uts_node *root)
{
	uint8_t text[UTS_STATE] = {0};

	put_big_endian(text + 16, tree->seed);
	hash(text, sizeof(text), root->state);
	root->depth = 0;
}

void uts_child(const struct uts_node *parent, uint32_t index, struct uts_node *child)
{
	uint8_t text[UTS_STATE + 4];

	memcpy(text, parent->state, UTS_STATE);
	put_big_endian(text + UTS_STATE, index);
	hash(text, sizeof(text), child->state);
	child->depth = parent->depth + 1;
}

/* Uniform in [0, 1): the last 31 bits of the state. */
static double uniform(const struct uts_node *node)
{
	const uint8_t *s = node->state + 16;
	uint32_t word = (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 | (uint32_t)s[2] << 8 | s[3];

	return (word & 0x7fffffff) / 2147483648.0;
}

unsigned uts_children(const struct uts_tree *tree, const struct uts_node *node)
{
	double count;

	if (tree->shape == UTS_BINOMIAL) {
		if (node->depth == 0)
			return (unsigned)tree->b0;
		return uniform(node) < tree->q ? tree->m : 0;
	}
	if (node->depth >= tree->d)
		return 0;
	count = floor(log(1 - uniform(node)) / log(1 - 1 / (1 + tree->b0)));
	return count < UTS_CHILDREN_MOST ? (unsigned)count : UTS_CHILDREN_MOST;
}

struct uts_totals uts_walk(const struct uts_tree *tree, const struct uts_node *node)
{
	unsigned children = uts_children(tree, node);
	struct uts_totals sum = uts_alone(node, children);

	for (unsigned i = 0; i < children; i++) {
		struct uts_totals below;
		struct uts_node child;

		uts_child(node, i, &child);
		below = uts_walk(tree, &child);
		uts_add(&sum, &below);
	}
	return sum;
}
