/* SPDX-License-Identifier: MIT */
/* fair_test.c - no runnable thread waits for ever, whatever the others do. */
#include <perch/perch.h>

#include "tests/harness/gather.h"

FIXTURE(fair)
{
	int unused;
};
FIXTURE_VARIANT(fair)
{
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(fair, one_worker){{.procs = 1, .workers = 1}};
FIXTURE_VARIANT_ADD(fair, a_worker_per_cpu){PERCH_CONFIG_INIT};

FIXTURE_SETUP(fair)
{
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(fair)
{
	EXPECT_EQ(perch_stop(), 0);
}

static uint32_t stop, spawned, yielded[4];

static void nothing(void *arg)
{
	(void)arg;
}

/* New threads go on top of the ring, and this yields only to keep there what is being spawned. */
static void *spawn_for_ever(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		for (int i = 0; i < 3; i++)
			ASSERT_EQ(perch_go(nothing, NULL), 0);
		count_up(&spawned);
		perch_yield();
	}
	return arg;
}

static void *yield_for_ever(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		count_up(arg);
		perch_yield();
	}
	return NULL;
}

TEST_F(fair, those_who_yield_run_beside_one_who_spawns)
{
	perch_t t[5];

	ASSERT_EQ(perch_create(&t[4], NULL, spawn_for_ever, NULL), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, yield_for_ever, &yielded[i]), 0);
	for (int i = 0; i < 4; i++)
		EXPECT_TRUE(gather(&yielded[i], 1000, 20));
	EXPECT_TRUE(gather(&spawned, 1000, 20));
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(perch_join(t[i], NULL), 0);
}

/* Each thread makes its own successor, on top of the ring; the one that was there first is under all of them. */
static void chain(void *arg)
{
	if (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		perch_go(chain, arg);
}

static void *set(void *arg)
{
	__atomic_store_n((uint32_t *)arg, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *start_chain(void *first)
{
	uint32_t *word = first;
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, set, word), 0);
	ASSERT_EQ(perch_go(chain, NULL), 0);
	return (void *)(uintptr_t)t;
}

TEST_F(fair, the_old_end_of_the_ring_has_its_turn)
{
	static uint32_t first;
	perch_t t;
	void *under;

	ASSERT_EQ(perch_create(&t, NULL, start_chain, &first), 0);
	ASSERT_EQ(perch_join(t, &under), 0);
	EXPECT_TRUE(gather(&first, 1, 20));
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(perch_join((perch_t)under, NULL), 0);
}

/*
 * A thread yields to one that then computes until the first goes on. Another
 * worker, just falling asleep, must not miss it: its last look can come when
 * both are in no queue.
 */
static uint32_t baton;

static void *hold(void *arg)
{
	uint64_t until = harness_now() + 2000000000u;

	(void)arg;
	while (!__atomic_load_n(&baton, __ATOMIC_ACQUIRE))
		if (harness_now() > until)
			return (void *)1;
	return NULL;
}

static void *yield_to_holder(void *arg)
{
	uint64_t until = harness_now() + 3000000000u;
	uintptr_t rounds = 0;

	while (harness_now() < until) {
		uint64_t gap = harness_now() + harness_random_below(500000);
		void *failed;
		perch_t t;

		/* the other worker finds nothing all this time */
		while (harness_now() < gap)
			;
		__atomic_store_n(&baton, 0, __ATOMIC_RELEASE);
		ASSERT_EQ(perch_create(&t, NULL, hold, NULL), 0);
		EXPECT_EQ(perch_yield(), 0);
		__atomic_store_n(&baton, 1, __ATOMIC_RELEASE);
		ASSERT_EQ(perch_join(t, &failed), 0);
		if (failed)
			harness_log("round %lu", (unsigned long)rounds);
		ASSERT_NULL(failed);
		rounds++;
	}
	*(uintptr_t *)arg = rounds;
	return NULL;
}

TEST_TIMEOUT(who_yielded_is_found_while_another_computes, 60)
{
	uintptr_t rounds = 0;
	perch_t t;

	ASSERT_EQ(perch_start(NULL), 0);
	if (perch_workers() < 2)
		SKIP("needs two CPUs");
	ASSERT_EQ(perch_create(&t, NULL, yield_to_holder, &rounds), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_GT(rounds, 10);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- rounds that are long ---- */

static perch_sem_t turn[2];
static uint32_t over;

static void compute(uint64_t ns)
{
	for (uint64_t until = harness_now() + ns; harness_now() < until;)
		;
}

struct player {
	perch_sem_t *mine, *others;
	uint64_t ns, rounds;
};

/* The one who posts is at its wait next: so of the two one is always on top of the ring. */
static void *hand_over_and_compute(void *arg)
{
	struct player *p = arg;

	for (; !__atomic_load_n(&over, __ATOMIC_ACQUIRE); p->rounds++) {
		perch_sem_wait(p->mine);
		compute(p->ns);
		perch_sem_post(p->others);
	}
	perch_sem_post(p->others);
	return NULL;
}

struct bystander {
	uint64_t for_ns, turns, longest;
};

static void *yield_and_look(void *arg)
{
	struct bystander *b = arg;
	uint64_t begun = harness_now(), last = begun;

	while (last - begun < b->for_ns) {
		uint64_t now;

		perch_yield();
		now = harness_now();
		b->longest = now - last > b->longest ? now - last : b->longest;
		b->turns++;
		last = now;
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	return NULL;
}

FIXTURE(rounds)
{
	int unused;
};
FIXTURE_VARIANT(rounds)
{
	uint64_t ns;
};
FIXTURE_VARIANT_ADD(rounds, of_1_us){1000};
FIXTURE_VARIANT_ADD(rounds, of_100_us){100000};
FIXTURE_VARIANT_ADD(rounds, of_1_ms){1000000};
FIXTURE_VARIANT_ADD(rounds, of_3_ms){3000000};
FIXTURE_VARIANT_ADD(rounds, of_8_ms){8000000};

FIXTURE_SETUP(rounds)
{
	const struct perch_config config = {.procs = 1, .workers = 1};

	(void)self;
	(void)variant;
	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_sem_init(&turn[0], 0, 1), 0);
	ASSERT_EQ(perch_sem_init(&turn[1], 0, 0), 0);
}

FIXTURE_TEARDOWN(rounds)
{
	(void)self;
	(void)variant;
	EXPECT_EQ(perch_stop(), 0);
}

TEST_F_TIMEOUT(rounds, who_is_ready_waits_for_milliseconds, 60)
{
	struct player p[2] = {{&turn[0], &turn[1], variant->ns, 0}, {&turn[1], &turn[0], variant->ns, 0}};
	struct bystander b = {2000000000, 0, 0};
	perch_t t[3];

	(void)self;
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, hand_over_and_compute, &p[i]), 0);
	ASSERT_EQ(perch_create(&t[2], NULL, yield_and_look, &b), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	harness_log("%llu and %llu rounds; %llu turns beside them, the longest wait %llu ms",
		    (unsigned long long)p[0].rounds, (unsigned long long)p[1].rounds, (unsigned long long)b.turns,
		    (unsigned long long)b.longest / 1000000);
	/* 2 s / (4 x (10 ms + a round)) are 27 for the longest; on a busy machine fewer. By
	 * rounds alone a turn came each 61 to 244 rounds: 2 s and more, for 8 ms */
	EXPECT_GT(b.turns, 12);
	EXPECT_GT(p[0].rounds, 5);
}
