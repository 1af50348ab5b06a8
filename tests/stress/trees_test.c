/* SPDX-License-Identifier: MIT */
/*
 * trees_test.c - trees whose nodes are made in every way there is: forked,
 * created and joined, sent off under a wait group; they yield, wait, exit. Each
 * node's number must come into the sum exactly once.
 */
#include <pthread.h>

#include "tests/stress/rounds.h"

struct node {
	uint64_t seed;
	unsigned depth;
	uint64_t *sum;
	perch_waitgroup_t *wg;
};

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdu;
	x ^= x >> 29;
	x *= 0xc4ceb9fe1a85ec53u;
	return x ^ x >> 32;
}

static unsigned children_of(const struct node *n)
{
	return n->depth ? (unsigned)(mix(n->seed) % 5) : 0;
}

static struct node child_of(const struct node *n, unsigned i)
{
	return (struct node){mix(n->seed * 5 + i + 1), n->depth - 1, n->sum, NULL};
}

static uint64_t expected(const struct node *n)
{
	uint64_t sum = n->seed;

	for (unsigned i = 0; i < children_of(n); i++) {
		struct node c = child_of(n, i);

		sum += expected(&c);
	}
	return sum;
}

static void visit(struct node *n);

static void as_task(void *arg)
{
	visit(arg);
}

static void *as_thread(void *arg)
{
	visit(arg);
	if (((struct node *)arg)->seed % 3 == 0)
		perch_exit(arg);
	return arg;
}

static void under_group(void *arg)
{
	struct node *n = arg;
	perch_waitgroup_t *wg = n->wg;

	visit(n);
	ASSERT_EQ(perch_waitgroup_done(wg), 0);
}

enum { HERE, FORKED, CREATED, SENT };

static void visit(struct node *n)
{
	unsigned count = children_of(n), sent = 0;
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	struct node child[4];
	perch_call_t call[4];
	perch_t thread[4];
	uint8_t how[4];

	__atomic_add_fetch(n->sum, n->seed, __ATOMIC_RELAXED);
	moved();
	if (harness_random_below(8) == 0)
		perch_yield();
	for (unsigned i = 0; i < count; i++) {
		child[i] = child_of(n, i);
		how[i] = (uint8_t)harness_random_below(4);
		switch (how[i]) {
		case FORKED:
			ASSERT_EQ(perch_fork(&call[i], as_task, &child[i]), 0);
			break;
		case CREATED:
			ASSERT_EQ(perch_create(&thread[i], NULL, as_thread, &child[i]), 0);
			break;
		case SENT:
			child[i].wg = &wg;
			sent++;
			ASSERT_EQ(perch_waitgroup_add(&wg, 1), 0);
			ASSERT_EQ(perch_go(under_group, &child[i]), 0);
			break;
		default:
			visit(&child[i]);
		}
	}
	if (sent && harness_random_below(2))
		ASSERT_EQ(perch_waitgroup_wait(&wg), 0);
	/* forwards or backwards */
	for (unsigned k = 0, back = (unsigned)harness_random_below(2); k < count; k++) {
		unsigned i = back ? count - 1 - k : k;
		void *result;

		if (how[i] == FORKED)
			ASSERT_EQ(perch_sync(&call[i]), 0);
		if (how[i] == CREATED) {
			ASSERT_EQ(perch_join(thread[i], &result), 0);
			ASSERT_EQ(result, &child[i]);
		}
	}
	if (sent)
		ASSERT_EQ(perch_waitgroup_wait(&wg), 0);
}

static void one_tree(unsigned depth)
{
	uint64_t sum = 0;
	struct node root = {harness_random(), depth, &sum, NULL};

	visit(&root);
	ASSERT_EQ(__atomic_load_n(&sum, __ATOMIC_ACQUIRE), expected(&root));
}

static void *grow(void *arg)
{
	while (round_goes_on())
		one_tree(6);
	return arg;
}

STRESS(trees_lose_nothing)
{
	rounds_begin(1);
	while (rounds_next()) {
		pthread_t p[3];
		perch_t t[3];
		perch_attr_t a;

		perch_attr_init(&a);
		for (int i = 0; i < 3; i++) {
			/* of these, some have room to run what they join on their own stack */
			perch_attr_setstacksize(&a, (size_t)(i ? 64 : 1024) << 10);
			ASSERT_EQ(perch_create(&t[i], &a, grow, NULL), 0);
			ASSERT_EQ(pthread_create(&p[i], NULL, grow, NULL), 0);
		}
		for (int i = 0; i < 3; i++) {
			ASSERT_EQ(perch_join(t[i], NULL), 0);
			ASSERT_EQ(pthread_join(p[i], NULL), 0);
		}
	}
}

/* What is not waited for is there until it has ended: perch_stop() sees to it. */
struct sent {
	uint64_t made, ended;
};

static void spread(void *arg)
{
	struct sent *s = arg;
	uint64_t alive = __atomic_load_n(&s->made, __ATOMIC_RELAXED) - __atomic_load_n(&s->ended, __ATOMIC_RELAXED);

	for (unsigned i = (unsigned)harness_random_below(alive < 5000 ? 4 : 2); i && round_goes_on(); i--) {
		__atomic_add_fetch(&s->made, 1, __ATOMIC_RELAXED);
		ASSERT_EQ(perch_go(spread, s), 0);
		if (harness_random_below(4) == 0)
			perch_yield();
	}
	moved();
	__atomic_add_fetch(&s->ended, 1, __ATOMIC_RELAXED);
}

STRESS(stop_waits_for_all)
{
	struct sent s = {0, 0};

	rounds_begin(1);
	while (rounds_next()) {
		ASSERT_EQ(s.made, s.ended); /* the last round's */
		while (round_goes_on()) {
			for (int i = 0; i < 50; i++) {
				__atomic_add_fetch(&s.made, 1, __ATOMIC_RELAXED);
				ASSERT_EQ(perch_go(spread, &s), 0);
			}
			if (harness_random_below(50) == 0)
				break; /* stop now, in the midst of it */
		}
	}
	EXPECT_EQ(s.made, s.ended);
}
