/* SPDX-License-Identifier: MIT */
/* hidden_test.c - /sys, /proc or both are not shown, as in a bare chroot or by bubblewrap. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/harness.h"
#include "tests/refuse/work.h"

FIXTURE(hidden)
{
	char unused;
};

FIXTURE_VARIANT(hidden)
{
	const char *directory[2];
	const char *said;
};

FIXTURE_VARIANT_ADD(hidden, sys){.directory = {"/sys"}, .said = "the topology is not known, going on with one node: "};
FIXTURE_VARIANT_ADD(hidden, proc){.directory = {"/proc"}, .said = ""};
FIXTURE_VARIANT_ADD(hidden, sys_and_proc){.directory = {"/sys", "/proc"}, .said = "going on with one node"};

FIXTURE_SETUP(hidden)
{
	if (SANITIZER_THREAD || SANITIZER_ADDRESS)
		SKIP("the sanitizer reads /proc");
}

FIXTURE_TEARDOWN(hidden)
{
}

/* Exits with 77: not allowed here. */
static void in_private(void *arg)
{
	const char *const *directory = arg;
	const char *wrong;

	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		_exit(77);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		_exit(77);
	for (int i = 0; i < 2; i++)
		if (directory[i] && mount("none", directory[i], "tmpfs", 0, NULL))
			_exit(77);
	if (perch_start(NULL))
		_exit(2);
	wrong = work();
	if (wrong)
		fprintf(stderr, "%s\n", wrong);
	_exit(wrong || perch_stop() ? 4 : 0);
}

/* ---- the main pthread has ended ---- */

static pthread_t main_pthread;

static void *goes_on(void *arg)
{
	int fd = open("/dev/null", O_WRONLY);

	pthread_join(main_pthread, NULL);
	if (perch_start(NULL))
		_exit(2);
	for (int i = 0; i < 30; i++) { /* for some looks of the monitor, four a second */
		if (work() || perch_procs() < 1 || perch_dump(fd))
			_exit(3);
	}
	_exit(perch_stop() ? 4 : 0);
	return arg;
}

static void without_main(void *unused)
{
	pthread_t p;

	main_pthread = pthread_self();
	if (pthread_create(&p, NULL, goes_on, unused))
		_exit(5);
	pthread_exit(NULL);
}

TEST(the_main_pthread_may_have_ended)
{
	struct harness_captured c;

	if (SANITIZER_THREAD || SANITIZER_ADDRESS)
		SKIP("the sanitizer reads /proc");
	ASSERT_EQ(harness_capture(&c, without_main, NULL), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_STREQ(c.text, "");
	harness_release(&c);
}

TEST_F_TIMEOUT(hidden, directories_are_done_without, 60)
{
	struct harness_captured c;

	(void)self;
	ASSERT_EQ(harness_capture(&c, in_private, (void *)variant->directory), 0);
	if (WIFEXITED(c.status) && WEXITSTATUS(c.status) == 77)
		SKIP("no mounts of one's own here: %s", strerror(errno));
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, variant->said);
	if (c.status)
		harness_log("%s", c.text);
	harness_release(&c);
}
