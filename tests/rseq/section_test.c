/* SPDX-License-Identifier: MIT */
/*
 * section_test.c - each section by itself: what it stores, and that its slow
 * exit has changed nothing. Two pthreads are not needed for that; what happens
 * when sections meet is the stress test's part.
 */
#include <string.h>

#include "tests/harness/harness.h"
#include "tests/rseq/area.h"

FIXTURE(section)
{
	struct percpu *a;
	struct percpu before;
};

FIXTURE_VARIANT(section)
{
	uint32_t start;
};

FIXTURE_VARIANT_ADD(section, from_0){0};
FIXTURE_VARIANT_ADD(section, at_16_bit_wrap){UINT16_MAX - 1};
FIXTURE_VARIANT_ADD(section, at_32_bit_wrap){UINT32_MAX - 1};

FIXTURE_SETUP(section)
{
	int cpu;

	area_need_sections();
	ASSERT_EQ(area_cpus(&cpu, 1), 1);
	area_pin(cpu);
	area_start();
	self->a = percpu_of(cpu);
	area_begin_at(self->a, variant->start, variant->start);
	percpu_activate(cpu, 0);
}

FIXTURE_TEARDOWN(section)
{
}

/* The operation must say SLOW and leave no trace, whatever the flags other than ACTIVE alone. */
#define EXPECT_SLOW(operation)                                                                                         \
	do {                                                                                                           \
		self->before = *self->a;                                                                               \
		EXPECT_EQ((operation), SECTION_SLOW);                                                                  \
		EXPECT_EQ(memcmp(&self->before, self->a, sizeof(self->before)), 0);                                    \
	} while (0)

#define EXPECT_SLOW_UNLESS_ACTIVE(operation)                                                                           \
	do {                                                                                                           \
		static const uint32_t flags[] = {0, PERCPU_FROZEN, PERCPU_ACTIVE | PERCPU_FROZEN, PERCPU_BY_LOCK};     \
		for (unsigned i_ = 0; i_ < 4; i_++) {                                                                  \
			self->a->flags = flags[i_];                                                                    \
			EXPECT_SLOW(operation);                                                                        \
		}                                                                                                      \
		self->a->flags = PERCPU_ACTIVE;                                                                        \
	} while (0)

TEST_F(section, push)
{
	struct percpu *a = self->a;

	for (uint32_t i = 0; i < 4; i++) {
		ASSERT_EQ(section_push(100 + i), SECTION_DONE);
		EXPECT_EQ(a->tail, variant->start + i + 1);
		EXPECT_EQ(a->slot[(variant->start + i) % RING_CAPACITY], 100 + i);
	}
	EXPECT_EQ(area_split(a), (uint16_t)variant->start);
	EXPECT_SLOW_UNLESS_ACTIVE(section_push(1));
	EXPECT_SLOW_UNLESS_ACTIVE(section_push_raw(1));
	a->request = 1;
	EXPECT_SLOW(section_push(1));
	EXPECT_EQ(section_push_raw(104), SECTION_DONE);
	EXPECT_EQ(a->slot[(variant->start + 4) % RING_CAPACITY], 104);
	EXPECT_EQ(a->request, 1);
}

TEST_F(section, push_full)
{
	struct percpu *a = self->a;

	for (unsigned i = 0; i < RING_CAPACITY; i++)
		ASSERT_EQ(section_push(1 + i), SECTION_DONE);
	EXPECT_SLOW(section_push(7));
	EXPECT_SLOW(section_push_raw(7));
	/* room is where head has passed, not where split has */
	a->split += (uint64_t)5 << 16;
	EXPECT_SLOW(section_push(7));
	a->split = (a->split & ~(uint64_t)0xffff) | (uint16_t)(variant->start + 1);
	EXPECT_EQ(section_push(7), SECTION_DONE);
	EXPECT_EQ(a->slot[variant->start % RING_CAPACITY], 7);
	EXPECT_SLOW(section_push(8));
}

TEST_F(section, pop)
{
	struct percpu *a = self->a;
	uintptr_t item = 0;

	EXPECT_SLOW(section_pop(&item));
	for (uintptr_t i = 1; i <= 4; i++)
		ASSERT_EQ(section_push(i), SECTION_DONE);
	EXPECT_SLOW_UNLESS_ACTIVE(section_pop(&item));
	EXPECT_SLOW_UNLESS_ACTIVE(section_pop_raw(&item));
	EXPECT_EQ(item, 0);
	ASSERT_EQ(section_pop(&item), SECTION_DONE);
	EXPECT_EQ(item, 4);
	EXPECT_EQ(a->tail, variant->start + 3);
	a->request = 1;
	EXPECT_SLOW(section_pop(&item));
	ASSERT_EQ(section_pop_raw(&item), SECTION_DONE);
	EXPECT_EQ(item, 3);
	a->request = 0;
	/* what is shared is not there for pop */
	a->split = (uint64_t)(uint16_t)(variant->start + 1) << 16 | (uint16_t)variant->start;
	ASSERT_EQ(section_pop(&item), SECTION_DONE);
	EXPECT_EQ(item, 2);
	EXPECT_SLOW(section_pop(&item));
	EXPECT_SLOW(section_pop_raw(&item));
}

TEST_F(section, pop_if)
{
	struct percpu *a = self->a;

	EXPECT_SLOW(section_pop_if(1));
	for (uintptr_t i = 1; i <= 3; i++)
		ASSERT_EQ(section_push(i), SECTION_DONE);
	EXPECT_SLOW(section_pop_if(2));
	EXPECT_SLOW(section_pop_if_raw(2));
	EXPECT_SLOW_UNLESS_ACTIVE(section_pop_if(3));
	EXPECT_SLOW_UNLESS_ACTIVE(section_pop_if_raw(3));
	EXPECT_EQ(section_pop_if(3), SECTION_DONE);
	EXPECT_EQ(a->tail, variant->start + 2);
	a->request = 1;
	EXPECT_SLOW(section_pop_if(2));
	EXPECT_EQ(section_pop_if_raw(2), SECTION_DONE);
	EXPECT_EQ(a->tail, variant->start + 1);
}

TEST_F(section, publish)
{
	struct percpu *a = self->a;
	uint64_t version = 77;

	EXPECT_SLOW(section_publish());
	for (uintptr_t i = 1; i <= 5; i++)
		ASSERT_EQ(section_push(i), SECTION_DONE);
	EXPECT_SLOW_UNLESS_ACTIVE(section_publish());
	a->split |= version << 32;
	a->request = 1;                             /* does not matter to it */
	ASSERT_EQ(section_publish(), SECTION_DONE); /* 3 of 5 */
	EXPECT_EQ(area_split(a), (uint16_t)(variant->start + 3));
	ASSERT_EQ(section_publish(), SECTION_DONE); /* 1 of 2 */
	EXPECT_EQ(area_split(a), (uint16_t)(variant->start + 4));
	ASSERT_EQ(section_publish(), SECTION_DONE);
	EXPECT_EQ(area_split(a), (uint16_t)(variant->start + 5));
	EXPECT_SLOW(section_publish());
	EXPECT_EQ(area_head(a), (uint16_t)variant->start);
	EXPECT_EQ(a->split >> 32, version);
	EXPECT_EQ(a->tail, variant->start + 5);
}

TEST_F(section, publish_full_ring)
{
	for (unsigned i = 0; i < RING_CAPACITY; i++)
		ASSERT_EQ(section_push(1 + i), SECTION_DONE);
	ASSERT_EQ(section_publish(), SECTION_DONE);
	EXPECT_EQ(area_split(self->a), (uint16_t)(variant->start + RING_CAPACITY / 2));
	EXPECT_EQ(area_head(self->a), (uint16_t)variant->start);
}

TEST_F(section, fair)
{
	struct percpu *a = self->a;
	uintptr_t item = 0;

	EXPECT_SLOW(section_fair_pop(&item));
	for (uintptr_t i = 1; i <= FAIR_CAPACITY; i++)
		ASSERT_EQ(section_fair_push(i), SECTION_DONE);
	EXPECT_EQ(a->fair_tail, variant->start + FAIR_CAPACITY);
	EXPECT_SLOW(section_fair_push(7));
	EXPECT_SLOW_UNLESS_ACTIVE(section_fair_pop(&item));
	for (uintptr_t i = 1; i <= FAIR_CAPACITY; i++) {
		ASSERT_EQ(section_fair_pop(&item), SECTION_DONE);
		ASSERT_EQ(item, i);
	}
	EXPECT_EQ(a->fair_head, variant->start + FAIR_CAPACITY);
	EXPECT_SLOW(section_fair_pop(&item));
	EXPECT_SLOW_UNLESS_ACTIVE(section_fair_push(7));
	a->request = 1;
	EXPECT_SLOW(section_fair_push(8));
	a->request = 0;
	EXPECT_EQ(section_fair_push(8), SECTION_DONE);
	a->request = 1; /* does not matter to a pop */
	EXPECT_EQ(section_fair_pop(&item), SECTION_DONE);
	EXPECT_EQ(item, 8);
}

#define ANY_LIST 3

TEST_F(section, list_push_and_pop)
{
	struct section_node node[5] = {{NULL, 0}}, *out = NULL;
	struct percpu *a = self->a;

	EXPECT_SLOW(section_list_pop(ANY_LIST, &out));
	for (unsigned i = 0; i < 4; i++) {
		ASSERT_EQ(section_list_push(ANY_LIST, &node[i], 4), SECTION_DONE);
		EXPECT_EQ(a->list[ANY_LIST], &node[i]);
		EXPECT_EQ(node[i].depth, i + 1);
		EXPECT_EQ(node[i].next, i ? &node[i - 1] : NULL);
	}
	EXPECT_SLOW(section_list_push(ANY_LIST, &node[4], 4)); /* the limit */
	EXPECT_EQ(node[4].depth, 0);
	EXPECT_SLOW_UNLESS_ACTIVE(section_list_push(ANY_LIST, &node[4], 9));
	EXPECT_SLOW_UNLESS_ACTIVE(section_list_pop(ANY_LIST, &out));
	EXPECT_SLOW_UNLESS_ACTIVE(section_list_take(ANY_LIST, &out));
	for (unsigned i = 4; i-- > 0;) {
		ASSERT_EQ(section_list_pop(ANY_LIST, &out), SECTION_DONE);
		EXPECT_EQ(out, &node[i]);
	}
	EXPECT_NULL(a->list[ANY_LIST]);
	for (unsigned i = 0; i < PERCPU_LISTS; i++)
		EXPECT_NULL(a->list[i]);
}

TEST_F(section, list_push_and_pop_once)
{
	struct section_node node[5] = {{NULL, 0}}, *out = NULL;
	struct percpu *a = self->a;
	uint32_t most = 4;

	EXPECT_SLOW(section_list_pop_once(ANY_LIST, &out));
	for (unsigned i = 0; i < 4; i++) {
		ASSERT_EQ(section_list_push_once(ANY_LIST, &node[i], &most), SECTION_DONE);
		EXPECT_EQ(a->list[PERCPU_LIST_ONCE + ANY_LIST], &node[i]);
		EXPECT_EQ(node[i].depth, i + 1);
		EXPECT_EQ(node[i].next, i ? &node[i - 1] : NULL);
	}
	EXPECT_SLOW(section_list_push_once(ANY_LIST, &node[4], &most)); /* the limit */
	EXPECT_EQ(node[4].depth, 0);
	most = 9;
	EXPECT_SLOW_UNLESS_ACTIVE(section_list_push_once(ANY_LIST, &node[4], &most));
	EXPECT_SLOW_UNLESS_ACTIVE(section_list_pop_once(ANY_LIST, &out));
	EXPECT_NULL(out);
	for (unsigned i = 4; i-- > 0;) {
		ASSERT_EQ(section_list_pop_once(ANY_LIST, &out), SECTION_DONE);
		EXPECT_EQ(out, &node[i]);
	}
	for (unsigned i = 0; i < PERCPU_LISTS; i++)
		EXPECT_NULL(a->list[i]);
	/* the last one is within the area's lists, and is the one that the others mean by it */
	ASSERT_EQ(section_list_push_once(PERCPU_LISTS - 1 - PERCPU_LIST_ONCE, &node[0], &most), SECTION_DONE);
	ASSERT_EQ(section_list_pop(PERCPU_LISTS - 1, &out), SECTION_DONE);
	EXPECT_EQ(out, &node[0]);
	EXPECT_EQ(a->counter[0], 0);
}

TEST_F(section, lists_are_taken_from_elsewhere)
{
	struct section_node node[6] = {{NULL, 0}}, *out[3] = {NULL};
	struct percpu *a = self->a;

	for (unsigned i = 0; i < 6; i++)
		ASSERT_EQ(section_list_push(i / 2 + 4, &node[i], 9), SECTION_DONE);
	a->flags |= PERCPU_FROZEN; /* another is at it */
	EXPECT_FALSE(percpu_take_lists(a, 5, 3, out));
	a->flags = PERCPU_ACTIVE;
	EXPECT_TRUE(percpu_take_lists(a, 5, 3, out));
	EXPECT_EQ(out[0], &node[3]);
	EXPECT_EQ(out[1], &node[5]);
	EXPECT_NULL(out[2]);
	EXPECT_EQ(a->list[4], &node[1]);
	EXPECT_NULL(a->list[5]);
	EXPECT_NULL(a->list[6]);
	EXPECT_EQ(a->flags, PERCPU_ACTIVE);
	/* where no processor is any more, too */
	a->flags = 0;
	EXPECT_TRUE(percpu_take_lists(a, 4, 1, out));
	EXPECT_EQ(out[0], &node[1]);
	EXPECT_EQ(a->flags, 0);
	a->flags = PERCPU_ACTIVE;
}

TEST_F(section, list_take_and_put)
{
	struct section_node node[3] = {{NULL, 0}}, *out = NULL;
	struct percpu *a = self->a;

	EXPECT_SLOW(section_list_take(PERCPU_LISTS - 1, &out));
	for (unsigned i = 0; i < 2; i++)
		ASSERT_EQ(section_list_push(PERCPU_LISTS - 1, &node[i], 9), SECTION_DONE);
	EXPECT_SLOW(section_list_put(PERCPU_LISTS - 1, &node[2])); /* not empty */
	ASSERT_EQ(section_list_take(PERCPU_LISTS - 1, &out), SECTION_DONE);
	EXPECT_EQ(out, &node[1]);
	EXPECT_EQ(out->next, &node[0]);
	EXPECT_NULL(a->list[PERCPU_LISTS - 1]);
	EXPECT_SLOW_UNLESS_ACTIVE(section_list_put(PERCPU_LISTS - 1, out));
	ASSERT_EQ(section_list_put(PERCPU_LISTS - 1, out), SECTION_DONE);
	EXPECT_EQ(a->list[PERCPU_LISTS - 1], &node[1]);
	/* depth goes on from the chain's */
	ASSERT_EQ(section_list_push(PERCPU_LISTS - 1, &node[2], 3), SECTION_DONE);
	EXPECT_EQ(node[2].depth, 3);
}

TEST_F(section, add)
{
	struct percpu *a = self->a;

	ASSERT_EQ(section_add(PERCPU_COUNTERS - 1, 5), SECTION_DONE);
	ASSERT_EQ(section_add(PERCPU_COUNTERS - 1, (uint64_t)1 << 40), SECTION_DONE);
	ASSERT_EQ(section_add(0, (uint64_t)-1), SECTION_DONE);
	EXPECT_EQ(a->counter[PERCPU_COUNTERS - 1], ((uint64_t)1 << 40) + 5);
	EXPECT_EQ(a->counter[0], UINT64_MAX);
	EXPECT_EQ(a->counter[1], 0);
	EXPECT_SLOW_UNLESS_ACTIVE(section_add(0, 1));
}

TEST(before_the_first_start_every_section_is_slow)
{
	struct section_node node = {NULL, 0}, *chain = NULL;
	uintptr_t item = 0;

	EXPECT_EQ(section_push(1), SECTION_SLOW);
	EXPECT_EQ(section_push_raw(1), SECTION_SLOW);
	EXPECT_EQ(section_pop(&item), SECTION_SLOW);
	EXPECT_EQ(section_pop_raw(&item), SECTION_SLOW);
	EXPECT_EQ(section_pop_if(1), SECTION_SLOW);
	EXPECT_EQ(section_pop_if_raw(1), SECTION_SLOW);
	EXPECT_EQ(section_publish(), SECTION_SLOW);
	EXPECT_EQ(section_fair_push(1), SECTION_SLOW);
	EXPECT_EQ(section_fair_pop(&item), SECTION_SLOW);
	EXPECT_EQ(section_list_push(0, &node, 9), SECTION_SLOW);
	EXPECT_EQ(section_list_pop(0, &chain), SECTION_SLOW);
	EXPECT_EQ(section_list_take(0, &chain), SECTION_SLOW);
	EXPECT_EQ(section_list_put(0, &node), SECTION_SLOW);
	EXPECT_EQ(section_add(0, 1), SECTION_SLOW);
}
