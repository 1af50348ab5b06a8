/* SPDX-License-Identifier: MIT */
/*
 * ring_test.c - the run queue's operations, one after the other on one CPU, by
 * sections or by locks as the variant has it.
 */
#include <errno.h>
#include <stdlib.h>

#include "rseq/ring.h"
#include "tests/harness/harness.h"
#include "tests/rseq/area.h"

FIXTURE(ring)
{
	struct percpu *a;
	int cpu;
	uintptr_t out[RING_CAPACITY];
};

FIXTURE_VARIANT(ring)
{
	uint32_t start;
};

FIXTURE_VARIANT_ADD(ring, from_0){0};
FIXTURE_VARIANT_ADD(ring, at_16_bit_wrap){UINT16_MAX - 3};
FIXTURE_VARIANT_ADD(ring, at_32_bit_wrap){UINT32_MAX - 3};

FIXTURE_SETUP(ring)
{
	ASSERT_EQ(area_cpus(&self->cpu, 1), 1);
	area_pin(self->cpu);
	area_start();
	self->a = percpu_of(self->cpu);
	area_begin_at(self->a, variant->start, variant->start);
	percpu_activate(self->cpu, 0);
}

FIXTURE_TEARDOWN(ring)
{
	/* whatever happened, nothing stays frozen or locked */
	EXPECT_EQ(self->a->flags & PERCPU_FROZEN, 0);
	EXPECT_EQ(self->a->lock, 0);
}

static void push_from(uintptr_t from, uintptr_t to)
{
	for (uintptr_t i = from; i <= to; i++)
		ASSERT_EQ(ring_push(i), RING_DONE);
}

static void expect_pops(uintptr_t from, uintptr_t down_to)
{
	uintptr_t item;

	for (uintptr_t i = from; i >= down_to; i--) {
		ASSERT_EQ(ring_pop(&item), RING_DONE);
		ASSERT_EQ(item, i);
	}
}

TEST_F(ring, last_in_first_out_and_full)
{
	uintptr_t item = 0;

	EXPECT_EQ(ring_pop(&item), RING_EMPTY);
	push_from(1, RING_CAPACITY);
	EXPECT_EQ(ring_push(9), RING_FULL);
	EXPECT_EQ(ring_private(self->a), RING_CAPACITY);
	expect_pops(RING_CAPACITY, 1);
	EXPECT_EQ(ring_pop(&item), RING_EMPTY);
	EXPECT_EQ(item, 0);
	EXPECT_EQ(self->a->tail, variant->start);
}

TEST_F(ring, share_half_steal_half)
{
	push_from(1, 9);
	EXPECT_EQ(ring_steal(self->a, self->out, 64), 0); /* nothing is shared */
	EXPECT_TRUE(ring_publish());
	EXPECT_EQ(ring_shared(self->a), 5);
	EXPECT_EQ(ring_private(self->a), 4);
	EXPECT_EQ(ring_steal(self->a, self->out, 64), 3);
	for (uintptr_t i = 0; i < 3; i++)
		EXPECT_EQ(self->out[i], i + 1);
	EXPECT_EQ(ring_steal(self->a, self->out, 64), 1);
	EXPECT_EQ(self->out[0], 4);
	EXPECT_EQ(ring_steal(self->a, self->out, 64), 1);
	EXPECT_EQ(self->out[0], 5);
	EXPECT_EQ(ring_steal(self->a, self->out, 64), 0);
	expect_pops(9, 6);
	EXPECT_FALSE(ring_publish());
}

TEST_F(ring, steal_no_more_than_asked_for)
{
	push_from(1, 100);
	EXPECT_TRUE(ring_publish());
	EXPECT_EQ(ring_steal(self->a, self->out, 7), 7);
	for (uintptr_t i = 0; i < 7; i++)
		EXPECT_EQ(self->out[i], i + 1);
	EXPECT_EQ(ring_shared(self->a), 43);
	EXPECT_EQ(ring_steal(self->a, self->out, 0), 0);
	EXPECT_EQ(ring_shared(self->a), 43);
	EXPECT_EQ(ring_steal(self->a, self->out, 22), 22);
	EXPECT_EQ(self->out[21], 29);
}

TEST_F(ring, steal_from_a_full_ring_makes_room)
{
	push_from(1, RING_CAPACITY);
	EXPECT_TRUE(ring_publish());
	EXPECT_EQ(ring_push(9), RING_FULL); /* sharing makes none */
	EXPECT_EQ(ring_steal(self->a, self->out, RING_CAPACITY), RING_CAPACITY / 4);
	for (uintptr_t i = 0; i < RING_CAPACITY / 4; i++)
		ASSERT_EQ(self->out[i], i + 1);
	push_from(RING_CAPACITY + 1, RING_CAPACITY + RING_CAPACITY / 4);
	EXPECT_EQ(ring_push(9), RING_FULL);
	expect_pops(RING_CAPACITY + RING_CAPACITY / 4, RING_CAPACITY / 4 + 1);
}

TEST_F(ring, take_back_the_newer_half)
{
	push_from(1, 9);
	EXPECT_TRUE(ring_publish());
	EXPECT_TRUE(ring_take_back(self->a));
	EXPECT_EQ(ring_shared(self->a), 2);
	EXPECT_EQ(ring_private(self->a), 7);
	EXPECT_TRUE(ring_take_back(self->a));
	EXPECT_EQ(ring_shared(self->a), 1);
	EXPECT_TRUE(ring_take_back(self->a));
	EXPECT_EQ(ring_shared(self->a), 0);
	EXPECT_FALSE(ring_take_back(self->a));
	expect_pops(9, 1);
}

TEST_F(ring, each_change_by_cas_is_a_new_version)
{
	uint64_t version;

	push_from(1, 8);
	EXPECT_TRUE(ring_publish());
	version = self->a->split >> 32;
	EXPECT_TRUE(ring_take_back(self->a));
	EXPECT_EQ(self->a->split >> 32, ++version);
	EXPECT_EQ(ring_steal(self->a, self->out, 1), 1);
	EXPECT_EQ(self->a->split >> 32, ++version);
}

TEST_F(ring, pop_takes_back_what_was_shared)
{
	uintptr_t item;

	push_from(1, 8);
	while (ring_publish())
		;
	EXPECT_EQ(ring_private(self->a), 0);
	EXPECT_EQ(ring_shared(self->a), 8);
	expect_pops(8, 1);
	EXPECT_EQ(ring_pop(&item), RING_EMPTY);
}

TEST_F(ring, pop_if_only_the_top)
{
	push_from(1, 4);
	EXPECT_EQ(ring_pop_if(3), RING_EMPTY);
	EXPECT_EQ(ring_pop_if(4), RING_DONE);
	while (ring_publish())
		;
	EXPECT_EQ(ring_pop_if(2), RING_EMPTY); /* shared, and not the newest */
	EXPECT_EQ(ring_shared(self->a), 3);
	EXPECT_EQ(ring_pop_if(3), RING_DONE); /* shared, the newest */
	expect_pops(2, 1);
	EXPECT_EQ(ring_pop_if(1), RING_EMPTY);
}

TEST_F(ring, goes_round_many_times)
{
	uintptr_t pushed = 0, stolen = 0;

	/* three times round the positions' 16 bits, never empty */
	while (stolen < 3 * 65536) {
		unsigned n;

		push_from(pushed + 1, pushed + 100);
		pushed += 100;
		EXPECT_TRUE(ring_publish());
		n = ring_steal(self->a, self->out, 100);
		for (unsigned i = 0; i < n; i++)
			ASSERT_EQ(self->out[i], ++stolen);
	}
	EXPECT_EQ(ring_shared(self->a) + ring_private(self->a), pushed - stolen);
	expect_pops(pushed, stolen + 1);
}

TEST_F(ring, push_answers_a_request)
{
	push_from(1, 4);
	EXPECT_TRUE(ring_ask(self->a));
	EXPECT_FALSE(ring_ask(self->a)); /* it is there already */
	EXPECT_EQ(ring_push(5), RING_DONE | RING_ASKED);
	EXPECT_EQ(self->a->request, 0);
	EXPECT_EQ(ring_shared(self->a), 3);
	EXPECT_EQ(ring_push(6), RING_DONE);
	EXPECT_TRUE(ring_ask(self->a));
}

TEST_F(ring, a_request_stands_behind_the_barrier_if_it_is_there_still)
{
	/* one that is taken, and left anew by a thief, does not */
	ring_leave_request(self->a, 7);
	EXPECT_FALSE(ring_request_stands(self->a));
	EXPECT_TRUE(ring_take_request(self->a));
	EXPECT_TRUE(ring_ask(self->a));
	ring_let_stand(self->a, 7);
	EXPECT_FALSE(ring_request_stands(self->a));
	/* nor does another's */
	ring_leave_request(self->a, 8);
	ring_let_stand(self->a, 7);
	EXPECT_FALSE(ring_request_stands(self->a));
	ring_let_stand(self->a, 8);
	EXPECT_TRUE(ring_request_stands(self->a));
	/* a thief finds it, and a push answers it like any */
	EXPECT_FALSE(ring_ask(self->a));
	EXPECT_TRUE(ring_request_stands(self->a));
	EXPECT_EQ(ring_push(1), RING_DONE | RING_ASKED);
	EXPECT_FALSE(ring_request_stands(self->a));
}

TEST_F(ring, a_request_left_on_this_cpu_stands_at_once)
{
	if (percpu_locked) {
		EXPECT_FALSE(ring_request_here(self->a));
		EXPECT_EQ(ring_push(1), RING_DONE);
		return;
	}
	EXPECT_TRUE(ring_request_here(self->a));
	EXPECT_TRUE(ring_request_stands(self->a));
	EXPECT_TRUE(ring_request_here(self->a));
	EXPECT_TRUE(ring_take_request(self->a));
	EXPECT_TRUE(ring_ask(self->a));
	EXPECT_TRUE(ring_request_here(self->a)); /* a thief's, too, from then on */
	EXPECT_TRUE(ring_request_stands(self->a));
	/* on another CPU it does not */
	self->a->cpu++;
	EXPECT_TRUE(ring_take_request(self->a));
	EXPECT_FALSE(ring_request_here(self->a));
	self->a->cpu--;
	EXPECT_FALSE(ring_take_request(self->a));
}

TEST_F(ring, pop_answers_a_request_if_something_is_left)
{
	uintptr_t item = 0;

	push_from(1, 2);
	EXPECT_TRUE(ring_ask(self->a));
	EXPECT_EQ(ring_pop(&item), RING_DONE | RING_ASKED);
	EXPECT_EQ(item, 2);
	EXPECT_EQ(self->a->request, 0);
	EXPECT_EQ(ring_shared(self->a), 1);
	EXPECT_TRUE(ring_take_back(self->a));
	EXPECT_TRUE(ring_ask(self->a));
	EXPECT_EQ(ring_pop(&item), RING_DONE); /* it was the last: nothing to share */
	EXPECT_EQ(item, 1);
	EXPECT_EQ(self->a->request, 1);
	EXPECT_EQ(ring_pop(&item), RING_EMPTY);
	EXPECT_EQ(self->a->request, 1); /* it waits for the next push */
	EXPECT_EQ(ring_push(3), RING_DONE | RING_ASKED);
	EXPECT_EQ(ring_shared(self->a), 1);
}

TEST_F(ring, pop_if_with_a_request)
{
	push_from(1, 3);
	EXPECT_TRUE(ring_ask(self->a));
	EXPECT_EQ(ring_pop_if(1), RING_EMPTY | RING_ASKED); /* not what was wanted, but shared */
	EXPECT_EQ(ring_shared(self->a), 2);
	EXPECT_TRUE(ring_ask(self->a));
	EXPECT_EQ(ring_pop_if(3), RING_DONE);
	EXPECT_EQ(self->a->request, 1);
}

TEST_F(ring, full_with_a_request_says_both)
{
	push_from(1, RING_CAPACITY);
	EXPECT_TRUE(ring_ask(self->a));
	EXPECT_EQ(ring_push(9), RING_FULL | RING_ASKED);
	EXPECT_EQ(self->a->request, 0); /* the caller answers for it */
	expect_pops(RING_CAPACITY, 1);
}

TEST_F(ring, force_shares_half)
{
	push_from(1, 9);
	EXPECT_EQ(ring_force(self->a, self->out, 64), 0);
	EXPECT_EQ(ring_shared(self->a), 5);
	EXPECT_EQ(ring_private(self->a), 4);
	EXPECT_EQ(ring_force(self->a, self->out, 64), 0);
	EXPECT_EQ(ring_shared(self->a), 7);
	EXPECT_EQ(ring_steal(self->a, self->out, 64), 4);
	EXPECT_EQ(self->out[0], 1);
	expect_pops(9, 5);
	EXPECT_EQ(ring_force(self->a, self->out, 64), -EAGAIN);
}

TEST_F(ring, force_takes_from_the_fair_queue_when_the_ring_has_nothing_private)
{
	uintptr_t item;

	for (uintptr_t i = 1; i <= 9; i++)
		ASSERT_EQ(ring_fair_push(i), RING_DONE);
	EXPECT_EQ(ring_force(self->a, self->out, 3), 3);
	for (uintptr_t i = 0; i < 3; i++)
		EXPECT_EQ(self->out[i], i + 1);
	EXPECT_EQ(ring_force(self->a, self->out, 64), 3); /* half of 6 */
	EXPECT_EQ(self->out[0], 4);
	EXPECT_EQ(ring_fair_pop(&item), RING_DONE);
	EXPECT_EQ(item, 7);
	push_from(1, 1);
	EXPECT_EQ(ring_force(self->a, self->out, 64), 0); /* the ring first */
	EXPECT_EQ(ring_fair_length(self->a), 2);
}

TEST_F(ring, fair_queue_is_first_in_first_out)
{
	uintptr_t item = 0;

	EXPECT_EQ(ring_fair_pop(&item), RING_EMPTY);
	for (uintptr_t i = 1; i <= FAIR_CAPACITY; i++)
		ASSERT_EQ(ring_fair_push(i), RING_DONE);
	EXPECT_EQ(ring_fair_push(9), RING_FULL);
	EXPECT_EQ(ring_fair_length(self->a), FAIR_CAPACITY);
	for (uintptr_t i = 1; i <= 3 * FAIR_CAPACITY; i++) {
		ASSERT_EQ(ring_fair_pop(&item), RING_DONE);
		ASSERT_EQ(item, i);
		ASSERT_EQ(ring_fair_push(i + FAIR_CAPACITY), RING_DONE);
	}
	EXPECT_EQ(ring_fair_length(self->a), FAIR_CAPACITY);
}

/* Else a worker may sleep on its request while the one who yields has left the
 * ring and is not yet in the fair queue (tests/model, FAIR_PUSH_IGNORES_REQUEST). */
TEST_F(ring, fair_queue_sends_an_answer_to_a_request_elsewhere)
{
	EXPECT_TRUE(ring_ask(self->a));
	EXPECT_EQ(ring_fair_push(1), RING_FULL | RING_ASKED);
	EXPECT_EQ(self->a->request, 0);
	EXPECT_EQ(ring_fair_length(self->a), 0);
	EXPECT_EQ(ring_fair_push(1), RING_DONE);
}

TEST_F(ring, nobody_waits_long_for_a_frozen_queue)
{
	uintptr_t item = 0;
	uint64_t began;

	area_need_sections();
	push_from(1, 2);
	ASSERT_EQ(ring_fair_push(3), RING_DONE);
	self->a->flags |= PERCPU_FROZEN;
	began = harness_now();
	EXPECT_EQ(ring_push(4), RING_FROZEN);
	EXPECT_EQ(ring_pop(&item), RING_FROZEN);
	EXPECT_EQ(ring_pop_if(2), RING_FROZEN);
	EXPECT_EQ(ring_fair_push(4), RING_FROZEN);
	EXPECT_EQ(ring_fair_pop(&item), RING_FROZEN);
	EXPECT_FALSE(ring_publish());
	EXPECT_EQ(ring_force(self->a, self->out, 1), -EBUSY);
	/* some microseconds each; the margin is for a machine that is busy with other things */
	EXPECT_LT(harness_now() - began, 500000000);
	EXPECT_EQ(item, 0);
	self->a->flags &= ~(uint32_t)PERCPU_FROZEN;
	expect_pops(2, 1);
	EXPECT_EQ(ring_fair_pop(&item), RING_DONE);
	EXPECT_EQ(item, 3);
}

TEST_F(ring, without_a_processor_nothing_is_here)
{
	uintptr_t item = 0;

	push_from(1, 4);
	EXPECT_TRUE(ring_publish());
	EXPECT_TRUE(ring_ask(self->a));
	percpu_deactivate(self->cpu);
	EXPECT_NULL(percpu_here());
	EXPECT_EQ(ring_push(5), RING_NOT_HERE);
	EXPECT_EQ(ring_pop(&item), RING_NOT_HERE);
	EXPECT_EQ(ring_pop_if(4), RING_NOT_HERE);
	EXPECT_EQ(ring_fair_push(5), RING_NOT_HERE);
	EXPECT_EQ(ring_fair_pop(&item), RING_NOT_HERE);
	EXPECT_FALSE(ring_publish());
	EXPECT_EQ(ring_force(self->a, self->out, 4), -EBUSY);
	EXPECT_EQ(ring_steal(self->a, self->out, 4), 1); /* what is shared can still be had */
	EXPECT_EQ(self->out[0], 1);
	EXPECT_EQ(item, 0);
	percpu_activate(self->cpu, 0);
	EXPECT_EQ(ring_pop(&item), RING_DONE | RING_ASKED); /* 3 and 4 were private: one is shared */
	EXPECT_EQ(item, 4);
	expect_pops(3, 2);
}

TEST_F(ring, a_cpu_without_a_processor_reaches_no_queue)
{
	int cpus[2];
	uintptr_t item = 0;

	if (area_cpus(cpus, 2) < 2)
		SKIP("there is only one CPU");
	push_from(1, 4);
	area_pin(cpus[1]);
	EXPECT_EQ(ring_push(5), RING_NOT_HERE);
	EXPECT_EQ(ring_pop(&item), RING_NOT_HERE);
	EXPECT_EQ(ring_pop_if(4), RING_NOT_HERE);
	EXPECT_EQ(ring_fair_push(5), RING_NOT_HERE);
	EXPECT_EQ(ring_force(self->a, self->out, 64), 0); /* but it may rob */
	EXPECT_EQ(ring_steal(self->a, self->out, 64), 1);
	EXPECT_EQ(self->out[0], 1);
	/* and queues that both have are not mixed up */
	percpu_activate(cpus[1], 0);
	push_from(11, 13);
	area_pin(cpus[0]);
	expect_pops(4, 2);
	EXPECT_EQ(ring_pop(&item), RING_EMPTY);
	area_pin(cpus[1]);
	expect_pops(13, 11);
	EXPECT_EQ(ring_pop(&item), RING_EMPTY);
}

TEST_F(ring, what_is_left_without_a_processor_is_inherited)
{
	uintptr_t item = 0;

	push_from(1, 9);
	EXPECT_TRUE(ring_publish());
	for (uintptr_t i = 11; i <= 15; i++)
		ASSERT_EQ(ring_fair_push(i), RING_DONE);
	EXPECT_EQ(ring_inherit(self->a, self->out, 64), -EBUSY); /* it is not gone */
	percpu_deactivate(self->cpu);
	EXPECT_EQ(ring_inherit(self->a, self->out, 64), 0);
	EXPECT_EQ(ring_private(self->a), 0);
	EXPECT_EQ(ring_shared(self->a), 9);
	EXPECT_EQ(ring_inherit(self->a, self->out, 3), 3);
	for (uintptr_t i = 0; i < 3; i++)
		EXPECT_EQ(self->out[i], 11 + i);
	EXPECT_EQ(ring_steal(self->a, self->out, 64), 5);
	EXPECT_EQ(self->out[0], 1);
	/* put back in the middle of it, it goes on with what is left */
	percpu_activate(self->cpu, 0);
	EXPECT_EQ(ring_fair_pop(&item), RING_DONE);
	EXPECT_EQ(item, 14);
	expect_pops(9, 8);
	push_from(20, 21);
	percpu_deactivate(self->cpu);
	EXPECT_EQ(ring_inherit(self->a, self->out, 64), 0);
	for (uintptr_t i = 6; i <= 7; i++) {
		EXPECT_EQ(ring_steal(self->a, self->out, 1), 1);
		EXPECT_EQ(self->out[0], i);
	}
	EXPECT_EQ(ring_steal(self->a, self->out, 1), 1);
	EXPECT_EQ(self->out[0], 20);
	EXPECT_EQ(ring_steal(self->a, self->out, 1), 1);
	EXPECT_EQ(self->out[0], 21);
	EXPECT_EQ(ring_inherit(self->a, self->out, 64), 1);
	EXPECT_EQ(self->out[0], 15);
	EXPECT_EQ(ring_inherit(self->a, self->out, 64), -EAGAIN);
	percpu_activate(self->cpu, 0);
}
