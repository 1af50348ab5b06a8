/* SPDX-License-Identifier: MIT */
/*
 * crowd_test.c - ten thousand threads that yield, lock and hand over to each
 * other, beside one that spawns for ever and two that play ping-pong for ever:
 * how long any of them waits, against the bound that the manual states (perch(7)):
 * one that is ready runs within 244 x (n + 1) rounds of its CPU's worker, n
 * threads being ready there.
 *
 * A round runs one thread, which here makes a step; so steps are what is counted:
 * those of all others between two of one's own.
 */
#include <stdlib.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

#define SLOW (SANITIZER_THREAD || SANITIZER_ADDRESS)
#define CROWD (SLOW ? 600u : 9999u)
#define KINDS 3
#define MUTEXES 64
/* What each of the crowd has done before the end is called. */
#define LEAST_TIMES 2u
/* Threads beside the crowd: two that play, one that spawns, what it spawned. */
#define BESIDE 8
#define BOUND(n) (UINT64_C(244) * ((n) + 1))

static uint64_t steps; /* of all; one worker, so plain words would do, but not for those of two */
static uint32_t stop, spawned, played;

struct member {
	perch_t thread;
	uint64_t last, longest, times;
	unsigned index;
};

static struct member *crowd;
static perch_mutex_t mutex[MUTEXES];
static perch_chan_t **court; /* two for each pair */

static bool over(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void step(struct member *m)
{
	uint64_t now = __atomic_add_fetch(&steps, 1, __ATOMIC_RELAXED);

	if (m->times && now - m->last > m->longest)
		m->longest = now - m->last;
	__atomic_store_n(&m->times, m->times + 1, __ATOMIC_RELAXED);
	m->last = now;
}

static void *yield_for_ever(void *arg)
{
	while (!over()) {
		step(arg);
		perch_yield();
	}
	return NULL;
}

/* Held across a yield, so that there is always somebody who waits for it. */
static void *lock_for_ever(void *arg)
{
	struct member *m = arg;
	perch_mutex_t *mine = &mutex[m->index / KINDS % MUTEXES];

	while (!over()) {
		perch_mutex_lock(mine);
		step(m);
		perch_yield();
		perch_mutex_unlock(mine);
		perch_yield();
	}
	return NULL;
}

static void *hand_over_for_ever(void *arg)
{
	struct member *m = arg;
	unsigned at = m->index / KINDS;
	perch_chan_t *to = court[at ^ 1], *from = court[at];
	uint64_t token = 0;

	if (at & 1)
		perch_chan_recv(from, &token);
	for (;;) {
		step(m);
		if (perch_chan_send(to, &token) || perch_chan_recv(from, &token) != 1)
			break;
		if (over())
			perch_chan_close(to);
	}
	perch_chan_close(to);
	return NULL;
}

static void nothing(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&steps, 1, __ATOMIC_RELAXED);
}

static void *spawn_for_ever(void *arg)
{
	while (!over()) {
		for (int i = 0; i < 3; i++)
			ASSERT_EQ(perch_go(nothing, NULL), 0);
		__atomic_add_fetch(&spawned, 3, __ATOMIC_RELAXED);
		__atomic_add_fetch(&steps, 1, __ATOMIC_RELAXED);
		perch_yield();
	}
	return arg;
}

/* On top of the ring all the time: nobody else would ever be taken from there. */
static void *play_for_ever(void *arg)
{
	perch_chan_t **c = arg;
	uint64_t token = 0;

	while (!over()) {
		__atomic_add_fetch(&steps, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&played, 1, __ATOMIC_RELAXED);
		if (perch_chan_send(c[0], &token) || perch_chan_recv(c[1], &token) != 1)
			break;
	}
	perch_chan_close(c[0]);
	return NULL;
}

static void *(*const kinds[KINDS])(void *) = {yield_for_ever, lock_for_ever, hand_over_for_ever};

struct result {
	uint64_t longest[KINDS], least_times[KINDS];
};

/* Of all who are there, how often the one that stepped least did so. */
static uint64_t least_times(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < CROWD; i++) {
		uint64_t times = __atomic_load_n(&crowd[i].times, __ATOMIC_RELAXED);

		if (crowd[i].thread && times < least)
			least = times;
	}
	return least;
}

static struct result run(const struct perch_config *config, double seconds)
{
	struct result r = {{0}, {UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	unsigned pairs = CROWD / KINDS / 2 * 2;
	perch_chan_t *table[2], *other[2];
	perch_t players[2], spawner;
	uint64_t end;

	crowd = calloc(CROWD, sizeof(*crowd));
	court = calloc(pairs, sizeof(*court));
	ASSERT_TRUE(crowd && court);
	for (unsigned i = 0; i < MUTEXES; i++)
		ASSERT_EQ(perch_mutex_init(&mutex[i], NULL), 0);
	for (unsigned i = 0; i < pairs; i++)
		ASSERT_EQ(perch_chan_create(&court[i], sizeof(uint64_t), 0), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_chan_create(&table[i], sizeof(uint64_t), 1), 0);
	other[0] = table[1];
	other[1] = table[0];
	ASSERT_EQ(perch_start(config), 0);
	for (unsigned i = 0; i < CROWD; i++) {
		crowd[i].index = i;
		if (i / KINDS < pairs || i % KINDS != 2)
			ASSERT_EQ(perch_create(&crowd[i].thread, NULL, kinds[i % KINDS], &crowd[i]), 0);
	}
	ASSERT_EQ(perch_create(&spawner, NULL, spawn_for_ever, NULL), 0);
	ASSERT_EQ(perch_create(&players[0], NULL, play_for_ever, table), 0);
	ASSERT_EQ(perch_create(&players[1], NULL, play_for_ever, other), 0);
	end = harness_now() + (uint64_t)(seconds * 1e9);
	/* all have begun, however long a machine takes to make their stacks: what is
	 * counted is steps, so more of them do no harm (a thread that never runs: the
	 * test's own timeout) */
	while (harness_now() < end || least_times() < LEAST_TIMES)
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < CROWD; i++) {
		struct member *m = &crowd[i];

		if (!m->thread)
			continue;
		ASSERT_EQ(perch_join(m->thread, NULL), 0);
		if (m->longest > r.longest[i % KINDS])
			r.longest[i % KINDS] = m->longest;
		if (m->times < r.least_times[i % KINDS])
			r.least_times[i % KINDS] = m->times;
	}
	ASSERT_EQ(perch_join(spawner, NULL), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_join(players[i], NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_chan_destroy(table[i]), 0);
	for (unsigned i = 0; i < pairs; i++)
		ASSERT_EQ(perch_chan_destroy(court[i]), 0);
	free(court);
	free(crowd);
	for (int k = 0; k < KINDS; k++)
		harness_log("%s: longest %llu steps of others, least %llu times",
			    (const char *[]){"yield", "lock", "hand over"}[k], (unsigned long long)r.longest[k],
			    (unsigned long long)r.least_times[k]);
	harness_log("%llu steps, %u spawned, %u played", (unsigned long long)steps, spawned, played);
	return r;
}

TEST_TIMEOUT(nobody_waits_longer_than_the_bound, 120)
{
	const struct perch_config config = {.procs = 1, .workers = 1};
	struct result r = run(&config, SLOW ? 3 : 6);
	/* who locks waits for those before it in the queue, each for two turns */
	uint64_t queue = CROWD / KINDS / MUTEXES + 1, n = CROWD + BESIDE;

	EXPECT_GT(spawned, 0);
	EXPECT_GT(played, 0);
	EXPECT_LE(r.longest[0], BOUND(n));
	EXPECT_LE(r.longest[1], BOUND(n) * 2 * queue);
	/* the other of the pair has its turn in between */
	EXPECT_LE(r.longest[2], BOUND(n) * 2);
	for (int k = 0; k < KINDS; k++)
		EXPECT_GT(r.least_times[k], 0);
}

TEST_TIMEOUT(on_all_cpus_everybody_goes_on, 120)
{
	const struct perch_config config = PERCH_CONFIG_INIT;
	struct result r = run(&config, SLOW ? 3 : 6);

	EXPECT_GT(spawned, 0);
	EXPECT_GT(played, 0);
	for (int k = 0; k < KINDS; k++)
		EXPECT_GT(r.least_times[k], 1);
}
