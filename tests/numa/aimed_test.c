/* SPDX-License-Identifier: MIT */
/*
 * aimed_test.c - memory and work on the real nodes of this machine; the kernel is the
 * judge. Run it in a guest with several nodes (tests/vm): with one there is nothing to see.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <perch/perch.h>

#include "tests/harness/gather.h"

#define PAGES 1200

static size_t page;

static void start(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	unsetenv("PERCH_TOPOLOGY");
	ASSERT_EQ(perch_start(NULL), 0);
	if (perch_numa_nodes() < 2)
		SKIP("one node");
}

/* Of those pages that are in memory, how many are on each node; *other: on none of 64. */
static void count_pages(const char *p, size_t pages, unsigned on[64], unsigned *absent)
{
	memset(on, 0, 64 * sizeof(*on));
	*absent = 0;
	for (size_t i = 0; i < pages; i++) {
		int node = perch_numa_node_of(p + i * page);

		if (node >= 0 && node < 64)
			on[node]++;
		else
			++*absent;
	}
}

static void check_on(int where, int node)
{
	unsigned on[64], absent;
	char *p;

	ASSERT_EQ(perch_numa_alloc((void **)&p, PAGES * page, where), 0);
	count_pages(p, PAGES, on, &absent);
	EXPECT_EQ(absent, PAGES);
	memset(p, 1, PAGES * page);
	count_pages(p, PAGES, on, &absent);
	EXPECT_EQ(absent, 0);
	EXPECT_EQ(on[node], PAGES);
	EXPECT_EQ(perch_numa_free(p, PAGES * page), 0);
}

static void *all_nodes(void *own)
{
	for (int n = perch_numa_next(-1); n >= 0; n = perch_numa_next(n))
		check_on(n, n);
	check_on(PERCH_NUMA_LOCAL, (int)(intptr_t)own);
	check_on(PERCH_NUMA_FIRST_TOUCH, (int)(intptr_t)own);
	return NULL;
}

/* Whoever touches it, on whichever node. Only threads that others do not move, as they never switch. */
TEST_TIMEOUT(memory_is_on_the_node_that_was_named, 60)
{
	setenv("PERCH_STEAL", "node-only", 1);
	start();
	for (int n = perch_numa_next(-1); n >= 0; n = perch_numa_next(n)) {
		perch_attr_t a;
		perch_t t;

		ASSERT_EQ(perch_attr_init(&a), 0);
		ASSERT_EQ(perch_attr_setnode(&a, n), 0);
		ASSERT_EQ(perch_create(&t, &a, all_nodes, (void *)(intptr_t)n), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	ASSERT_EQ(perch_stop(), 0);
}

TEST(interleaved_memory_is_spread)
{
	unsigned on[64], absent, nodes;
	char *p;

	start();
	nodes = perch_numa_nodes();
	ASSERT_EQ(perch_numa_alloc((void **)&p, PAGES * page, PERCH_NUMA_INTERLEAVED), 0);
	memset(p, 1, PAGES * page);
	count_pages(p, PAGES, on, &absent);
	EXPECT_EQ(absent, 0);
	for (int n = perch_numa_next(-1); n >= 0; n = perch_numa_next(n)) {
		EXPECT_GE(on[n], PAGES / nodes - 1);
		EXPECT_LE(on[n], PAGES / nodes + 1);
	}
	EXPECT_EQ(perch_numa_free(p, PAGES * page), 0);
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- threads ---- */

static uint32_t elsewhere, ran;

static void *starts(void *node)
{
	unsigned cpu, kernels;

	if (getcpu(&cpu, &kernels) || (int)kernels != (int)(intptr_t)node)
		count_up(&elsewhere);
	count_up(&ran);
	return NULL;
}

static uint32_t aim_threads(const char *policy, unsigned each)
{
	unsigned n = 0;

	setenv("PERCH_STEAL", policy, 1);
	start();
	for (unsigned i = 0; i < each; i++) {
		for (int node = perch_numa_next(-1); node >= 0; node = perch_numa_next(node), n++) {
			perch_attr_t a;
			perch_t t;

			ASSERT_EQ(perch_attr_init(&a), 0);
			ASSERT_EQ(perch_attr_setnode(&a, node), 0);
			ASSERT_EQ(perch_create(&t, &a, starts, (void *)(intptr_t)node), 0);
			ASSERT_EQ(i % 3 ? perch_detach(t) : perch_join(t, NULL), 0);
		}
		if (i % 50 == 0)
			perch_sleep(3000000);
	}
	ASSERT_TRUE(gather(&ran, n, 60));
	harness_log("%s: %u of %u started on another node than they were aimed at", policy, elsewhere, n);
	ASSERT_EQ(perch_stop(), 0);
	return elsewhere;
}

TEST_TIMEOUT(threads_start_on_the_node_that_they_are_aimed_at, 60)
{
	EXPECT_EQ(aim_threads("node-only", 500), 0);
}

/* With help from other nodes, but only after a delay. A guest's CPU may well be off for
 * longer than that, so some are allowed for; without an aim it would be half of them, or more. */
TEST_TIMEOUT(and_mostly_so_when_other_nodes_help, 60)
{
	unsigned away = aim_threads("near-first", 500);

	EXPECT_LE(away, ran / 5);
}

/* ---- loops ---- */

enum { LOOP_PAGES = 4000, ROUNDS = 2, PASSES = 3 };

struct sums {
	char *memory;
	uint32_t near, far, unknown;
};

/* Some work for each page, so that a loop lasts for longer than a guest's CPU is off at
 * a time: what is at its end, when nodes that are done help others, is little then. */
static void touch(size_t lo, size_t hi, void *context)
{
	struct sums *s = context;

	for (size_t i = lo; i < hi; i++)
		for (size_t k = 0; k < PASSES * page; k++)
			((volatile char *)s->memory)[i * page + k % page] = (char)i;
}

static void visit(size_t lo, size_t hi, void *context)
{
	struct sums *s = context;

	for (size_t i = lo; i < hi; i++) {
		unsigned cpu, node;
		int there = perch_numa_node_of(s->memory + i * page);
		long sum = 0;

		for (size_t k = 0; k < PASSES * page; k++)
			sum += ((volatile char *)s->memory)[i * page + k % page];
		if (there < 0 || getcpu(&cpu, &node) || sum != (long)(PASSES * page) * (char)i)
			count_up(&s->unknown);
		else
			count_up(there == (int)node ? &s->near : &s->far);
	}
}

/* At least so many of a hundred pages are visited on their node; 0: well above what chance would give. */
static void two_loops(const char *policy, int where, unsigned least)
{
	enum { ALL = ROUNDS * LOOP_PAGES };
	struct sums s = {0};
	unsigned on[64], absent, nodes;

	setenv("PERCH_STEAL", policy, 1);
	start();
	nodes = perch_numa_nodes();
	for (int round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(perch_numa_alloc((void **)&s.memory, LOOP_PAGES * page, where), 0);
		ASSERT_EQ(perch_for_numa(0, LOOP_PAGES, 0, touch, &s), 0);
		ASSERT_EQ(perch_for_numa(0, LOOP_PAGES, 0, visit, &s), 0);
		count_pages(s.memory, LOOP_PAGES, on, &absent);
		EXPECT_EQ(absent, 0);
		/* it is not that all of it were on one */
		for (int n = perch_numa_next(-1); n >= 0; n = perch_numa_next(n))
			EXPECT_GT(on[n], LOOP_PAGES / nodes / (least == 100 ? 2 : 20));
		ASSERT_EQ(perch_numa_free(s.memory, LOOP_PAGES * page), 0);
	}
	harness_log("%s, %s: of %d pages %u were visited on their node, %u from another", policy,
		    where == PERCH_NUMA_BLOCKS ? "bound in blocks" : "by first touch", ALL, s.near, s.far);
	EXPECT_EQ(s.unknown, 0);
	EXPECT_EQ(s.near + s.far, ALL);
	EXPECT_GE((size_t)s.near * 100, (least ? least : 150 / (size_t)nodes) * ALL);
	ASSERT_EQ(perch_stop(), 0);
}

TEST_TIMEOUT(the_loop_that_reads_goes_where_the_loop_that_wrote_went, 60)
{
	two_loops("node-only", PERCH_NUMA_FIRST_TOUCH, 100);
}

/*
 * Other nodes help, the more the longer a guest's CPU is off: the log says. What they have helped to
 * write is on their node then, but for memory that was bound.
 */
TEST_TIMEOUT(and_mostly_so_when_others_help, 60)
{
	two_loops("near-first", PERCH_NUMA_FIRST_TOUCH, 0);
}

TEST_TIMEOUT(and_goes_where_memory_was_bound, 60)
{
	two_loops("near-first", PERCH_NUMA_BLOCKS, 75);
}

/* All by one thread, of one node: it is not who touches it that counts. */
TEST_TIMEOUT(memory_bound_in_blocks_is_where_they_run, 60)
{
	enum { ALL = LOOP_PAGES / 4 };
	struct sums s = {0};

	setenv("PERCH_STEAL", "node-only", 1);
	start();
	ASSERT_EQ(perch_numa_alloc((void **)&s.memory, ALL * page, PERCH_NUMA_BLOCKS), 0);
	touch(0, ALL, &s);
	ASSERT_EQ(perch_for_numa(0, ALL, 0, visit, &s), 0);
	EXPECT_EQ(s.near, ALL);
	EXPECT_EQ(perch_numa_free(s.memory, ALL * page), 0);
	ASSERT_EQ(perch_stop(), 0);
}
