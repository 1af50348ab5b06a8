/* SPDX-License-Identifier: MIT */
/* pool_test.c - objects come, go, and change CPUs; none is lost, none is had twice. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "rseq/pool.h"
#include "rseq/ring.h"
#include "tests/harness/harness.h"
#include "tests/rseq/area.h"

#define LIST 4
#define BATCH 16
#define CHUNK 8
#define MOST 4096

struct object {
	struct pool_node free;
	uint32_t holder;  /* 0: nobody */
	uint32_t retired; /* how often */
};

static struct object objects[MOST];
static unsigned made, most = MOST;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static struct pool_node *retired; /* chains, to be handed out again */
static bool refuse;
static struct pool pool;

static struct pool_node *make(struct pool *p, uint32_t group)
{
	struct pool_node *chain;

	(void)p;
	(void)group;
	pthread_mutex_lock(&making);
	chain = retired;
	if (chain) {
		retired = chain->chain;
	} else if (made + CHUNK <= most) {
		chain = pool_link((char *)&objects[made], sizeof(objects[0]), CHUNK);
		made += CHUNK;
	}
	pthread_mutex_unlock(&making);
	return chain;
}

static bool retire(struct pool *p, struct pool_node *chains, uint32_t group)
{
	(void)p;
	(void)group;
	if (refuse)
		return false;
	for (struct pool_node *c = chains, *next; c; c = next) {
		next = c->chain;
		for (struct section_node *n = &c->node; n; n = n->next)
			((struct object *)n)->retired++;
		pthread_mutex_lock(&making);
		c->chain = retired;
		retired = c;
		pthread_mutex_unlock(&making);
	}
	return true;
}

/* Takes one; says so when somebody else has it. */
static struct object *take(uint32_t who)
{
	struct object *o = pool_get(&pool);

	if (o)
		ASSERT_EQ(__atomic_exchange_n(&o->holder, who, __ATOMIC_RELAXED), 0);
	return o;
}

static void give(struct object *o, uint32_t who)
{
	ASSERT_EQ(__atomic_exchange_n(&o->holder, 0, __ATOMIC_RELAXED), who);
	pool_put(&pool, o);
}

/* From the calling CPU, whatever can still be had; they stay taken. */
static unsigned take_all(void)
{
	unsigned n = 0;

	while (take(1))
		n++;
	return n;
}

/* Moves what is on each CPU's list to where take_all() can get it. */
static void flush(const int *cpus, int n)
{
	for (int i = 0; i < n; i++) {
		struct section_node **list = &percpu_of(cpus[i])->list[LIST];

		if (!*list)
			continue;
		((struct pool_node *)*list)->chain = pool.depot[0].chain;
		pool.depot[0].chain = (struct pool_node *)*list;
		pool.depot[0].chains++;
		*list = NULL;
	}
}

FIXTURE(pool)
{
	int cpus[64];
	int n;
	struct percpu *a;
};

FIXTURE_SETUP(pool)
{
	self->n = area_cpus(self->cpus, 64);
	area_pin(self->cpus[0]);
	area_start();
	for (int i = 0; i < self->n; i++)
		percpu_activate(self->cpus[i], 0);
	self->a = percpu_of(self->cpus[0]);
	pool_start(&pool, LIST, BATCH, make, retire);
}

FIXTURE_TEARDOWN(pool)
{
}

TEST_F(pool, last_put_first_got)
{
	struct object *a = take(1), *b = take(1), *c;

	ASSERT_NE(a, NULL);
	EXPECT_EQ(made, CHUNK);
	EXPECT_EQ(self->a->list[LIST]->depth, CHUNK - 2);
	give(a, 1);
	give(b, 1);
	c = take(1);
	EXPECT_EQ(c, b);
	EXPECT_EQ(take(1), a);
	EXPECT_EQ(made, CHUNK);
}

TEST_F(pool, full_lists_move_to_the_depot_and_back)
{
	struct object *o[3 * BATCH];

	for (int i = 0; i < 3 * BATCH; i++)
		ASSERT_NE(o[i] = take(1), NULL);
	EXPECT_EQ(made, 3 * BATCH);
	for (int i = 0; i < 3 * BATCH; i++)
		give(o[i], 1);
	EXPECT_EQ(pool.depot[0].chains, 2);
	EXPECT_EQ(self->a->list[LIST]->depth, BATCH);
	/* that costs no call */
	for (int i = 0; i < 3 * BATCH; i++)
		EXPECT_EQ(o[i]->retired, 0);
	for (int i = 0; i < 3 * BATCH; i++)
		ASSERT_NE(take(1), NULL);
	EXPECT_EQ(made, 3 * BATCH); /* all of it from there */
	EXPECT_EQ(pool.depot[0].chains, 0);
	EXPECT_NULL(pool.depot[0].chain);
}

static unsigned retired_of(struct object **o, int n)
{
	unsigned sum = 0;

	for (int i = 0; i < n; i++)
		sum += o[i]->retired;
	return sum;
}

TEST_F(pool, what_lies_in_the_depot_for_a_tick_retires_once)
{
	struct object *o[4 * BATCH];
	unsigned budget = 1;

	for (int i = 0; i < 4 * BATCH; i++)
		ASSERT_NE(o[i] = take(1), NULL);
	EXPECT_FALSE(pool_is_warm(&pool));
	for (int i = 0; i < 4 * BATCH; i++)
		give(o[i], 1);
	EXPECT_EQ(pool.depot[0].chains, 3);
	EXPECT_TRUE(pool_is_warm(&pool));
	EXPECT_TRUE(pool_retire(&pool, &budget)); /* nothing is old yet */
	EXPECT_EQ(budget, 1);
	EXPECT_TRUE(pool_tick(&pool));
	EXPECT_EQ(retired_of(o, 4 * BATCH), 0);
	/* one chain is used meanwhile, and comes back: it is no surplus */
	for (int i = 0; i < 2 * BATCH; i++)
		ASSERT_NE(o[i] = take(1), NULL);
	for (int i = 0; i < 2 * BATCH; i++)
		give(o[i], 1);
	EXPECT_FALSE(pool_retire(&pool, &budget)); /* two to do */
	EXPECT_EQ(budget, 0);
	budget = 10;
	EXPECT_TRUE(pool_retire(&pool, &budget));
	EXPECT_EQ(budget, 9);
	EXPECT_EQ(pool.depot[0].chains, 1);
	EXPECT_TRUE(pool_tick(&pool)); /* the one that was used */
	EXPECT_TRUE(pool_retire(&pool, &budget));
	EXPECT_EQ(budget, 8);
	EXPECT_FALSE(pool_tick(&pool));
	EXPECT_FALSE(pool_is_warm(&pool));
	/* all are to be had, each retired once but those on the CPU's list */
	for (int i = 0; i < 4 * BATCH; i++)
		ASSERT_NE(o[i] = take(1), NULL);
	EXPECT_EQ(made, 4 * BATCH);
	EXPECT_EQ(pool.depot[0].chains, 0);
	EXPECT_EQ(retired_of(o, 4 * BATCH), 3 * BATCH);
	for (int i = 0; i < 4 * BATCH; i++)
		EXPECT_LT(o[i]->retired, 2);
}

TEST_F(pool, what_cannot_retire_stays)
{
	struct object *o[2 * BATCH];
	unsigned budget = 10;

	for (int i = 0; i < 2 * BATCH; i++)
		ASSERT_NE(o[i] = take(1), NULL);
	for (int i = 0; i < 2 * BATCH; i++)
		give(o[i], 1);
	EXPECT_TRUE(pool_tick(&pool));
	refuse = true;
	EXPECT_TRUE(pool_retire(&pool, &budget));
	refuse = false;
	EXPECT_EQ(pool.depot[0].chains, 1);
	EXPECT_TRUE(pool_tick(&pool)); /* to be tried again */
	EXPECT_TRUE(pool_retire(&pool, &budget));
	EXPECT_EQ(pool.depot[0].chains, 0);
	EXPECT_EQ(take_all(), most);
}

TEST_F(pool, lists_of_cpus_are_collected)
{
	struct section_node *list[LIST + 1];
	struct object *o[2 * CHUNK];
	uint32_t group = 99;

	for (int i = 0; i < 2 * CHUNK; i++)
		ASSERT_NE(o[i] = take(1), NULL);
	for (int i = 0; i < CHUNK; i++)
		give(o[i], 1);
	for (int i = 1; i < self->n; i++)
		EXPECT_EQ(pool_collect(self->cpus[i], LIST + 1, list, &group), -ENOENT);
	if (!percpu_locked) {
		ASSERT_TRUE(percpu_freeze(self->a, PERCPU_ACTIVE));
		EXPECT_EQ(pool_collect(self->cpus[0], LIST + 1, list, &group), -EBUSY);
		percpu_thaw(self->a);
	}
	ASSERT_EQ(pool_collect(self->cpus[0], LIST + 1, list, &group), 0);
	EXPECT_EQ(group, 0);
	EXPECT_NULL(self->a->list[LIST]);
	ASSERT_NE(list[LIST], NULL);
	EXPECT_EQ(list[LIST]->depth, CHUNK);
	pool_put_chain(&pool, list[LIST], group);
	EXPECT_EQ(pool.depot[0].chains, 1);
	for (int i = CHUNK; i < 2 * CHUNK; i++)
		give(o[i], 1);
	/* where a processor is no more, too */
	percpu_deactivate(self->cpus[0]);
	ASSERT_EQ(pool_collect(self->cpus[0], LIST + 1, list, &group), 0);
	pool_put_chain(&pool, list[LIST], group);
	percpu_activate(self->cpus[0], 0);
	EXPECT_EQ(take_all(), most);
}

TEST_F(pool, out_of_memory_is_null_and_nothing_is_lost)
{
	most = 5 * CHUNK;
	EXPECT_EQ(take_all(), most);
	EXPECT_NULL(pool_get(&pool));
	for (unsigned i = 0; i < most; i++)
		give(&objects[i], 1);
	EXPECT_EQ(take_all(), most);
	give(&objects[7], 1);
	EXPECT_EQ(take(1), &objects[7]);
	EXPECT_NULL(pool_get(&pool));
}

TEST_F(pool, another_groups_depot_rather_than_none)
{
	most = 2 * BATCH;
	EXPECT_EQ(take_all(), most);
	percpu_deactivate(self->cpus[0]);
	percpu_activate(self->cpus[0], 3);
	for (unsigned i = 0; i < most; i++)
		give(&objects[i], 1);
	EXPECT_EQ(pool.depot[3].chains, 1); /* a batch; the other is on the list */
	EXPECT_EQ(pool.depot[0].chains, 0);
	percpu_deactivate(self->cpus[0]);
	percpu_activate(self->cpus[0], 0);
	EXPECT_EQ(take_all(), most);
}

TEST_F(pool, works_where_no_processor_is)
{
	most = 4 * CHUNK;
	for (int i = 0; i < self->n; i++)
		percpu_deactivate(self->cpus[i]);
	EXPECT_EQ(take_all(), most);
	for (unsigned i = 0; i < most; i++)
		give(&objects[i], 1);
	EXPECT_NULL(self->a->list[LIST]);
	EXPECT_EQ(take_all(), most);
}

TEST_F(pool, works_while_frozen)
{
	struct object *o[BATCH + 2];

	area_need_sections();
	for (int i = 0; i < BATCH + 2; i++)
		ASSERT_NE(o[i] = take(1), NULL);
	most = made;
	for (int i = 0; i < BATCH; i++)
		give(o[i], 1);
	self->a->flags |= PERCPU_FROZEN;
	give(o[BATCH], 1);
	give(o[BATCH + 1], 1);
	ASSERT_NE(take(1), NULL); /* from the depot */
	self->a->flags &= ~(uint32_t)PERCPU_FROZEN;
	EXPECT_EQ(take_all(), most - 1);
}

#define SWAPPERS 6

static int running;

/* Takes and gives in turns, and passes half of what it takes to whoever runs on
 * the other CPUs, by way of the run queues; moves about itself. */
static void *swap(void *number)
{
	uint32_t who = (uint32_t)(uintptr_t)number;
	struct object *held[64];
	uint64_t until = harness_now() + 1000000000;
	unsigned n = 0, limit = most / SWAPPERS;
	int cpus[64], n_cpus = area_cpus(cpus, 64);
	uintptr_t passed;

	if (limit > 64)
		limit = 64;
	while (harness_now() < until) {
		if (harness_random_below(100) == 0)
			area_pin(cpus[harness_random_below((uint64_t)n_cpus)]);
		for (unsigned k = (unsigned)harness_random_below(64); k; k--) {
			struct object *o;

			if (harness_random_below(2) && n < limit && (o = take(who)))
				held[n++] = o;
			else if (n)
				give(held[--n], who);
		}
		if (n) {
			struct object *o = held[--n];

			__atomic_store_n(&o->holder, 99, __ATOMIC_RELAXED);
			if (ring_fair_push((uintptr_t)o) != RING_DONE)
				give(o, 99);
		}
		if (ring_fair_pop(&passed) == RING_DONE)
			give((struct object *)passed, 99);
	}
	while (n)
		give(held[--n], who);
	__atomic_sub_fetch(&running, 1, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(pool, objects_are_conserved_across_cpus)
{
	pthread_t p[SWAPPERS];
	uintptr_t passed;

	most = 40 * CHUNK;
	running = SWAPPERS;
	for (uintptr_t i = 0; i < SWAPPERS; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, swap, (void *)(i + 2)), 0);
	/* meanwhile, areas freeze, lists are collected, and what lies there retires */
	while (__atomic_load_n(&running, __ATOMIC_ACQUIRE)) {
		int cpu = self->cpus[harness_random_below((uint64_t)self->n)];
		struct section_node *list[LIST + 1];
		unsigned budget = 2;
		uint32_t group;

		ring_force(percpu_of(cpu), &passed, 0);
		harness_delay(100000);
		if (harness_random_below(4) == 0 && pool_collect(cpu, LIST + 1, list, &group) == 0)
			pool_put_chain(&pool, list[LIST], group);
		if (pool_retire(&pool, &budget))
			pool_tick(&pool);
	}
	for (int i = 0; i < SWAPPERS; i++)
		pthread_join(p[i], NULL);
	for (int i = 0; i < self->n; i++) {
		area_pin(self->cpus[i]);
		while (ring_fair_pop(&passed) == RING_DONE)
			give((struct object *)passed, 99);
	}
	flush(self->cpus, self->n);
	harness_log("%u objects made", made);
	EXPECT_GT(made, BATCH);
	/* those that were never made come out too, by make() */
	EXPECT_EQ(take_all(), most);
}
