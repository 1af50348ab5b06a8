/* SPDX-License-Identifier: MIT */
/* size_test.c - what threads take, spawned and parked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "core/thread/thread.h"
#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

TEST(descriptor)
{
	EXPECT_EQ(sizeof(struct thread), 64);
	EXPECT_EQ(sizeof(perch_task_t), 16);
	EXPECT_EQ(sizeof(perch_call_t), 32);
	EXPECT_EQ(sizeof(perch_waitgroup_t), 40);
	EXPECT_EQ(sizeof(perch_timer_t), 96);
}

/* Memory and page tables of this process, in bytes. */
static size_t taken(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	size_t sum = 0, kib;
	char line[128];

	ASSERT_NE(f, NULL);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %zu", &kib) == 1 || sscanf(line, "VmPTE: %zu", &kib) == 1)
			sum += kib << 10;
	fclose(f);
	return sum;
}

static uint32_t release, ran;

/* Keeps the only worker until all are spawned. */
static void *block(void *arg)
{
	while (!__atomic_load_n(&release, __ATOMIC_ACQUIRE))
		;
	return arg;
}

static void run(void *arg)
{
	count_up(arg);
}

TEST(a_million_spawned)
{
	enum { N = 1000000 };
	const struct perch_config config = {.workers = 1, .handoff = PERCH_HANDOFF_OFF};
	size_t before, after;
	perch_t t;

	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		SKIP("measures the library, not a sanitizer");
	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&t, NULL, block, NULL), 0);
	before = taken();
	for (int i = 0; i < N; i++)
		ASSERT_EQ(perch_go(run, &ran), 0);
	after = taken();
	harness_log("%.1f bytes each", (double)(after - before) / N);
	EXPECT_LE(after - before, (size_t)N * 128);
	/* but for pages that Linux before 6.2 counts later, 64 of each pthread */
	EXPECT_GT(after - before, (size_t)N * 60);
	__atomic_store_n(&release, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
	EXPECT_EQ(ran, N);
}

static uint32_t parked;

static void *park_in(void *wg)
{
	count_up(&parked);
	perch_waitgroup_wait(wg);
	return NULL;
}

TEST_TIMEOUT(a_hundred_thousand_parked, 60)
{
	enum { N = 100000 };
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	const char *guard = getenv("PERCH_GUARD");
	perch_t *t = calloc(N, sizeof(*t));
	struct perch_stats s;
	size_t before, after;

	ASSERT_NE(t, NULL);
	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		SKIP("measures the library, not a sanitizer");
	if (guard && !strcmp(guard, "mprotect"))
		SKIP("a mapping for each guard: vm.max_map_count does not allow so many");
	memset(t, 1, N * sizeof(*t));
	if (perch_start(&(struct perch_config){.guard = PERCH_GUARD_MADVISE}))
		SKIP("no light guards in this kernel");
	ASSERT_EQ(perch_waitgroup_add(&wg, 1), 0);
	before = taken();
	for (int i = 0; i < N; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, park_in, &wg), 0);
	ASSERT_TRUE(gather(&parked, N, 30));
	/* the last have counted up, and are about to park */
	for (uint64_t until = harness_now() + 5000000000u; harness_now() < until;) {
		ASSERT_EQ(perch_stats_get(&s), 0);
		if (s.parks >= N)
			break;
	}
	EXPECT_EQ(s.parks, N);
	after = taken();
	harness_log("%.1f bytes each", (double)(after - before) / N);
	EXPECT_LE(after - before, (size_t)N * 4400);
	EXPECT_GT(after - before, (size_t)N * 4096);
	ASSERT_EQ(perch_waitgroup_done(&wg), 0);
	for (int i = 0; i < N; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
	free(t);
}
