/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"

static void complain(void *arg)
{
	fprintf(stderr, "cannot find '%s'\n", (const char *)arg);
}

TEST(capture_keeps_stderr)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, complain, "the door"), 0);
	EXPECT_TRUE(WIFEXITED(c.status));
	EXPECT_EQ(WEXITSTATUS(c.status), 0);
	EXPECT_STREQ(c.text, "cannot find 'the door'\n");
	EXPECT_EQ(c.length, strlen(c.text));
	harness_release(&c);
}

static void complain_and_die(void *arg)
{
	complain(arg);
	abort();
}

TEST(capture_survives_a_crash)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, complain_and_die, "the way"), 0);
	EXPECT_TRUE(WIFSIGNALED(c.status));
	EXPECT_EQ(WTERMSIG(c.status), SIGABRT);
	EXPECT_CONTAINS(c.text, "the way");
	harness_release(&c);
}

static void write_much(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100000; i++)
		fprintf(stderr, "%06d\n", i);
}

/* More than a pipe would hold. */
TEST(capture_takes_much)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, write_much, NULL), 0);
	EXPECT_EQ(c.length, 700000);
	EXPECT_CONTAINS(c.text, "099999\n");
	harness_release(&c);
}

TEST(execute_keeps_both_streams_and_the_status)
{
	char *argv[] = {"/bin/sh", "-c", "echo out; echo err >&2; exit 3", NULL};
	struct harness_captured c;

	ASSERT_EQ(harness_execute(&c, argv), 0);
	EXPECT_EQ(WEXITSTATUS(c.status), 3);
	EXPECT_STREQ(c.text, "out\nerr\n");
	harness_release(&c);
}

TEST(execute_of_what_is_not_there)
{
	char *argv[] = {"/nonexistent/program", NULL};
	struct harness_captured c;

	ASSERT_EQ(harness_execute(&c, argv), 0);
	EXPECT_EQ(WEXITSTATUS(c.status), 127);
	EXPECT_CONTAINS(c.text, "/nonexistent/program");
	harness_release(&c);
}

TEST(random_follows_from_the_seed)
{
	char *argv[] = {"/proc/self/exe", "-t", "print_random", NULL};
	struct harness_captured a, b, other;

	setenv("PERCH_TEST_SEED", "42", 1);
	ASSERT_EQ(harness_execute(&a, argv), 0);
	ASSERT_EQ(harness_execute(&b, argv), 0);
	setenv("PERCH_TEST_SEED", "43", 1);
	ASSERT_EQ(harness_execute(&other, argv), 0);
	EXPECT_CONTAINS(a.text, "random ");
	EXPECT_STREQ(a.text, b.text);
	EXPECT_STRNE(a.text, other.text);
	harness_release(&a);
	harness_release(&b);
	harness_release(&other);
}

TEST(print_random)
{
	harness_log("random %llx %llx", (unsigned long long)harness_random(), (unsigned long long)harness_random());
}

static void *draw(void *arg)
{
	*(uint64_t *)arg = harness_random();
	return NULL;
}

TEST(each_pthread_has_its_own_sequence)
{
	uint64_t drawn[2] = {0, 0};
	pthread_t p;

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(pthread_create(&p, NULL, draw, &drawn[i]), 0);
		ASSERT_EQ(pthread_join(p, NULL), 0);
	}
	EXPECT_NE(drawn[0], drawn[1]);
}

TEST(random_below_covers_its_range)
{
	unsigned seen[7] = {0};

	for (int i = 0; i < 7000; i++) {
		uint64_t r = harness_random_below(7);

		ASSERT_LT(r, 7);
		seen[r]++;
	}
	for (int i = 0; i < 7; i++)
		EXPECT_GT(seen[i], 700);
}

TEST(stress_time_is_bounded)
{
	uint64_t begin = harness_now();

	setenv("PERCH_STRESS_SECONDS", "0.2", 1);
	while (!harness_stress_over())
		harness_delay(1000);
	EXPECT_GE(harness_now() - begin, 100000000);
	EXPECT_LT(harness_now() - begin, 5000000000);
}

/* In the variant no_membarrier the harness has refused it before this runs. */
TEST(membarrier_is_refused_when_the_environment_says_so)
{
	const char *refused = getenv("PERCH_TEST_SECCOMP");
	long r = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (refused) {
		EXPECT_EQ(r, -1);
		EXPECT_EQ(errno, EPERM);
	} else {
		if (r < 0 && errno == ENOSYS)
			SKIP("this kernel has no membarrier");
		EXPECT_GE(r, 0);
	}
}

static void forbidden(void *arg)
{
	(void)arg;
	if (harness_forbid("no_such_call") != -EINVAL || harness_forbid("membarrier"))
		_exit(1);
	if (getpid() > 1) /* nothing else is */
		syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
}

TEST(forbidden_is_fatal)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, forbidden, NULL), 0);
	EXPECT_TRUE(WIFSIGNALED(c.status));
	EXPECT_EQ(WTERMSIG(c.status), SIGSYS);
	harness_release(&c);
}

TEST(refuse_by_call)
{
	EXPECT_EQ(harness_refuse("no_such_call"), -EINVAL);
	ASSERT_EQ(harness_refuse("membarrier"), 0);
	EXPECT_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0), -1);
	EXPECT_EQ(errno, EPERM);
	EXPECT_GT(getpid(), 1); /* nothing else is */
}
