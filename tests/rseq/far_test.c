/* SPDX-License-Identifier: MIT */
/* far_test.c - objects that belong to groups of CPUs get home, wherever they are given back. */
#include <pthread.h>
#include <stdlib.h>

#include "rseq/pool.h"
#include "rseq/ring.h"
#include "tests/harness/harness.h"
#include "tests/rseq/area.h"

#define LIST 4
#define LIST_FAR 6
#define BATCH 16
#define FAR_BATCH 8
#define CHUNK 8
#define MOST 4096
#define POOLS 2
#define GROUPS 5

struct object {
	struct pool_node free;
	uint32_t holder; /* 0: nobody */
	uint32_t retired, pool, group;
};

static struct object objects[MOST];
static unsigned made, most = MOST;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static struct pool pool[POOLS];
static struct pool_far far;

static struct pool_node *make(struct pool *p, uint32_t group)
{
	struct pool_node *chain = NULL;

	pthread_mutex_lock(&making);
	if (made + CHUNK <= most) {
		for (unsigned i = made; i < made + CHUNK; i++) {
			objects[i].pool = (uint32_t)(p - pool);
			objects[i].group = group;
		}
		chain = pool_link((char *)&objects[made], sizeof(objects[0]), CHUNK);
		made += CHUNK;
	}
	pthread_mutex_unlock(&making);
	return chain;
}

static bool retire(struct pool *p, struct pool_node *chains, uint32_t group)
{
	for (; chains; chains = chains->chain)
		for (struct section_node *n = &chains->node; n; n = n->next) {
			struct object *o = (struct object *)n;

			ASSERT_EQ(p, &pool[o->pool]);
			ASSERT_EQ(group, o->group);
			o->retired++;
		}
	return true;
}

static struct pool *home(struct pool_node *node, uint32_t *group)
{
	struct object *o = (struct object *)node;

	*group = o->group;
	return &pool[o->pool];
}

/* Takes one; says so when somebody else has it. */
static struct object *take(unsigned which, uint32_t who)
{
	struct object *o = pool_get(&pool[which]);

	if (o) {
		ASSERT_EQ(__atomic_exchange_n(&o->holder, who, __ATOMIC_RELAXED), 0);
		ASSERT_EQ(o->pool, which);
	}
	return o;
}

/* As their owner should. */
static void give(struct object *o, uint32_t who)
{
	ASSERT_EQ(__atomic_exchange_n(&o->holder, 0, __ATOMIC_RELAXED), who);
	if (pool_group_is_here(o->group))
		pool_put(&pool[o->pool], o);
	else
		pool_put_far(&far, o);
}

FIXTURE(far)
{
	int cpus[64];
	int n;
	struct percpu *a;
};

static void regroup(int cpu, uint32_t group)
{
	percpu_deactivate(cpu);
	percpu_activate(cpu, group);
}

FIXTURE_SETUP(far)
{
	self->n = area_cpus(self->cpus, 64);
	area_pin(self->cpus[0]);
	area_start();
	for (int i = 0; i < self->n; i++)
		percpu_activate(self->cpus[i], 1);
	self->a = percpu_of(self->cpus[0]);
	for (unsigned i = 0; i < POOLS; i++)
		pool_start(&pool[i], LIST + i, BATCH, make, retire);
	pool_far_start(&far, LIST_FAR, FAR_BATCH, home);
}

FIXTURE_TEARDOWN(far)
{
}

static unsigned in_depot(unsigned which, uint32_t group)
{
	unsigned n = 0;

	for (struct pool_node *c = pool[which].depot[group].chain; c; c = c->chain) {
		EXPECT_LE(c->node.depth, FAR_BATCH > BATCH ? FAR_BATCH : BATCH);
		for (struct section_node *o = &c->node; o; o = o->next) {
			unsigned depth = 0;

			for (struct section_node *rest = o; rest; rest = rest->next)
				depth++;
			EXPECT_EQ(o->depth, depth);
			EXPECT_EQ(((struct object *)o)->group, group);
			EXPECT_EQ(((struct object *)o)->pool, which);
			n++;
		}
	}
	return n;
}

TEST_F(far, a_group_is_here_where_its_processor_is)
{
	EXPECT_TRUE(pool_group_is_here(1));
	EXPECT_FALSE(pool_group_is_here(0));
	percpu_deactivate(self->cpus[0]);
	EXPECT_FALSE(pool_group_is_here(1));
	EXPECT_FALSE(pool_group_is_here(0));
}

TEST_F(far, a_full_list_goes_home_in_chains)
{
	struct object *o[FAR_BATCH + 1];

	for (int i = 0; i <= FAR_BATCH; i++)
		ASSERT_NE(o[i] = take((unsigned)i % 2, 1), NULL);
	regroup(self->cpus[0], 3);
	for (int i = 0; i < FAR_BATCH; i++)
		give(o[i], 1);
	EXPECT_EQ(self->a->list[LIST_FAR]->depth, FAR_BATCH);
	EXPECT_EQ(pool[0].depot[1].chains + pool[1].depot[1].chains, 0);
	give(o[FAR_BATCH], 1);
	EXPECT_EQ(self->a->list[LIST_FAR]->depth, 1);
	for (unsigned i = 0; i < POOLS; i++) {
		EXPECT_EQ(in_depot(i, 1), FAR_BATCH / 2);
		EXPECT_EQ(pool[i].depot[1].chains, 1); /* one lock, not one for each */
		EXPECT_EQ(pool[i].depot[3].chains, 0);
	}
	for (int i = 0; i <= FAR_BATCH; i++)
		EXPECT_EQ(o[i]->retired, 0);
}

TEST_F(far, nothing_of_another_group_is_handed_out)
{
	struct object *o[4 * BATCH];

	for (int i = 0; i < 4 * BATCH; i++)
		ASSERT_NE(o[i] = take(0, 1), NULL);
	regroup(self->cpus[0], 3);
	for (int i = 0; i < 4 * BATCH; i++)
		give(o[i], 1);
	for (int i = 0; i < 4 * BATCH; i++) {
		struct object *mine = take(0, 1);

		ASSERT_NE(mine, NULL);
		EXPECT_EQ(mine->group, 3);
	}
}

TEST_F(far, at_home_they_are_found_again)
{
	struct object *o[4 * BATCH];
	unsigned before;

	for (int i = 0; i < 4 * BATCH; i++)
		ASSERT_NE(o[i] = take(0, 1), NULL);
	regroup(self->cpus[0], 3);
	for (int i = 0; i < 4 * BATCH; i++)
		give(o[i], 1);
	before = made;
	regroup(self->cpus[0], 1);
	/* all but those that still wait in the list */
	for (int i = 0; i < 4 * BATCH - FAR_BATCH; i++)
		EXPECT_EQ(take(0, 1)->group, 1);
	EXPECT_EQ(made, before);
}

TEST_F(far, without_memory_one_at_a_time_from_afar)
{
	most = BATCH;
	for (unsigned i = 0; i < most; i++)
		ASSERT_NE(take(0, 1), NULL);
	for (unsigned i = 0; i < most; i++) {
		objects[i].holder = 0;
		pool_put_home(&pool[0], &objects[i], objects[i].group);
	}
	EXPECT_EQ(in_depot(0, 1), most);
	regroup(self->cpus[0], 3);
	self->a->list[LIST] = NULL;
	ASSERT_NE(take(0, 1), NULL);
	EXPECT_EQ(in_depot(0, 1), most - 1);
	EXPECT_NULL(self->a->list[LIST]);
	EXPECT_EQ(in_depot(0, 3), 0);
}

TEST_F(far, straight_home_where_no_processor_is_or_the_area_is_frozen)
{
	struct object *o[4];

	for (int i = 0; i < 4; i++)
		ASSERT_NE(o[i] = take(0, 1), NULL);
	regroup(self->cpus[0], 3);
	give(o[0], 1); /* waits in the list */
	if (!percpu_locked) {
		self->a->flags |= PERCPU_FROZEN;
		give(o[1], 1);
		self->a->flags &= ~(uint32_t)PERCPU_FROZEN;
		EXPECT_EQ(in_depot(0, 1), 1);
	} else {
		give(o[1], 1);
	}
	percpu_deactivate(self->cpus[0]);
	give(o[2], 1);
	EXPECT_EQ(in_depot(0, 1), percpu_locked ? 1 : 2);
	EXPECT_EQ(o[2]->retired, 0);
}

#define SWAPPERS 6

static int running;

/* Takes and gives in turns, on CPUs of several groups, moving about. */
static void *swap(void *number)
{
	uint32_t who = (uint32_t)(uintptr_t)number;
	struct object *held[64];
	uint64_t until = harness_now() + 1000000000;
	unsigned n = 0;
	int cpus[64], n_cpus = area_cpus(cpus, 64);

	while (harness_now() < until) {
		if (harness_random_below(20) == 0)
			area_pin(cpus[harness_random_below((uint64_t)n_cpus)]);
		for (unsigned k = (unsigned)harness_random_below(64); k; k--) {
			struct object *o;

			if (harness_random_below(2) && n < 64 && (o = take((unsigned)harness_random_below(POOLS), who)))
				held[n++] = o;
			else if (n)
				give(held[--n], who);
		}
	}
	while (n)
		give(held[--n], who);
	__atomic_sub_fetch(&running, 1, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(far, conserved_across_groups)
{
	unsigned found = 0, at_home = 0;
	pthread_t p[SWAPPERS];
	uintptr_t passed;

	if (self->n < 2)
		SKIP("one CPU only");
	for (int i = 0; i < self->n; i++)
		regroup(self->cpus[i], (uint32_t)i % GROUPS);
	running = SWAPPERS;
	for (uintptr_t i = 0; i < SWAPPERS; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, swap, (void *)(i + 2)), 0);
	/* meanwhile, areas freeze */
	while (__atomic_load_n(&running, __ATOMIC_ACQUIRE)) {
		ring_force(percpu_of(self->cpus[harness_random_below((uint64_t)self->n)]), &passed, 0);
		harness_delay(100000);
	}
	for (int i = 0; i < SWAPPERS; i++)
		pthread_join(p[i], NULL);
	for (int i = 0; i < self->n; i++) {
		struct percpu *a = percpu_of(self->cpus[i]);

		for (unsigned which = 0; which < POOLS; which++)
			for (struct section_node *o = a->list[LIST + which]; o; o = o->next, found++)
				EXPECT_EQ(((struct object *)o)->group, a->group);
		for (struct section_node *o = a->list[LIST_FAR]; o; o = o->next, found++)
			EXPECT_NE(((struct object *)o)->group, a->group);
	}
	for (unsigned which = 0; which < POOLS; which++)
		for (uint32_t g = 0; g < POOL_GROUPS; g++)
			at_home += in_depot(which, g);
	harness_log("%u objects made, %u in depots", made, at_home);
	EXPECT_EQ(found + at_home, made);
	EXPECT_GT(made, BATCH);
}
