/* SPDX-License-Identifier: MIT */
/* sigquit_test.c - SIGQUIT writes a dump, if nobody else wants it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/see/child.h"

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

/* From another process, as a user's key does it. */
static void quit_from_outside(void)
{
	pid_t me = getpid(), pid = fork();
	int status;

	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(kill(me, SIGQUIT) ? 1 : 0);
	while (waitpid(pid, &status, 0) != pid)
		ASSERT_EQ(errno, EINTR);
	ASSERT_EQ(status, 0);
}

static perch_waitgroup_t gate = PERCH_WAITGROUP_INIT;
static uint32_t waits;

static __attribute__((noinline)) void *wait_at_the_gate(void *arg)
{
	count_one(&waits);
	ASSERT_EQ(perch_waitgroup_wait(&gate), 0);
	__asm__ volatile("");
	return arg;
}

static void start_with_a_waiting_thread(const struct perch_config *config, perch_t *t)
{
	ASSERT_EQ(perch_start(config), 0);
	ASSERT_EQ(perch_waitgroup_add(&gate, 1), 0);
	ASSERT_EQ(perch_create(t, NULL, wait_at_the_gate, NULL), 0);
	ASSERT_TRUE(reaches(&waits, 1));
	sleep_ms(50);
}

static void quit_twice_and_go_on(void *config)
{
	perch_t t;

	start_with_a_waiting_thread(config, &t);
	for (int i = 0; i < 2; i++) {
		quit_from_outside();
		sleep_ms(1000); /* one that is not written yet takes in the second */
	}
	say("it went on\n");
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
}

TEST(a_dump_and_the_program_goes_on)
{
	struct perch_config configs[] = {
		PERCH_CONFIG_INIT, {.sigquit = PERCH_SIGQUIT_DUMP, .workers = 1}, {.deadlock = PERCH_DEADLOCK_OFF}};

	for (int i = 0; i < 3; i++) {
		struct harness_captured c;

		ASSERT_EQ(harness_capture(&c, quit_twice_and_go_on, &configs[i]), 0);
		EXPECT_EQ(c.status, 0);
		EXPECT_EQ(times(c.text, "perch " PERCH_VERSION ": process "), 2);
		EXPECT_EQ(times(c.text, "\n1 thread waits in waitgroup wait, "), 2);
		EXPECT_EQ(times(c.text, " wait_at_the_gate+0x"), 2);
		EXPECT_CONTAINS(c.text, "\nit went on\n");
		harness_release(&c);
	}
}

/* Nothing is cut short by it, nor lost in it, on whatever pthread it arrives. */
static uint32_t over;

static void *quit_again_and_again(void *arg)
{
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		kill(getpid(), SIGQUIT);
		sleep_ms(1);
	}
	return arg;
}

static void *spawn_and_join(void *depth)
{
	uintptr_t left = (uintptr_t)depth;
	perch_t t[2];

	if (!left)
		return NULL;
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, spawn_and_join, (void *)(left - 1)), 0);
	errno = 5;
	ASSERT_EQ(errno, 5);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	return NULL;
}

static void a_storm_of_signals(void *arg)
{
	pthread_t p;

	(void)arg;
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(pthread_create(&p, NULL, quit_again_and_again, NULL), 0);
	for (int i = 0; i < 30; i++) {
		perch_t t;

		ASSERT_EQ(perch_create(&t, NULL, spawn_and_join, (void *)8), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		sleep_ms(20); /* it is not interrupted before its time */
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(pthread_join(p, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	say("it went on\n");
}

TEST_TIMEOUT(while_it_works, 60)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, a_storm_of_signals, NULL), 0);
	EXPECT_EQ(c.status, 0);
	if (c.status)
		harness_log("%.4000s", strstr(c.text, "WARNING") ? strstr(c.text, "WARNING") : c.text);
	EXPECT_GE(times(c.text, "perch " PERCH_VERSION ": process "), 1);
	EXPECT_CONTAINS(c.text, "it went on\n");
	harness_release(&c);
}

static void *handler_now(void)
{
	struct sigaction a;

	ASSERT_EQ(sigaction(SIGQUIT, NULL, &a), 0);
	return (void *)(uintptr_t)a.sa_handler;
}

static uint32_t caught;

static void catch_it(int signal)
{
	(void)signal;
	count_one(&caught);
}

static bool ignored_at_first;

static __attribute__((constructor)) void look_at_first(void)
{
	ignored_at_first = handler_now() == (void *)(uintptr_t)SIG_IGN;
}

TEST(what_the_program_has_set_is_left)
{
	void *theirs[] = {(void *)(uintptr_t)catch_it, (void *)(uintptr_t)SIG_IGN};

	/* this one may have been started by a shell that ignores it */
	for (int i = 0; i < (ignored_at_first ? 1 : 2); i++) {
		signal(SIGQUIT, (void (*)(int))(uintptr_t)theirs[i]);
		ASSERT_EQ(perch_start(NULL), 0);
		EXPECT_EQ(handler_now(), theirs[i]);
		quit_from_outside();
		EXPECT_EQ(perch_stop(), 0);
		EXPECT_EQ(handler_now(), theirs[i]);
	}
	EXPECT_TRUE(reaches(&caught, 1));
}

/* The test runs itself once more, as a shell's background job. */
TEST(what_a_shell_ignores_is_taken)
{
	char program[] = "/proc/self/exe", this_test[] = "what_a_shell_ignores_is_taken", option[] = "-t";
	char *argv[] = {program, option, this_test, NULL};
	struct harness_captured c;
	perch_t t;

	if (!getenv("PERCH_TEST_IGNORED")) {
		setenv("PERCH_TEST_IGNORED", "1", 1);
		signal(SIGQUIT, SIG_IGN);
		ASSERT_EQ(harness_execute(&c, argv), 0);
		EXPECT_EQ(c.status, 0);
		EXPECT_CONTAINS(c.text, "\n1 thread waits in waitgroup wait, ");
		harness_release(&c);
		return;
	}
	EXPECT_TRUE(ignored_at_first);
	signal(SIGQUIT, SIG_IGN); /* the harness has reset it since */
	start_with_a_waiting_thread(NULL, &t);
	quit_from_outside();
	sleep_ms(1000);
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	EXPECT_EQ(handler_now(), (void *)(uintptr_t)SIG_IGN);
}

TEST(the_default_comes_back)
{
	signal(SIGQUIT, SIG_DFL);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(perch_start(NULL), 0);
		EXPECT_NE(handler_now(), (void *)(uintptr_t)SIG_DFL);
		EXPECT_EQ(perch_stop(), 0);
		EXPECT_EQ(handler_now(), (void *)(uintptr_t)SIG_DFL);
	}
	/* one that was set over ours stays */
	ASSERT_EQ(perch_start(NULL), 0);
	signal(SIGQUIT, catch_it);
	EXPECT_EQ(perch_stop(), 0);
	EXPECT_EQ(handler_now(), (void *)(uintptr_t)catch_it);
}

static void quit_when_it_is_off(void *arg)
{
	const struct perch_config config = {.sigquit = PERCH_SIGQUIT_OFF};
	perch_t t;

	(void)arg;
	start_with_a_waiting_thread(&config, &t);
	quit_from_outside();
	sleep_ms(5000);
	say("it went on\n");
}

TEST_SIGNAL(off_is_what_the_system_does, SIGQUIT)
{
	struct harness_captured c;

	/* this process's limits (no core file) and its default action are the child's */
	ASSERT_EQ(harness_capture(&c, quit_when_it_is_off, NULL), 0);
	EXPECT_TRUE(WIFSIGNALED(c.status));
	EXPECT_EQ(WTERMSIG(c.status), SIGQUIT);
	EXPECT_EQ(strstr(c.text, "perch "), NULL);
	harness_release(&c);
	raise(SIGQUIT);
}

/* The child of a fork() has no reporter: there SIGQUIT is what it was. */
TEST(in_the_child_of_a_fork)
{
	int status;
	pid_t pid;

	signal(SIGQUIT, SIG_DFL);
	ASSERT_EQ(perch_start(NULL), 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(handler_now() != (void *)(uintptr_t)SIG_DFL || perch_dump(2) != -EPERM);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(perch_stop(), 0);
}
