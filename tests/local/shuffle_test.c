/* SPDX-License-Identifier: MIT */
/* shuffle_test.c - PERCH_SHUFFLE moves threads at every switch. */
#include <unistd.h>

#include <perch/perch.h>

#include "tests/harness/gather.h"

struct moves {
	uint32_t switches, moved, wrong;
	bool pinned;
};

static void *count_moves(void *arg)
{
	struct moves *m = arg;
	pid_t at;

	if (m->pinned)
		ASSERT_EQ(perch_pin(), 0);
	at = gettid();
	for (int i = 0; i < 2000; i++) {
		bool elsewhere;

		perch_yield();
		elsewhere = at != gettid();
		count_up(&m->switches);
		if (elsewhere)
			count_up(&m->moved);
		at = gettid();
	}
	return NULL;
}

static struct moves run(uint32_t shuffle, bool pinned, unsigned threads)
{
	struct perch_config config = {.shuffle = shuffle};
	struct moves m = {0, 0, 0, pinned};
	perch_t t[8];

	ASSERT_EQ(perch_start(&config), 0);
	for (unsigned i = 0; i < threads; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, count_moves, &m), 0);
	for (unsigned i = 0; i < threads; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	harness_log("%u threads, shuffle %u, pinned %d: %u of %u yields moved", threads, shuffle, pinned, m.moved,
		    m.switches);
	return m;
}

/*
 * Others may rob an inbox after a while, so not every time: while the other CPU is busy
 * elsewhere, its worker's inbox is robbed again and again. So the best of a few runs counts.
 */
TEST_TIMEOUT(threads_move, 60)
{
	unsigned cpus;
	struct moves m;

	ASSERT_EQ(perch_start(NULL), 0);
	cpus = perch_procs();
	ASSERT_EQ(perch_stop(), 0);
	if (cpus < 2)
		SKIP("one processor only");
	for (unsigned threads = 1; threads <= 8; threads *= 8) {
		uint32_t best = 0;

		for (int i = 0; i < 10 && best <= 2000 * threads / 4; i++) {
			m = run(1, false, threads);
			EXPECT_EQ(m.switches, 2000 * threads);
			best = m.moved > best ? m.moved : best;
		}
		EXPECT_GT(best, 2000 * threads / 4);
		m = run(1, true, threads);
		EXPECT_EQ(m.moved, 0);
	}
}

TEST(with_one_processor_nothing_moves)
{
	struct perch_config config = {.procs = 1, .workers = 1, .shuffle = 1};
	struct moves m = {0, 0, 0, false};
	perch_t t;

	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&t, NULL, count_moves, &m), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	EXPECT_EQ(m.switches, 2000);
	EXPECT_EQ(m.moved, 0);
}
