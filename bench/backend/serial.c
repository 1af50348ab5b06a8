/* SPDX-License-Identifier: MIT */
/* serial.c - no threads at all: plain calls. What the others are compared with. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/backend/backend.h"
#include "bench/backend/deep_stack.h"
#include "bench/workload/fib.h"
#include "bench/workload/measure.h"
#include "bench/workload/nqueens.h"

static uint64_t nqueens(int n)
{
	return queens_walk((1u << n) - 1, 0, 0, 0);
}

static struct uts_totals uts(const struct uts_tree *tree)
{
	struct uts_node root;

	uts_root(tree, &root);
	return uts_walk(tree, &root);
}

static void both(void (*f)(void *), void *a, void (*g)(void *), void *b)
{
	f(a);
	g(b);
}

/* A "thread" is a record that is kept and then called, as a list of things to do would have it. */
struct record {
	void *(*fn)(void *arg);
	void *arg;
};

static void *plus_one(void *arg)
{
	return (char *)arg + 1;
}

static size_t run_records(const struct record *records, size_t n)
{
	size_t right = 0;

	for (size_t i = 0; i < n; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): make_records() filled as many */
		right += records[i].fn(records[i].arg) == (char *)records[i].arg + 1;
	return right;
}

static void make_records(struct record *records, size_t n)
{
	void *(*volatile fn)(void *arg) = plus_one;

	for (size_t i = 0; i < n; i++)
		records[i] = (struct record){fn, (void *)i};
}

static size_t flat(size_t n)
{
	static struct record *records; /* kept from run to run, as all backends do */
	static size_t room;

	if (room < n) {
		free(records);
		records = calloc(n, sizeof(*records));
		room = records ? n : 0;
	}
	if (room < n)
		return 0;
	make_records(records, n);
	return run_records(records, n);
}

static int spawned(struct crowd *c)
{
	struct record *records = calloc(c->asked, sizeof(*records));
	uint64_t start;
	int r;

	if (!records)
		return -ENOMEM;
	r = c->read(&c->before);
	start = now_ns();
	make_records(records, c->asked);
	c->ns = now_ns() - start;
	c->made = c->asked;
	if (!r)
		r = c->read(&c->peak);
	c->right = run_records(records, c->made);
	free(records);
	return r;
}

/* Two functions that call each other's turn: a call where others switch. */
static uint64_t turns[2];

static void take_turn(int me)
{
	turns[me]++;
}

static uint64_t yield(size_t n, uint64_t *ns)
{
	void (*volatile turn)(int me) = take_turn;
	uint64_t start = now_ns();

	memset(turns, 0, sizeof(turns));
	for (size_t i = 0; i < n; i++)
		turn((int)(i & 1));
	*ns = now_ns() - start;
	return turns[0] + turns[1] == n ? n : 0;
}

static const char *note(const char *workload, const char *case_name)
{
	(void)case_name;
	if (!strcmp(workload, "flat") || !strcmp(workload, "mem"))
		return "form=records,called-in-turn";
	if (!strcmp(workload, "yield"))
		return "form=calls-through-a-pointer";
	if (!strncmp(workload, "fib", 3) || !strcmp(workload, "uts") || !strcmp(workload, "nqueens") ||
	    !strcmp(workload, "sort"))
		return "form=calls";
	return NULL;
}

static const char *why(const char *workload, const char *case_name)
{
	(void)case_name;
	return strcmp(workload, "mem") != 0 ? "a call has nobody to wait for" : "a call cannot be parked";
}

static int calls(struct calls *c)
{
	calls_plain(c);
	return 0;
}

static int loop(struct memory_loop *l)
{
	for (size_t b = 0; b < l->blocks; b++)
		l->body(b, l->context);
	return 0;
}

const struct backend backend = {
	.name = "serial",
	.inside = on_deep_stack,
	.note = note,
	.why = why,
	.fib = fib_walk,
	.fib_typed = fib_walk,
	.nqueens = nqueens,
	.uts = uts,
	.both = both,
	.flat = flat,
	.yield = yield,
	.spawned = spawned,
	.calls = calls,
	.loop = loop,
};
