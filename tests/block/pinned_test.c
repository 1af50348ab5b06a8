/* SPDX-License-Identifier: MIT */
/*
 * pinned_test.c - threads that are pinned to a worker which has lost its CPU go on
 * there. (By gettid(): pthread_self() is declared const.)
 */
#include <unistd.h>

#include "tests/block/others.h"

/* ---- one that blocks comes back to its pthread ---- */

struct sitter {
	struct reader reader;
	uint32_t begun, ended;
};

static void *read_pinned(void *arg)
{
	struct sitter *s = arg;

	for (int i = 0; i < 3; i++) {
		pid_t me;
		char byte;

		ASSERT_EQ(perch_pin(), 0);
		me = gettid();
		count_up(&s->begun);
		if (s->reader.how == MARKED)
			perch_block_begin();
		EXPECT_EQ(read(s->reader.fd[0], &byte, 1), 1);
		EXPECT_TRUE(me == gettid());
		if (s->reader.how == MARKED)
			perch_block_end();
		EXPECT_TRUE(me == gettid());
		perch_yield();
		EXPECT_TRUE(me == gettid());
		EXPECT_EQ(perch_sleep(1000000), 0);
		EXPECT_TRUE(me == gettid());
		EXPECT_EQ(perch_unpin(), 0);
		count_up(&s->ended);
	}
	return arg;
}

FIXTURE(pinned)
{
	int unused;
};
FIXTURE_VARIANT(pinned)
{
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(pinned, all_cpus){PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(pinned, alone){{.workers = 1}};
FIXTURE_VARIANT_ADD(pinned, crowded){{.workers = 6}};

FIXTURE_SETUP(pinned)
{
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(pinned)
{
	EXPECT_EQ(perch_stop(), 0);
}

#define SITTERS 4

/* looping: beside threads that never let go of a CPU. */
static void sit(bool looping)
{
	uint64_t until = harness_now() + PATIENCE * UINT64_C(1000000000);
	struct sitter s[SITTERS] = {{.begun = 0}};
	uint32_t written[SITTERS] = {0};
	perch_t t[SITTERS];
	struct loop l;

	if (looping)
		loops_start(&l);
	for (int i = 0; i < SITTERS; i++) {
		s[i].reader.how = i % 2 ? MARKED : UNMARKED;
		ASSERT_EQ(pipe(s[i].reader.fd), 0);
		ASSERT_EQ(perch_create(&t[i], NULL, read_pinned, &s[i]), 0);
	}
	/* one that is pinned where another blocks has to wait for that one: so whoever is in
	 * its read is let go on, until all have been there three times */
	for (unsigned ends = 0; ends < 3 * SITTERS;) {
		unsigned before = ends;

		ASSERT_LT(harness_now(), until);
		for (int i = 0; i < SITTERS; i++)
			if (__atomic_load_n(&s[i].begun, __ATOMIC_ACQUIRE) > written[i]) {
				written[i]++;
				ends++;
				ASSERT_EQ(write(s[i].reader.fd[1], "", 1), 1);
			}
		if (ends == before)
			sleep_ms(1);
		else if (ends % 4 == 0)
			EXPECT_TRUE(others_go_on());
	}
	for (int i = 0; i < SITTERS; i++) {
		ASSERT_EQ(perch_join(t[i], NULL), 0);
		EXPECT_EQ(s[i].ended, 3);
		close(s[i].reader.fd[0]);
		close(s[i].reader.fd[1]);
	}
	if (looping)
		loops_end(&l);
}

TEST_F_TIMEOUT(pinned, threads_that_block_stay, 200)
{
	(void)self;
	sit(false);
}

TEST_F_TIMEOUT(pinned, threads_that_block_stay_beside_loops, 200)
{
	(void)self;
	sit(true);
}

/* ---- others that are pinned to the same worker ---- */

struct guest {
	perch_sem_t go;
	pid_t home; /* the only worker there was */
	uint32_t turns, stop;
};

static void *wait_as_a_guest(void *arg)
{
	struct guest *g = arg;

	ASSERT_EQ(perch_pin(), 0);
	g->home = gettid();
	for (;;) {
		count_up(&g->turns);
		ASSERT_EQ(perch_sem_wait(&g->go), 0);
		EXPECT_TRUE(g->home == gettid());
		if (__atomic_load_n(&g->stop, __ATOMIC_ACQUIRE))
			break;
		perch_yield();
		EXPECT_TRUE(g->home == gettid());
	}
	ASSERT_EQ(perch_unpin(), 0);
	return arg;
}

/* With one worker everybody is pinned to that one, and it loses its CPU in each of
 * the ways there are; afterwards it is a spare, or blocked, and is woken for them. */
static void have_guests(enum how how, bool looping)
{
	struct perch_config config = {.workers = 1};
	struct guest g[3] = {{PERCH_SEM_INIT(0), 0, 0, 0}, {PERCH_SEM_INIT(0), 0, 0, 0}, {PERCH_SEM_INIT(0), 0, 0, 0}};
	struct perch_stats stats;
	struct readers rs;
	struct loop l;
	perch_t t[3];

	ASSERT_EQ(perch_start(&config), 0);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(perch_create(&t[i], NULL, wait_as_a_guest, &g[i]), 0);
		ASSERT_TRUE(gather(&g[i].turns, 1, PATIENCE));
		EXPECT_TRUE(g[i].home == g[0].home);
	}
	/* the worker blocks, and the guests that are woken meanwhile wait for it */
	readers_start(&rs, 1, how);
	if (looping)
		loops_start(&l); /* not on that worker, and it will not be on duty again */
	EXPECT_TRUE(others_go_on());
	ASSERT_EQ(perch_stats_get(&stats), 0);
	EXPECT_GE(stats.handoffs, 1);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_sem_post(&g[i].go), 0);
	sleep_ms(20);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(__atomic_load_n(&g[i].turns, __ATOMIC_ACQUIRE), 1);
	readers_end(&rs);
	for (int i = 0; i < 3; i++)
		EXPECT_TRUE(gather(&g[i].turns, 2, PATIENCE));
	/* it is a spare now, or on duty again */
	for (uint32_t turn = 2; turn < 12; turn++)
		for (int i = 0; i < 3; i++) {
			ASSERT_EQ(perch_sem_post(&g[i].go), 0);
			ASSERT_TRUE(gather(&g[i].turns, turn + 1, PATIENCE));
			if (i == 1)
				sleep_ms(turn);
		}
	EXPECT_TRUE(others_go_on());
	if (looping)
		loops_end(&l);
	for (int i = 0; i < 3; i++) {
		__atomic_store_n(&g[i].stop, 1, __ATOMIC_RELEASE);
		ASSERT_EQ(perch_sem_post(&g[i].go), 0);
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	}
	ASSERT_EQ(perch_stop(), 0);
}

TEST_TIMEOUT(guests_of_a_worker_that_blocked, 200)
{
	have_guests(UNMARKED, false);
	have_guests(MARKED, false);
}

TEST_TIMEOUT(guests_of_a_worker_that_blocked_beside_loops, 200)
{
	have_guests(UNMARKED, true);
	have_guests(MARKED, true);
}

/* A loop on the worker itself: its guests wait, until it ends. */
static void *loop_pinned(void *arg)
{
	struct guest *g = arg;

	ASSERT_EQ(perch_pin(), 0);
	EXPECT_TRUE(g->home == gettid());
	count_up(&g->turns);
	while (!__atomic_load_n(&g->stop, __ATOMIC_RELAXED))
		;
	EXPECT_TRUE(g->home == gettid());
	perch_yield();
	EXPECT_TRUE(g->home == gettid());
	ASSERT_EQ(perch_unpin(), 0);
	return arg;
}

TEST_TIMEOUT(guests_of_a_worker_that_loops, 200)
{
	struct perch_config config = {.workers = 1};
	struct guest g = {PERCH_SEM_INIT(0), 0, 0, 0}, host = g;
	perch_t t[2];

	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&t[0], NULL, wait_as_a_guest, &g), 0);
	ASSERT_TRUE(gather(&g.turns, 1, PATIENCE));
	host.home = g.home;
	ASSERT_EQ(perch_create(&t[1], NULL, loop_pinned, &host), 0);
	ASSERT_TRUE(gather(&host.turns, 1, PATIENCE));
	EXPECT_TRUE(others_go_on());
	ASSERT_EQ(perch_sem_post(&g.go), 0);
	sleep_ms(30);
	EXPECT_EQ(__atomic_load_n(&g.turns, __ATOMIC_ACQUIRE), 1);
	EXPECT_TRUE(others_go_on());
	__atomic_store_n(&host.stop, 1, __ATOMIC_RELAXED);
	EXPECT_TRUE(gather(&g.turns, 2, PATIENCE));
	ASSERT_EQ(perch_join(t[1], NULL), 0);
	__atomic_store_n(&g.stop, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_sem_post(&g.go), 0);
	ASSERT_EQ(perch_join(t[0], NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
}
