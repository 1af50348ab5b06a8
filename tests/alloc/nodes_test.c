/* SPDX-License-Identifier: MIT */
/* nodes_test.c - with two nodes, described ones: an object that is freed far away goes home. */
#include <pthread.h>
#include <sched.h>

#include <perch/perch.h>

#include "core/alloc/cache.h"
#include "core/alloc/checked.h"
#include "core/sched/sched.h"
#include "tests/alloc/fuzz.h"
#include "tests/core/two_nodes.h"

#define MANY 5000

static unsigned char *object[MANY];
static uint32_t at;
static int nodes[2];

/* On the CPU of processor `n`: a pthread, which stays there. */
static void on_cpu(void *(*fn)(void *), unsigned n)
{
	cpu_set_t set;
	pthread_t p;
	pthread_attr_t attr;

	CPU_ZERO(&set);
	CPU_SET(sched_set()->processor[n]->cpu, &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	ASSERT_EQ(pthread_create(&p, &attr, fn, NULL), 0);
	pthread_join(p, NULL);
	pthread_attr_destroy(&attr);
}

static void *make_all(void *arg)
{
	for (int i = 0; i < MANY; i++) {
		object[i] = perch_alloc(16 + (size_t)i % 1000);
		ASSERT_NE(object[i], NULL);
		object[i][0] = 1;
	}
	nodes[at] = range_chunk(object[MANY - 1])->group;
	return arg;
}

static void *free_all(void *arg)
{
	for (int i = 0; i < MANY; i++)
		perch_free(object[i]);
	return arg;
}

static void make_here_free_there(void)
{
	on_cpu(make_all, at);
	on_cpu(free_all, !at);
}

static void *all_are_near(void *arg)
{
	unsigned far = 0;

	for (int i = 0; i < MANY; i++) {
		object[i] = perch_alloc(16 + (size_t)i % 1000);
		far += range_chunk(object[i])->group != (unsigned)nodes[at];
	}
	EXPECT_EQ(far, 0);
	free_all(NULL);
	return arg;
}

FIXTURE(nodes)
{
	int nothing;
};

FIXTURE_SETUP(nodes)
{
	describe_two_nodes();
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_GE(sched_set()->count, 2);
}

FIXTURE_TEARDOWN(nodes)
{
	EXPECT_EQ(perch_stop(), 0);
}

TEST_F(nodes, objects_go_home)
{
	struct cache_counts c;

	for (at = 0; at < 2; at++)
		make_here_free_there();
	EXPECT_NE(nodes[0], nodes[1]);
	perch_trim(); /* what is still on its way */
	cache_count(&c);
	if (!ALLOC_CHECKED) /* which keeps some back, and lets go of them elsewhere */
		EXPECT_EQ(c.sent_home, 2 * MANY);
	/* none is handed out far from its node */
	for (at = 0; at < 2; at++)
		on_cpu(all_are_near, at);
	cache_count(&c);
	if (!ALLOC_CHECKED) /* which keeps some back, and lets go of them elsewhere */
		EXPECT_EQ(c.sent_home, 2 * MANY);
}

TEST_F(nodes, random_calls)
{
	struct fuzz f = {.operations = 100000, .threads = 4, .pthreads = 3};
	struct cache_counts c;

	fuzz(&f);
	cache_count(&c);
	EXPECT_GT(c.sent_home, 1000);
	EXPECT_EQ(c.large, 0);
}
