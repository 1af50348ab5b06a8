/* SPDX-License-Identifier: MIT */
/*
 * deadlock_test.c - a deadlock is reported, and nothing else is. Each case runs
 * in a child; those in which nothing may be reported have a twin that differs
 * in the one thing, and in which something is.
 */
#include <errno.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/see/child.h"

/* Five times as long as a deadlock must last to be reported. */
#define LONG_ENOUGH 250

static perch_waitgroup_t gate = PERCH_WAITGROUP_INIT;

static __attribute__((noinline)) void *wait_at_the_gate(void *arg)
{
	ASSERT_EQ(perch_waitgroup_wait(&gate), 0);
	__asm__ volatile("");
	return arg;
}

static void say(const char *line)
{
	ASSERT_EQ(write(STDERR_FILENO, line, strlen(line)), (ssize_t)strlen(line));
}

static unsigned times(const char *text, const char *part)
{
	unsigned n = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		n++;
	return n;
}

#define reported(fn, what) reported_(fn, what, __LINE__)
static void reported_(void (*fn)(void *), const char *what, int line)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, fn, NULL), 0);
	if (!WIFEXITED(c.status) || WEXITSTATUS(c.status) != PERCH_DEADLOCK_STATUS)
		harness_log("line %d: status %#x, and: %s", line, c.status, c.text);
	EXPECT_TRUE(WIFEXITED(c.status));
	EXPECT_EQ(WEXITSTATUS(c.status), PERCH_DEADLOCK_STATUS);
	EXPECT_EQ(times(c.text, "perch: deadlock: "), 1);
	EXPECT_EQ(times(c.text, "\nperch " PERCH_VERSION ": process "), 1);
	EXPECT_CONTAINS(c.text, what);
	EXPECT_EQ(strstr(c.text, "came to its end"), NULL);
	harness_release(&c);
}

#define not_reported(fn) not_reported_(fn, __LINE__)
static void not_reported_(void (*fn)(void *), int line)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, fn, NULL), 0);
	if (c.status || strstr(c.text, "deadlock"))
		harness_log("line %d: status %#x, and: %s", line, c.status, c.text);
	EXPECT_EQ(c.status, 0);
	EXPECT_EQ(strstr(c.text, "deadlock"), NULL);
	EXPECT_CONTAINS(c.text, "came to its end");
	harness_release(&c);
}

static struct perch_config config = {.workers = 2};

FIXTURE(deadlock)
{
	int unused;
};
FIXTURE_VARIANT(deadlock)
{
	uint32_t workers;
};
FIXTURE_VARIANT_ADD(deadlock, all_cpus){0};
FIXTURE_VARIANT_ADD(deadlock, alone){1};
FIXTURE_VARIANT_ADD(deadlock, crowded){6};

FIXTURE_SETUP(deadlock)
{
	config = (struct perch_config){.workers = variant->workers, .deadlock = REPORTS};
	ASSERT_EQ(perch_waitgroup_add(&gate, 1), 0);
}

FIXTURE_TEARDOWN(deadlock)
{
}

/* ---- what is one ---- */

static void *two_who_wait(void *arg)
{
	perch_t t[2];

	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, wait_at_the_gate, NULL), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	return arg;
}

static void run_two_who_wait(void *arg)
{
	(void)arg;
	dup2(STDERR_FILENO, STDOUT_FILENO);
	printf("printed, and not flushed\n");
	ASSERT_EQ(perch_run(&config, two_who_wait, NULL, NULL), 0);
	say("came to its end\n");
}

TEST_F(deadlock, nobody_ends_the_waitgroup)
{
	reported(run_two_who_wait, "perch: deadlock: 3 threads wait and nothing can wake them\n");
	reported(run_two_who_wait, "\n2 threads wait in waitgroup wait, ");
	reported(run_two_who_wait, " wait_at_the_gate+0x");
	reported(run_two_who_wait, "printed, and not flushed\n");
}

static perch_t cycle[2];
static uint32_t both;

static void *join_the_other(void *mine)
{
	/* both have started, so that neither is run by the other's join */
	count_one(&both);
	while (__atomic_load_n(&both, __ATOMIC_ACQUIRE) < 3)
		perch_yield();
	ASSERT_EQ(perch_join(cycle[(perch_t *)mine == cycle ? 1 : 0], NULL), 0);
	return NULL;
}

static void run_a_join_cycle(void *arg)
{
	(void)arg;
	ASSERT_EQ(perch_start(&config), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_create(&cycle[i], NULL, join_the_other, &cycle[i]), 0);
	count_one(&both);
	perch_stop();
	say("came to its end\n");
}

TEST_F(deadlock, a_cycle_of_joins)
{
	reported(run_a_join_cycle, "\n2 threads wait in join, ");
	reported(run_a_join_cycle, " at 2 objects: thread 0x");
	reported(run_a_join_cycle, " join_the_other+0x");
}

static void *join_cycle_0(void *arg)
{
	ASSERT_EQ(perch_join(cycle[0], NULL), 0);
	return arg;
}

static void *join_a_new_one(void *arg)
{
	cycle[0] = perch_self();
	ASSERT_EQ(perch_create(&cycle[1], NULL, join_cycle_0, NULL), 0);
	ASSERT_EQ(perch_join(cycle[1], NULL), 0);
	return arg;
}

static void run_a_cycle_with_a_new_one(void *arg)
{
	perch_t t;

	(void)arg;
	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&t, NULL, join_a_new_one, NULL), 0);
	perch_stop();
	say("came to its end\n");
}

/* Whether its joiner runs it or not. */
TEST_F(deadlock, a_cycle_of_joins_with_a_new_thread)
{
	reported(run_a_cycle_with_a_new_one, "perch: deadlock: 2 threads wait and nothing can wake them\n");
	reported(run_a_cycle_with_a_new_one, " join_a_new_one+0x");
	reported(run_a_cycle_with_a_new_one, " join_cycle_0+0x");
}

static void *create_and_end(void *ms)
{
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, wait_at_the_gate, NULL), 0);
	sleep_ms((unsigned)(uintptr_t)ms);
	return NULL;
}

/* The last waker is a pthread that ends. */
static void run_a_waker_that_ends(void *arg)
{
	pthread_t p;

	(void)arg;
	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(pthread_create(&p, NULL, create_and_end, (void *)LONG_ENOUGH), 0);
	ASSERT_EQ(perch_waitgroup_wait(&gate), 0);
	say("came to its end\n");
}

TEST_F(deadlock, when_the_last_waker_ends)
{
	reported(run_a_waker_that_ends, "\n1 thread waits in waitgroup wait, ");
	reported(run_a_waker_that_ends, ", which is no worker, waits in waitgroup wait, ");
}

static void run_one_that_wakes_nobody(void *arg)
{
	perch_t t;

	(void)arg;
	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&t, NULL, wait_at_the_gate, NULL), 0);
	sleep_ms(50);
	ASSERT_EQ(perch_waker_unregister(), 0);
	sleep_ms(20000);
	say("came to its end\n");
}

TEST_F(deadlock, who_has_said_that_it_wakes_nobody)
{
	reported(run_one_that_wakes_nobody, "perch: deadlock: 1 thread waits and nothing can wake it\n");
}

/* ---- what is none ---- */

static void create_wait_and_wake(unsigned ms)
{
	perch_t t;

	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&t, NULL, wait_at_the_gate, NULL), 0);
	sleep_ms(ms);
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	say("came to its end\n");
}

/* A pthread that is about: the one that started it all. */
static void run_with_main_outside(void *arg)
{
	(void)arg;
	create_wait_and_wake(LONG_ENOUGH);
}

TEST_F(deadlock, not_while_main_is_outside)
{
	config.deadlock = PERCH_DEADLOCK_REPORT;
	not_reported(run_with_main_outside);
}

static uint32_t registered;

/* Its first perch call is the one that wakes; whether it registers before is the question. */
static void *wake_late(void *does_register)
{
	if (does_register) {
		ASSERT_EQ(perch_waker_register(), 0);
		ASSERT_EQ(perch_waker_register(), 0);
	}
	count_one(&registered);
	/* where a report is to come, nothing comes before it, on the slowest machine either */
	sleep_ms(!does_register && config.deadlock == PERCH_DEADLOCK_REPORT ? 60000 : LONG_ENOUGH);
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	return NULL;
}

static void run_with_a_stranger(void *does_register)
{
	pthread_t p;

	ASSERT_EQ(pthread_create(&p, NULL, wake_late, does_register), 0);
	ASSERT_TRUE(reaches(&registered, 1));
	ASSERT_EQ(perch_run(&config, two_who_wait, NULL, NULL), 0);
	ASSERT_EQ(pthread_join(p, NULL), 0);
	say("came to its end\n");
}

static void run_with_an_unknown_one(void *arg)
{
	(void)arg;
	run_with_a_stranger(NULL);
}

static void run_with_a_registered_one(void *arg)
{
	(void)arg;
	run_with_a_stranger(&registered);
}

TEST_F(deadlock, not_while_a_pthread_is_about)
{
	config.deadlock = PERCH_DEADLOCK_REPORT;
	not_reported(run_with_a_registered_one);
	reported(run_with_an_unknown_one, "perch: deadlock: 3 threads wait");
	/* without being told to, perch trusts whom it does not know */
	config.deadlock = PERCH_DEADLOCK_AUTO;
	not_reported(run_with_an_unknown_one);
	config.deadlock = PERCH_DEADLOCK_OFF;
	not_reported(run_with_an_unknown_one);
}

/* One that perch does not know ends, and tells nobody: it is noticed all the same. */
static void *just_end(void *ms)
{
	sleep_ms((unsigned)(uintptr_t)ms);
	return NULL;
}

static void run_with_one_that_ends(void *arg)
{
	pthread_t p;

	(void)arg;
	ASSERT_EQ(pthread_create(&p, NULL, just_end, (void *)LONG_ENOUGH), 0);
	ASSERT_EQ(perch_run(&config, two_who_wait, NULL, NULL), 0);
	say("came to its end\n");
}

TEST_F(deadlock, when_the_last_unknown_pthread_ends)
{
	if (SANITIZER_THREAD)
		SKIP("the sanitizer's own pthread does not end");
	config.deadlock = PERCH_DEADLOCK_AUTO;
	reported(run_with_one_that_ends, "perch: deadlock: 3 threads wait");
}

static struct timespec in_ms(unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += (long)ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void *wait_with_an_end(void *arg)
{
	struct timespec t = in_ms(LONG_ENOUGH);
	perch_t other;

	ASSERT_EQ(perch_create(&other, NULL, wait_at_the_gate, NULL), 0);
	if (arg)
		ASSERT_EQ(perch_waitgroup_wait(&gate), 0);
	ASSERT_EQ(perch_waitgroup_timedwait(&gate, &t), -ETIMEDOUT);
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(other, NULL), 0);
	return NULL;
}

static void run_with_a_timer(void *arg)
{
	(void)arg;
	ASSERT_EQ(perch_run(&config, wait_with_an_end, NULL, NULL), 0);
	say("came to its end\n");
}

static void run_without_a_timer(void *arg)
{
	(void)arg;
	ASSERT_EQ(perch_run(&config, wait_with_an_end, &config, NULL), 0);
	say("came to its end\n");
}

TEST_F(deadlock, not_while_a_timer_is_armed)
{
	not_reported(run_with_a_timer);
	reported(run_without_a_timer, "perch: deadlock: 2 threads wait");
}

static void run_with_a_pthread_that_waits_for_a_while(void *arg)
{
	struct timespec t = in_ms(LONG_ENOUGH);
	perch_t other;

	(void)arg;
	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&other, NULL, wait_at_the_gate, NULL), 0);
	ASSERT_EQ(perch_waitgroup_timedwait(&gate, &t), -ETIMEDOUT);
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(other, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	say("came to its end\n");
}

TEST_F(deadlock, not_while_a_pthread_waits_with_a_time_out)
{
	config.deadlock = PERCH_DEADLOCK_REPORT;
	not_reported(run_with_a_pthread_that_waits_for_a_while);
}

static void *stuck_in_the_kernel(void *arg)
{
	perch_t other;

	ASSERT_EQ(perch_create(&other, NULL, wait_at_the_gate, NULL), 0);
	perch_yield();
	sleep_ms(LONG_ENOUGH);
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(other, NULL), 0);
	return arg;
}

static void run_a_stuck_worker(void *arg)
{
	(void)arg;
	ASSERT_EQ(perch_run(&config, stuck_in_the_kernel, NULL, NULL), 0);
	say("came to its end\n");
}

TEST_F(deadlock, not_while_a_worker_is_stuck)
{
	config.deadlock = PERCH_DEADLOCK_REPORT;
	not_reported(run_a_stuck_worker);
}

static void *nothing(void *arg)
{
	return arg;
}

/* Nothing to do is not a deadlock: no threads yet, or no more, or main at perch_stop. */
static void run_without_threads(void *arg)
{
	perch_t t;

	(void)arg;
	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_waker_unregister(), 0);
	sleep_ms(LONG_ENOUGH);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(perch_create(&t, NULL, i ? nothing : stuck_in_the_kernel, NULL), 0);
		if (i)
			ASSERT_EQ(perch_join(t, NULL), 0);
		else
			ASSERT_EQ(perch_detach(t), 0);
	}
	sleep_ms(LONG_ENOUGH);
	ASSERT_EQ(perch_stop(), 0);
	say("came to its end\n");
}

TEST_F(deadlock, not_without_threads)
{
	config.deadlock = PERCH_DEADLOCK_REPORT;
	not_reported(run_without_threads);
}

/* Threads that hand each other on, by pthreads that wait in turn: never a moment too early. */
static void *ask(void *arg)
{
	for (int i = 0; i < (SANITIZER_THREAD ? 500 : 3000); i++) {
		perch_t t;

		ASSERT_EQ(perch_create(&t, NULL, nothing, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	return arg;
}

static void run_busy_pthreads(void *arg)
{
	pthread_t p[4];
	perch_t t;

	(void)arg;
	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&t, NULL, wait_at_the_gate, NULL), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, ask, NULL), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	sleep_ms(LONG_ENOUGH); /* the wakers have been counted right so far */
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	say("came to its end\n");
}

TEST_F(deadlock, not_while_pthreads_come_and_wait)
{
	config.deadlock = PERCH_DEADLOCK_REPORT;
	not_reported(run_busy_pthreads);
}

/* ---- the handler ---- */

static uint32_t calls;

static void open_the_gate(void *arg)
{
	ASSERT_EQ(arg, &gate);
	ASSERT_EQ(perch_self(), 0);
	ASSERT_EQ(perch_stop(), -EDEADLK);
	ASSERT_EQ(perch_dump(STDERR_FILENO), 0);
	count_one(&calls);
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
}

static void run_with_a_handler(void *arg)
{
	(void)arg;
	ASSERT_EQ(perch_deadlock_handler(open_the_gate, &gate), 0);
	for (uint32_t i = 1; i <= 2; i++) {
		ASSERT_EQ(perch_run(&config, two_who_wait, NULL, NULL), 0);
		ASSERT_EQ(calls, i);
		ASSERT_EQ(perch_waitgroup_add(&gate, 1), 0);
	}
	/* twice within one life of the runtime */
	ASSERT_EQ(perch_start(&config), 0);
	for (uint32_t i = 3; i <= 4; i++) {
		perch_t t;

		ASSERT_EQ(perch_create(&t, NULL, two_who_wait, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		ASSERT_EQ(calls, i);
		ASSERT_EQ(perch_waitgroup_add(&gate, 1), 0);
	}
	ASSERT_EQ(perch_deadlock_handler(NULL, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	say("came to its end\n");
}

TEST_F(deadlock, a_handler_instead_of_the_end)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, run_with_a_handler, NULL), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_EQ(times(c.text, "perch: deadlock: 3 threads wait and nothing can wake them\n"), 4);
	EXPECT_EQ(times(c.text, "perch " PERCH_VERSION ": process "), 8);
	EXPECT_CONTAINS(c.text, "came to its end");
	if (c.status)
		harness_log("%s", c.text);
	harness_release(&c);
}

static void count_a_call(void *arg)
{
	count_one(arg);
}

/* A handler that does not help is not called again. */
static void run_with_an_idle_handler(void *arg)
{
	perch_t t;

	(void)arg;
	ASSERT_EQ(perch_deadlock_handler(count_a_call, &calls), 0);
	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&t, NULL, wait_at_the_gate, NULL), 0);
	ASSERT_EQ(perch_waker_unregister(), 0);
	ASSERT_TRUE(reaches(&calls, 1));
	/* not even when it could be looked at once more */
	ASSERT_EQ(perch_waker_register(), 0);
	ASSERT_EQ(perch_waker_unregister(), 0);
	sleep_ms(LONG_ENOUGH);
	ASSERT_EQ(calls, 1);
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_waitgroup_add(&gate, 1), 0);
	ASSERT_EQ(perch_create(&t, NULL, wait_at_the_gate, NULL), 0);
	ASSERT_TRUE(reaches(&calls, 2));
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	say("came to its end\n");
}

TEST_F(deadlock, once_for_each)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, run_with_an_idle_handler, NULL), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_EQ(times(c.text, "perch: deadlock: "), 2);
	EXPECT_CONTAINS(c.text, "came to its end");
	harness_release(&c);
}

static void *register_in_a_thread(void *arg)
{
	EXPECT_EQ(perch_waker_register(), -EPERM);
	EXPECT_EQ(perch_waker_unregister(), -EPERM);
	return arg;
}

TEST(registering)
{
	/* also before there is a runtime */
	EXPECT_EQ(perch_waker_unregister(), 0);
	EXPECT_EQ(perch_waker_register(), 0);
	EXPECT_EQ(perch_run(NULL, register_in_a_thread, NULL, NULL), 0);
}

/* ---- an idle program sleeps ---- */

/* How often the reporter has gone to sleep so far. */
static unsigned long reporters_sleeps(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned long n = 0;
	bool found = false;
	struct dirent *e;

	ASSERT_NE(d, NULL);
	while ((e = readdir(d))) {
		char path[300], line[200];
		bool this_one = false;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", e->d_name);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			this_one |= !strcmp(line, "Name:\tperch-reporter\n");
			if (this_one && sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1)
				found = true;
		}
		if (f)
			fclose(f);
	}
	closedir(d);
	ASSERT_TRUE(found);
	return n;
}

TEST_F(deadlock, the_reporter_sleeps)
{
	unsigned long before;
	perch_t t;

	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_create(&t, NULL, wait_at_the_gate, NULL), 0);
	sleep_ms(LONG_ENOUGH);
	before = reporters_sleeps();
	sleep_ms(1000);
	EXPECT_EQ(reporters_sleeps(), before);
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
}
