/* SPDX-License-Identifier: MIT */
#include "tools/sim/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/uts.h"

/* README: uts T1, serial, 60.2 ns a node; fib by pointers, 6.1 ns for a fork and two calls, of which the
 * fork is 2.6; a loop's is anything. */
#define UTS_NS 60.2
#define FIB_NS 1.75
#define LOOP_NS 10
#define FIB_MOST 50
#define LOOP_MOST UINT32_MAX
#define LOOP_PIECES_MOST UINT64_C(50000000)
/* As core/task/loop.c. */
#define PIECES 32

/* ---- uts ---- */

struct walk {
	struct load *l;
	const struct uts_tree *tree;
	uint64_t next; /* to be numbered */
	struct uts_totals totals;
};

static void number(struct walk *w, const struct uts_node *node)
{
	uint64_t at = w->next++;
	unsigned children = uts_children(w->tree, node);
	struct uts_totals alone = uts_alone(node, children);

	uts_add(&w->totals, &alone);
	if (at < w->l->nodes)
		w->l->children[at] = (uint16_t)children;
	for (unsigned i = 0; i < children; i++) {
		struct uts_node child;

		uts_child(node, i, &child);
		number(w, &child);
	}
	if (at < w->l->nodes)
		w->l->size[at] = (uint32_t)(w->next - at);
}

static int make_uts(struct load *l, const char *name, char *message, size_t size)
{
	struct walk w = {.l = l, .tree = uts_find(name)};
	struct uts_node root;

	if (!w.tree) {
		snprintf(message, size, "there is no tree '%.40s'; T1 and T3 are, and what bench --list has", name);
		return -EINVAL;
	}
	l->kind = LOAD_UTS;
	l->work_ns = UTS_NS;
	l->nodes = w.tree->expected.nodes;
	l->leaves = l->value = w.tree->expected.leaves;
	l->depth = (uint32_t)w.tree->expected.depth;
	l->children = malloc(l->nodes * sizeof(*l->children));
	l->size = malloc(l->nodes * sizeof(*l->size));
	if (!l->children || !l->size)
		return -ENOMEM;
	uts_root(w.tree, &root);
	number(&w, &root);
	if (w.totals.nodes == l->nodes && w.totals.leaves == l->leaves && w.totals.depth == l->depth)
		return 0;
	snprintf(message, size, "the tree has %" PRIu64 " nodes, not %" PRIu64, w.totals.nodes, l->nodes);
	return -EINVAL;
}

/* ---- fib and loops ---- */

static void make_fib(struct load *l, uint64_t n)
{
	uint64_t a = 0, b = 1;

	l->kind = LOAD_FIB;
	l->work_ns = FIB_NS;
	l->calls_last = true;
	l->n = n;
	l->depth = n < 2 ? 0 : (uint32_t)n - 1;
	for (uint64_t i = 0; i < n; i++) {
		b += a;
		a = b - a;
	}
	l->value = a;
	l->leaves = b; /* fib(n + 1) */
	l->nodes = 2 * b - 1;
}

static void count_pieces(struct load *l, uint64_t node, uint32_t depth)
{
	unsigned children = load_children(l, node);
	uint64_t child = 0;

	l->nodes++;
	l->leaves += !children;
	if (depth > l->depth)
		l->depth = depth;
	for (unsigned i = 0; i < children; i++) {
		child = load_child(l, node, i, child);
		count_pieces(l, child, depth + 1);
	}
}

static int make_loop(struct load *l, uint64_t n, uint64_t grain, unsigned cpus, char *message, size_t size)
{
	l->kind = LOAD_LOOP;
	l->work_ns = LOOP_NS;
	l->calls_last = true;
	l->n = l->value = n;
	l->grain = grain ? grain : n / ((uint64_t)cpus * PIECES) ? n / ((uint64_t)cpus * PIECES) : 1;
	if (n / l->grain > LOOP_PIECES_MOST) {
		snprintf(message, size, "%" PRIu64 " pieces, and %" PRIu64 " is the most", n / l->grain,
			 LOOP_PIECES_MOST);
		return -EINVAL;
	}
	count_pieces(l, load_root(l), 0);
	return 0;
}

static int digits(const char *text, uint64_t least, uint64_t most, const char **end, uint64_t *out)
{
	*out = 0;
	for (*end = text; **end >= '0' && **end <= '9' && *out <= most; ++*end)
		*out = *out * 10 + (uint64_t)(**end - '0');
	return *end == text || *out < least || *out > most ? -EINVAL : 0;
}

static int make(struct load *l, const char *text, unsigned cpus, char *message, size_t size)
{
	uint64_t n, grain = 0;
	const char *end;

	if (!strncmp(text, "uts:", 4))
		return make_uts(l, text + 4, message, size);
	if (!strncmp(text, "fib:", 4)) {
		if (!digits(text + 4, 0, FIB_MOST, &end, &n) && !*end) {
			make_fib(l, n);
			return 0;
		}
		snprintf(message, size, "fib is of a number from 0 to %d", FIB_MOST);
		return -EINVAL;
	}
	if (!strncmp(text, "loop:", 5)) {
		if (!digits(text + 5, 1, LOOP_MOST, &end, &n) &&
		    (!*end || (*end == ':' && !digits(end + 1, 1, LOOP_MOST, &end, &grain) && !*end)))
			return make_loop(l, n, grain, cpus, message, size);
		snprintf(message, size,
			 "a loop is of a number of iterations, and perhaps :GRAIN, both from 1 to %" PRIu32, LOOP_MOST);
		return -EINVAL;
	}
	snprintf(message, size, "the loads are uts:TREE, fib:N, loop:N, loop:N:GRAIN");
	return -EINVAL;
}

struct load *load_make(const char *text, unsigned cpus, char *message, size_t size)
{
	struct load *l = calloc(1, sizeof(*l));
	int r = l ? make(l, text, cpus, message, size) : -ENOMEM;

	if (r == -ENOMEM)
		snprintf(message, size, "no memory");
	if (r) {
		load_free(l);
		return NULL;
	}
	snprintf(l->name, sizeof(l->name), "%s", text);
	return l;
}

void load_free(struct load *l)
{
	if (!l)
		return;
	free(l->children);
	free(l->size);
	free(l);
}

/* ---- bounds ---- */

/* Children have higher numbers, so from the last on each has been seen before its parent. */
static int bounds_uts(const struct load *l, uint64_t *work, uint64_t *span)
{
	uint64_t *below = malloc(l->nodes * sizeof(*below));

	if (!below)
		return -ENOMEM;
	for (uint64_t at = l->nodes; at-- > 0;) {
		uint64_t longest = 0, child = 0, own = load_work(l, at);

		for (unsigned i = 0; i < l->children[at]; i++) {
			child = load_child(l, at, i, child);
			if (below[child] > longest)
				longest = below[child];
		}
		below[at] = own + longest;
		*work += own;
	}
	*span = below[0];
	free(below);
	return 0;
}

static void bounds_fib(const struct load *l, uint64_t *work, uint64_t *span)
{
	uint64_t calls[FIB_MOST + 1] = {0}, below[FIB_MOST + 1];

	calls[l->n] = 1;
	for (uint64_t n = l->n;; n--) {
		*work += calls[n] * load_work(l, n);
		if (n >= 2) {
			calls[n - 1] += calls[n];
			calls[n - 2] += calls[n];
		}
		if (!n)
			break;
	}
	for (uint64_t n = 0; n <= l->n; n++)
		below[n] = load_work(l, n) + (n < 2 ? 0 : below[n - 1] > below[n - 2] ? below[n - 1] : below[n - 2]);
	*span = below[l->n];
}

static uint64_t bounds_loop(const struct load *l, uint64_t node, uint64_t *work)
{
	uint64_t longest = 0, child = 0, own = load_work(l, node);
	unsigned children = load_children(l, node);

	*work += own;
	for (unsigned i = 0; i < children; i++) {
		uint64_t below;

		child = load_child(l, node, i, child);
		below = bounds_loop(l, child, work);
		if (below > longest)
			longest = below;
	}
	return own + longest;
}

int load_bounds(const struct load *l, uint64_t *work, uint64_t *span)
{
	*work = *span = 0;
	if (l->kind == LOAD_UTS)
		return bounds_uts(l, work, span);
	if (l->kind == LOAD_FIB)
		bounds_fib(l, work, span);
	else
		*span = bounds_loop(l, load_root(l), work);
	return 0;
}
