/* SPDX-License-Identifier: MIT */
/* blocks_test.c - perch_for_numa and perch_reduce_numa, on this machine's CPUs described
 * as two nodes where that matters; and the part of a loop that another node keeps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "core/sched/aim.h"
#include "core/task/loop.h"
#include "tests/core/two_nodes.h"
#include "tests/harness/gather.h"

FIXTURE(blocks)
{
	int unused;
};
FIXTURE_VARIANT(blocks)
{
	bool thread; /* a thread runs the test; else a foreign pthread */
	bool described;
	uint32_t procs, workers;
};
FIXTURE_VARIANT_ADD(blocks, pthread){false, true, 0, 0};
FIXTURE_VARIANT_ADD(blocks, thread){true, true, 0, 0};
FIXTURE_VARIANT_ADD(blocks, thread_one_node){true, false, 0, 0};
FIXTURE_VARIANT_ADD(blocks, thread_alone){true, false, 1, 1};
FIXTURE_VARIANT_ADD(blocks, pthread_alone){false, false, 1, 1};
FIXTURE_VARIANT_ADD(blocks, thread_crowded){true, true, 0, 6};

FIXTURE_SETUP(blocks)
{
	const struct perch_config config = {.procs = variant->procs, .workers = variant->workers};

	if (variant->described)
		describe_two_nodes();
	ASSERT_EQ(perch_start(&config), 0);
}

FIXTURE_TEARDOWN(blocks)
{
	EXPECT_EQ(perch_stop(), 0);
}

static void *in_thread(void *fn)
{
	((void (*)(void))(uintptr_t)fn)();
	return NULL;
}

static void run(bool thread, void (*fn)(void))
{
	perch_t t;

	if (!thread) {
		fn();
		return;
	}
	ASSERT_EQ(perch_create(&t, NULL, in_thread, (void *)(uintptr_t)fn), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
}

#define TEST_IN(name)                                                                                                  \
	static void name(void);                                                                                        \
	TEST_F(blocks, name)                                                                                           \
	{                                                                                                              \
		run(variant->thread, name);                                                                            \
	}                                                                                                              \
	static void name(void)

enum { N = 20000 };
static uint8_t seen[N];
static int16_t node_of[2][N];

struct bounds {
	size_t begin, end, grain;
	uint32_t wrong;
};

static void mark(size_t lo, size_t hi, void *context)
{
	struct bounds *b = context;

	if (lo >= hi || lo < b->begin || hi > b->end || (b->grain && hi - lo > b->grain))
		count_up(&b->wrong);
	for (size_t i = lo; i < hi; i++)
		__atomic_add_fetch(&seen[i], 1, __ATOMIC_RELAXED);
}

static void check_range(size_t begin, size_t end, size_t grain)
{
	struct bounds b = {begin, end, grain, 0};
	size_t bad = 0;

	memset(seen, 0, sizeof(seen));
	ASSERT_EQ(perch_for_numa(begin, end, grain, mark, &b), 0);
	EXPECT_EQ(b.wrong, 0);
	for (size_t i = 0; i < N; i++)
		bad += seen[i] != (i >= begin && i < end);
	EXPECT_EQ(bad, 0);
}

TEST_IN(each_index_exactly_once)
{
	for (size_t n = 0; n < 12; n++)
		check_range(n, n + n, 0);
	check_range(0, N, 0);
	check_range(0, N, 1);
	check_range(17, N - 3, 7);
	check_range(0, N, N);
	check_range(5, 1005, (size_t)-1);
	for (int i = 0; i < 200; i++) {
		size_t begin = harness_random_below(N), end = begin + harness_random_below(N - begin + 1);

		check_range(begin, end, harness_random_below(200));
	}
}

/* Functions x -> a x + b: putting them together is associative, and not commutative. */
struct affine {
	uint64_t a, b;
};

static void compose(void *left, const void *right, void *context)
{
	struct affine *l = left;
	const struct affine *r = right;

	(void)context;
	*l = (struct affine){l->a * r->a, r->a * l->b + r->b};
}

static void add_function(size_t lo, size_t hi, void *value, void *context)
{
	for (size_t i = lo; i < hi; i++) {
		struct affine f = {2 * i + 3, i * i + 1};

		compose(value, &f, context);
	}
}

TEST_IN(reduction_in_order)
{
	static const struct affine identity = {1, 0};

	for (size_t n = 0; n < 3000; n = n * 3 / 2 + 1) {
		struct affine expected = identity, got = {77, 77}, same = identity;

		add_function(0, n, &expected, NULL);
		ASSERT_EQ(perch_reduce_numa(0, n, n % 2 ? 0 : 5, sizeof(got), &identity, add_function, compose, &got,
					    NULL),
			  0);
		EXPECT_EQ(got.a, expected.a);
		EXPECT_EQ(got.b, expected.b);
		ASSERT_EQ(perch_reduce_numa(0, n, 0, sizeof(same), &same, add_function, compose, &same, NULL), 0);
		EXPECT_EQ(same.b, expected.b);
	}
}

static void inner(size_t lo, size_t hi, void *context)
{
	__atomic_add_fetch((uint32_t *)context, (uint32_t)(hi - lo), __ATOMIC_RELAXED);
}

static void outer(size_t lo, size_t hi, void *context)
{
	for (size_t i = lo; i < hi; i++) {
		uint32_t sum = 0;

		ASSERT_EQ(i % 3 ? perch_for_numa(0, 100 + i, 0, inner, &sum) : perch_for(0, 100 + i, 0, inner, &sum),
			  0);
		perch_yield();
		ASSERT_EQ(sum, 100 + i);
		count_up(context);
	}
}

TEST_IN(one_in_another)
{
	uint32_t n = 0;

	ASSERT_EQ(perch_for_numa(0, 200, 3, outer, &n), 0);
	EXPECT_EQ(n, 200);
}

TEST_IN(bad_arguments)
{
	struct bounds b = {0, 0, 0, 0};
	uint64_t v = 1, big[PERCH_REDUCE_MAX / 8 + 1] = {0};

	EXPECT_EQ(perch_for_numa(0, 10, 0, NULL, &b), -EINVAL);
	EXPECT_EQ(perch_for_numa(10, 9, 0, mark, &b), -EINVAL);
	EXPECT_EQ(perch_reduce_numa(0, 10, 0, 0, &v, add_function, compose, &v, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce_numa(0, 10, 0, sizeof(big), big, add_function, compose, big, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce_numa(0, 10, 0, 8, NULL, add_function, compose, &v, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce_numa(0, 10, 0, 8, &v, NULL, compose, &v, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce_numa(0, 10, 0, 8, &v, add_function, NULL, &v, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce_numa(0, 10, 0, 8, &v, add_function, compose, NULL, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce_numa(1, 0, 0, 8, &v, add_function, compose, &v, NULL), -EINVAL);
	EXPECT_EQ(v, 1);
	EXPECT_EQ(b.wrong, 0);
}

TEST(without_the_runtime)
{
	struct bounds b = {0, 0, 0, 0};
	uint64_t v = 1;

	EXPECT_EQ(perch_for_numa(0, 10, 0, mark, &b), -EINVAL);
	EXPECT_EQ(perch_reduce_numa(0, 10, 0, 8, &v, add_function, compose, &v, NULL), -EINVAL);
	EXPECT_EQ(b.wrong, 0);
}

/* ---- where they run ---- */

static void note_node(size_t lo, size_t hi, void *context)
{
	int16_t *note = context;

	for (size_t i = lo; i < hi; i++) {
		for (volatile int k = 0; k < 100; k++)
			;
		note[i] = (int16_t)perch_numa_node();
	}
}

static void *twice(void *arg)
{
	size_t other = 0, first = 0;

	(void)arg;
	for (int round = 0; round < 20; round++) {
		memset(node_of, -1, sizeof(node_of));
		ASSERT_EQ(perch_for_numa(0, N, 0, note_node, node_of[0]), 0);
		ASSERT_EQ(perch_for_numa(0, N, 100, note_node, node_of[1]), 0);
		for (size_t i = 0; i < N; i++) {
			other += node_of[0][i] != node_of[1][i];
			first += node_of[0][i] == 0;
		}
	}
	EXPECT_EQ(other, 0);
	/* node 0 has half of the processors, or one more; its blocks come first */
	EXPECT_EQ(first, 20 * ((size_t)N * (unsigned)perch_numa_procs(0) / perch_procs()));
	EXPECT_EQ(node_of[0][0], 0);
	EXPECT_EQ(node_of[0][N - 1], 5);
	return NULL;
}

/* Node 5's half of the range has all the work, so that node 0 takes of it, and sends back. */
static void lopsided(size_t lo, size_t hi, void *context)
{
	note_node(lo, hi, context);
	for (size_t i = lo; i < hi; i++) {
		__atomic_add_fetch(&seen[i], 1, __ATOMIC_RELAXED);
		if (i >= N / 2 && i % 16 == 0)
			harness_delay(20000);
	}
}

static void add_lopsided(size_t lo, size_t hi, void *value, void *context)
{
	lopsided(lo, hi, context);
	add_function(lo, hi, value, NULL);
}

TEST_TIMEOUT(what_another_node_takes_is_done_once_and_in_order, 60)
{
	struct affine identity = {1, 0}, expected = identity, got;
	size_t abroad = 0, bad = 0;

	describe_two_nodes();
	ASSERT_EQ(perch_start(NULL), 0);
	for (int round = 0; round < 200 && (round < 5 || !abroad); round++) {
		ASSERT_EQ(perch_for_numa(0, N, 32, lopsided, node_of[0]), 0);
		for (size_t i = N / 2 + N / 10; i < N; i++)
			abroad += node_of[0][i] == 0;
	}
	EXPECT_GT(abroad, 0);
	memset(seen, 0, sizeof(seen));
	add_function(0, N, &expected, NULL);
	for (int round = 0; round < 5; round++) {
		ASSERT_EQ(perch_reduce_numa(0, N, 32, sizeof(got), &identity, add_lopsided, compose, &got, node_of[0]),
			  0);
		EXPECT_EQ(got.a, expected.a);
		EXPECT_EQ(got.b, expected.b);
		for (size_t i = 0; i < N; i++)
			bad += seen[i] != round + 1;
	}
	EXPECT_EQ(bad, 0);
	harness_log("%zu of node 5's indices ran on node 0", abroad);
	ASSERT_EQ(perch_stop(), 0);
}

/* Nobody helps the other node: then it is exact. */
TEST_TIMEOUT(the_same_range_runs_on_the_same_nodes, 60)
{
	perch_t t;

	if (getenv("PERCH_SHUFFLE"))
		SKIP("shuffled, threads go anywhere");
	describe_two_nodes();
	setenv("PERCH_STEAL", "node-only", 1);
	ASSERT_EQ(perch_start(NULL), 0);
	twice(NULL);
	ASSERT_EQ(perch_create(&t, NULL, twice, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- how much is kept ---- */

static void add_note_node(size_t lo, size_t hi, void *value, void *context)
{
	note_node(lo, hi, context);
	add_function(lo, hi, value, NULL);
}

static struct kept {
	size_t length, grain, kept;
	bool reduces;
} const keeps[] = {
	{N, 1, N / 8, false},   {N, 1, N / 8, true},       {N, N / 8, N / 8, false}, /* an eighth that is a grain */
	{1007, 50, 125, false}, {1007, 50, 125, true},     {1007, 300, 300, false},  /* a grain where an eighth is less
										      */
	{1007, 300, 300, true}, {1007, 1006, 1006, false}, {2, 1, 1, false},         {2, 1, 1, true},
	{300, 300, 300, false}, /* it is not cut any further, so nothing is sent */
};

/* Run on node 0, of a loop that is for node 5. */
static void *takes(void *arg)
{
	const struct kept *k = arg;
	struct affine identity = {1, 0}, expected = identity, got = identity;
	struct loop loop = {k->grain, note_node, node_of[0], aim_node(5)};
	struct reduction reduction = {k->grain, sizeof(got), &identity, add_note_node, compose, node_of[0], loop.home};
	size_t wrong = 0;

	ASSERT_EQ(perch_numa_node(), 0);
	ASSERT_NE(loop.home, NULL);
	memset(node_of[0], -1, sizeof(node_of[0]));
	if (k->reduces) {
		loop_run_reduction(&reduction, 0, k->length, &got);
		add_function(0, k->length, &expected, NULL);
	} else {
		loop_run(&loop, 0, k->length);
	}
	for (size_t i = 0; i < k->length; i++)
		wrong += node_of[0][i] != (i < k->kept ? 0 : 5);
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(got.a, expected.a);
	EXPECT_EQ(got.b, expected.b);
	return NULL;
}

/* Nobody steals from the other node, so what is kept is what runs here, and what is sent home runs there. */
TEST_TIMEOUT(of_what_is_for_another_node_an_eighth_is_kept, 60)
{
	perch_attr_t here;

	if (getenv("PERCH_SHUFFLE"))
		SKIP("shuffled, threads go anywhere");
	describe_two_nodes();
	setenv("PERCH_STEAL", "node-only", 1);
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_attr_init(&here), 0);
	ASSERT_EQ(perch_attr_setnode(&here, 0), 0);
	for (size_t i = 0; i < sizeof(keeps) / sizeof(keeps[0]); i++) {
		perch_t t;

		ASSERT_EQ(perch_create(&t, &here, takes, (void *)&keeps[i]), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- while processors come and go ---- */

static void *resizes(void *stop)
{
	unsigned all = perch_procs();

	for (unsigned i = 0; !__atomic_load_n((uint32_t *)stop, __ATOMIC_ACQUIRE); i++) {
		ASSERT_EQ(perch_set_procs(i % all + 1), 0);
		perch_yield();
	}
	ASSERT_EQ(perch_set_procs(all), 0);
	return NULL;
}

TEST_TIMEOUT(while_the_processors_change, 60)
{
	uint32_t stop = 0;
	perch_t t;

	describe_two_nodes();
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_create(&t, NULL, resizes, &stop), 0);
	for (int i = 0; i < 300; i++)
		check_range((size_t)i, N, 0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
}
