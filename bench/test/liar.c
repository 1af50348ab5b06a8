/* SPDX-License-Identifier: MIT */
/*
 * liar.c - a backend each of whose results is wrong by a little, in the ways a
 * broken scheduler is: something lost, something done twice. If a workload's
 * check lets one pass, it checks nothing.
 */
#include <string.h>

#include "bench/backend/backend.h"
#include "bench/workload/lines.h"
#include "bench/workload/measure.h"

static int inside(void (*fn)(void *arg), void *arg)
{
	fn(arg);
	return 0;
}

static uint64_t fib(int n)
{
	uint64_t a = 0, b = 1;

	while (n--) {
		uint64_t next = a + b;

		a = b;
		b = next;
	}
	return a - 1; /* one leaf was lost */
}

static uint64_t nqueens(int n)
{
	return n == 8 ? 93 : 0; /* one solution counted twice */
}

static struct uts_totals uts(const struct uts_tree *tree)
{
	struct uts_node root;
	struct uts_totals sum;

	uts_root(tree, &root);
	sum = uts_walk(tree, &root);
	sum.leaves--; /* the node was counted, its being a leaf lost */
	return sum;
}

/*
 * Once everything below the outermost pair is sorted: of the keys, one is lost
 * and its neighbour doubled, which leaves them in order; of the lines, two
 * change places. What each half is sorted into is the second word of its range.
 */
static bool keys;

static void both(void (*f)(void *), void *a, void (*g)(void *), void *b)
{
	static int above, lied;
	struct line *line;
	uint64_t *key;

	above++;
	f(a);
	g(b);
	above--;
	if (above || lied)
		return;
	lied = 1;
	if (keys) {
		key = ((void **)a)[1];
		key[0] = key[1];
	} else {
		struct line first;

		line = ((void **)a)[1];
		first = line[0];
		line[0] = line[100];
		line[100] = first;
	}
}

static const char *note(const char *workload, const char *case_name)
{
	(void)workload;
	keys = !strcmp(case_name, "keys");
	return NULL;
}

static size_t flat(size_t n)
{
	return n - 1;
}

static uint64_t yield(size_t n, uint64_t *ns)
{
	*ns = n;
	return 0;
}

static int crowd(struct crowd *c)
{
	c->made = c->asked;
	c->right = c->asked - 1;
	c->ns = 1;
	return c->read(&c->before) || c->read(&c->peak);
}

const struct backend backend = {
	.name = "liar",
	.inside = inside,
	.note = note,
	.fib = fib,
	.fib_typed = fib,
	.nqueens = nqueens,
	.uts = uts,
	.both = both,
	.flat = flat,
	.yield = yield,
	.spawned = crowd,
	.parked = crowd,
};
