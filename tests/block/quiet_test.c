/* SPDX-License-Identifier: MIT */
/* quiet_test.c - what hand-offs leave alone, an idle process and signals, and what they show. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rseq/sanitizer.h"
#include "tests/block/others.h"
#include "tests/see/dumped.h"

/* ---- an idle process sleeps ---- */

/* The sum does not change in 2 s; where others keep the machine busy, all may
 * take longer to settle, but what wakes up again and again never does. */
static void nobody_wakes_up(void)
{
	unsigned long before, after = 0;

	for (int i = 0; i < 5; i++) {
		sleep_ms(500);
		before = pthreads_now().switches;
		sleep_ms(2000);
		after = pthreads_now().switches;
		if (after == before)
			return;
		harness_log("%lu wake-ups in 2 s", after - before);
	}
	EXPECT_EQ(after, before);
}

FIXTURE(idle)
{
	int unused;
};
FIXTURE_VARIANT(idle)
{
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(idle, all_cpus){PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(idle, crowded){{.workers = 6}};

FIXTURE_SETUP(idle)
{
	if (SANITIZER_THREAD)
		SKIP("the sanitizer's own pthread wakes up");
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(idle)
{
	EXPECT_EQ(perch_stop(), 0);
}

TEST_F_TIMEOUT(idle, with_nothing, 60)
{
	(void)self;
	nobody_wakes_up();
	/* and after it has been awake */
	EXPECT_TRUE(others_go_on());
	nobody_wakes_up();
}

static void *wait_here(void *event)
{
	EXPECT_EQ(perch_event_wait(event), 0);
	return event;
}

#define PARKED 1000

TEST_F_TIMEOUT(idle, with_parked_threads, 60)
{
	perch_event_t event = PERCH_EVENT_INIT;
	perch_t *t = calloc(PARKED, sizeof(*t));

	(void)self;
	ASSERT_NE(t, NULL);
	for (int i = 0; i < PARKED; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, wait_here, &event), 0);
	nobody_wakes_up();
	ASSERT_EQ(perch_event_set(&event), 0);
	for (int i = 0; i < PARKED; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	free(t);
}

TEST_F_TIMEOUT(idle, with_blocked_threads, 60)
{
	struct readers rs;

	(void)self;
	readers_start(&rs, 2 * perch_workers() + 1, HOWS);
	EXPECT_TRUE(others_go_on());
	nobody_wakes_up();
	EXPECT_EQ(__atomic_load_n(&rs.ended, __ATOMIC_ACQUIRE), 0);
	readers_end(&rs);
	nobody_wakes_up();
}

/* ---- deadlocks ---- */

static perch_waitgroup_t gate = PERCH_WAITGROUP_INIT;

struct last {
	bool marked, opens;
};

static void *wait_at_the_gate(void *arg)
{
	ASSERT_EQ(perch_waitgroup_wait(&gate), 0);
	return arg;
}

/* Ten times as long as a deadlock must last to be reported. No pthread is about
 * that could have written to a pipe, so it is a timer's descriptor. */
static void read_for_a_while(void)
{
	struct itimerspec at = {.it_value = {0, 500000000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t n;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(timerfd_settime(fd, 0, &at, NULL), 0);
	ASSERT_EQ(read(fd, &n, sizeof(n)), sizeof(n));
	close(fd);
}

static void *last_that_could_wake(void *arg)
{
	static const char returned[] = "has returned\n";
	struct last *l = arg;
	perch_t t[3];

	ASSERT_EQ(perch_waitgroup_add(&gate, 1), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, wait_at_the_gate, NULL), 0);
	perch_yield();
	if (l->marked)
		perch_block_begin();
	read_for_a_while();
	if (l->marked)
		perch_block_end();
	ASSERT_EQ(write(STDERR_FILENO, returned, sizeof(returned) - 1), sizeof(returned) - 1);
	if (l->opens)
		ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	return NULL;
}

static void run_the_last(void *arg)
{
	for (uint32_t workers = 0; workers < 2; workers++) {
		struct perch_config config = {.workers = workers, .deadlock = PERCH_DEADLOCK_REPORT};

		ASSERT_EQ(perch_run(&config, last_that_could_wake, arg, NULL), 0);
	}
	fprintf(stderr, "came to its end\n");
}

TEST_TIMEOUT(no_deadlock_while_one_is_blocked, 120)
{
	for (int i = 0; i < 4; i++) {
		struct last l = {i & 1, i & 2};
		struct harness_captured c;
		const char *report, *returned;

		ASSERT_EQ(harness_capture(&c, run_the_last, &l), 0);
		returned = strstr(c.text, "has returned");
		report = strstr(c.text, "perch: deadlock: ");
		EXPECT_NE(returned, NULL);
		if (l.opens) {
			EXPECT_EQ(c.status, 0);
			EXPECT_EQ(report, NULL);
			EXPECT_CONTAINS(c.text, "came to its end");
		} else {
			EXPECT_TRUE(WIFEXITED(c.status));
			EXPECT_EQ(WEXITSTATUS(c.status), PERCH_DEADLOCK_STATUS);
			EXPECT_CONTAINS(c.text, "perch: deadlock: 4 threads wait and nothing can wake them\n");
			EXPECT_GT(report, returned);
		}
		if (l.opens ? c.status : !c.status)
			harness_log("%s", c.text);
		harness_release(&c);
	}
}

/* ---- signals ---- */

struct masks {
	uint64_t worker;
	unsigned workers, own;
};

/* Those that can be blocked, without the C library's own two. */
static uint64_t blockable(uint64_t mask)
{
	return mask & ~(UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1) | UINT64_C(3) << 31);
}

static void check_mask(const char *name, uint64_t blocked, void *arg)
{
	struct masks *m = arg;

	if (!strncmp(name, "perch-", 6)) {
		m->own++;
		EXPECT_EQ(blockable(blocked), blockable(UINT64_MAX));
	} else if (blocked) { /* not the tester */
		m->workers++;
		EXPECT_EQ(blocked, m->worker);
	}
}

TEST_TIMEOUT(signal_masks, 60)
{
	struct masks m = {UINT64_C(1) << (SIGUSR1 - 1) | UINT64_C(1) << (SIGWINCH - 1), 0, 0};
	struct perch_config config = {.workers = 2};
	struct perch_stats s;
	struct readers rs;
	sigset_t mask;

	if (SANITIZER_THREAD)
		SKIP("the sanitizer has a pthread of its own");
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGWINCH);
	ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
	ASSERT_EQ(perch_start(&config), 0);
	sigemptyset(&mask);
	ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
	readers_start(&rs, 6, HOWS);
	EXPECT_TRUE(others_go_on());
	sleep_ms(500); /* none is just being made */
	ASSERT_EQ(perch_stats_get(&s), 0);
	EXPECT_GE(s.spares, 5);
	pthreads_each(check_mask, &m);
	EXPECT_EQ(m.workers, 2 + s.spares);
	EXPECT_EQ(pthreads_now().monitors, 1);
	EXPECT_GE(pthreads_now().lookouts, 1);
	EXPECT_GE(m.own, 2);
	readers_end(&rs);
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- what a dump shows ---- */

/* A dump that says this so many times, or the last of half a minute. */
static char *dump_with(const char *part, unsigned n)
{
	for (int i = 0;; i++) {
		char *text = dump();

		if (times(text, part) == n || i == 3000)
			return text;
		free(text);
		sleep_ms(10);
	}
}

TEST_TIMEOUT(a_dump_shows_who_is_stuck, 120)
{
	static const char stuck[] = ", and another schedules here; ";
	struct perch_config config = {.workers = 1};
	struct perch_stats s;
	struct readers rs;
	char line[64], *text;

	ASSERT_EQ(perch_start(&config), 0);
	text = dump();
	EXPECT_EQ(times(text, stuck), 0);
	EXPECT_EQ(times(text, "spare workers"), 0);
	free(text);
	readers_start(&rs, 3, UNMARKED);
	text = dump_with(stuck, 3);
	EXPECT_EQ(times(text, stuck), 3);
	EXPECT_CONTAINS(text, "threads: 0 wait, 0 ready, 3 run\n");
	EXPECT_EQ(times(text, "\nworker "), 4);
	free(text);
	readers_end(&rs);
	ASSERT_EQ(perch_stats_get(&s), 0);
	EXPECT_GE(s.spares, 3);
	/* as many as workers that have no duty */
	snprintf(line, sizeof(line), "\nspare workers, asleep: %llu\n", (unsigned long long)s.spares);
	text = dump_with(line, 1);
	EXPECT_EQ(times(text, line), 1);
	EXPECT_EQ(times(text, stuck), 0);
	EXPECT_EQ(times(text, "\nworker "), 1);
	free(text);
	ASSERT_EQ(perch_stop(), 0);
}
