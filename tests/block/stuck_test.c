/* SPDX-License-Identifier: MIT */
/* stuck_test.c - workers that are blocked or compute for ever stop nobody else. */
#include <stdlib.h>
#include <unistd.h>

#include <perch/perch.h>

#include "tests/block/others.h"

FIXTURE(stuck)
{
	int unused;
};
FIXTURE_VARIANT(stuck)
{
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(stuck, all_cpus){PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(stuck, alone){{.workers = 1}};
FIXTURE_VARIANT_ADD(stuck, crowded){{.workers = 6}};

FIXTURE_SETUP(stuck)
{
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(stuck)
{
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- blocked ---- */

TEST_F_TIMEOUT(stuck, in_read, 200)
{
	(void)self;
	for (enum how how = UNMARKED; how <= HOWS; how++) {
		struct perch_stats s;
		struct readers rs;

		readers_start(&rs, 2 * perch_workers() + 1, how);
		EXPECT_TRUE(others_go_on());
		EXPECT_EQ(__atomic_load_n(&rs.ended, __ATOMIC_ACQUIRE), 0);
		ASSERT_EQ(perch_stats_get(&s), 0);
		EXPECT_GT(s.handoffs, rs.n - perch_workers()); /* all of them, and one for others */
		readers_end(&rs);
		EXPECT_TRUE(others_go_on());
	}
}

/* Each comes back when its own byte is there, while the others stay. */
TEST_F_TIMEOUT(stuck, in_read_until_written_to, 200)
{
	struct readers rs;

	(void)self;
	readers_start(&rs, 2 * perch_workers() + 3, HOWS);
	for (unsigned i = 0; i < rs.n; i++) {
		EXPECT_EQ(__atomic_load_n(&rs.ended, __ATOMIC_ACQUIRE), i);
		reader_release(&rs.r[rs.n - 1 - i]);
		ASSERT_TRUE(gather(&rs.ended, i + 1, PATIENCE));
	}
	EXPECT_TRUE(others_go_on());
	for (unsigned i = 0; i < rs.n; i++)
		reader_join(&rs.r[i]);
	free(rs.r);
}

TEST_F_TIMEOUT(stuck, many_at_once, 200)
{
	struct perch_stats s;
	struct readers rs;

	(void)self;
	readers_start(&rs, 200, HOWS);
	EXPECT_TRUE(others_go_on());
	EXPECT_EQ(__atomic_load_n(&rs.ended, __ATOMIC_ACQUIRE), 0);
	ASSERT_EQ(perch_stats_get(&s), 0);
	EXPECT_GE(s.spares, 200 - perch_workers());
	readers_end(&rs);
	EXPECT_TRUE(others_go_on());
	/* and now there are as many as it takes */
	ASSERT_EQ(perch_stats_get(&s), 0);
	harness_log("%llu spares", (unsigned long long)s.spares);
}

/* ---- computing ---- */

TEST_F_TIMEOUT(stuck, in_loops, 200)
{
	struct loop l;

	(void)self;
	loops_start(&l);
	EXPECT_TRUE(others_go_on());
	loops_end(&l);
	EXPECT_TRUE(others_go_on());
}

struct forker {
	uint32_t begun, done, stop;
};

static void count_a_task(void *arg)
{
	count_up(arg);
}

/* What it forked lies in its CPU's ring, on the side that only its owner reads. */
static void *fork_and_loop(void *arg)
{
	struct forker *f = arg;
	perch_call_t call[8];

	for (int i = 0; i < 8; i++)
		ASSERT_EQ(perch_fork(&call[i], count_a_task, &f->done), 0);
	count_up(&f->begun);
	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED))
		;
	for (int i = 8; i-- > 0;)
		ASSERT_EQ(perch_sync(&call[i]), 0);
	return arg;
}

TEST_F_TIMEOUT(stuck, and_what_they_forked_is_found, 200)
{
	struct forker f[8] = {{0, 0, 0}};
	unsigned n = perch_workers();
	perch_t t[8];

	(void)self;
	n = n < 8 ? n : 8;
	for (unsigned i = 0; i < n; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, fork_and_loop, &f[i]), 0);
	for (unsigned i = 0; i < n; i++) {
		EXPECT_TRUE(gather(&f[i].begun, 1, PATIENCE));
		EXPECT_TRUE(gather(&f[i].done, 8, PATIENCE));
	}
	for (unsigned i = 0; i < n; i++)
		__atomic_store_n(&f[i].stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < n; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	for (unsigned i = 0; i < n; i++)
		EXPECT_EQ(f[i].done, 8);
}

TEST_F_TIMEOUT(stuck, in_both_ways, 200)
{
	struct readers rs;
	struct loop l;

	(void)self;
	loops_start(&l);
	readers_start(&rs, perch_workers() + 2, HOWS);
	EXPECT_TRUE(others_go_on());
	readers_end(&rs);
	loops_end(&l);
}

/* One that came back from a marked call has its CPU again, and nobody who sleeps
 * notices when it is stuck once more: that the monitor sleeps too is no excuse. */
struct comes_back {
	struct reader reader;
	uint32_t begun, ended, stop;
};

static void *come_back_and_loop(void *arg)
{
	struct comes_back *c = arg;
	char byte;

	count_up(&c->begun);
	perch_block_begin();
	ASSERT_EQ(read(c->reader.fd[0], &byte, 1), 1);
	perch_block_end();
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(perch_go(count_a_task, &c->ended), 0);
	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED))
		;
	return arg;
}

TEST_F_TIMEOUT(stuck, again_after_a_marked_call, 200)
{
	(void)self;
	for (int i = 0; i < 3; i++) {
		struct comes_back c = {.begun = 0};
		perch_t t;

		ASSERT_EQ(pipe(c.reader.fd), 0);
		ASSERT_EQ(perch_create(&t, NULL, come_back_and_loop, &c), 0);
		ASSERT_TRUE(gather(&c.begun, 1, PATIENCE));
		sleep_ms(400); /* for all else to go to sleep */
		ASSERT_EQ(write(c.reader.fd[1], "", 1), 1);
		EXPECT_TRUE(gather(&c.ended, 5, PATIENCE));
		EXPECT_TRUE(others_go_on());
		__atomic_store_n(&c.stop, 1, __ATOMIC_RELAXED);
		ASSERT_EQ(perch_join(t, NULL), 0);
		close(c.reader.fd[0]);
		close(c.reader.fd[1]);
	}
}
