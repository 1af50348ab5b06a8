/* SPDX-License-Identifier: MIT */
/* closed_test.c - the program closes the runtime's descriptors, as daemons do with all that they
 * did not open, and puts files of its own there. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/io/io.h"

/* The pipe's, out of the way. */
#define HIGH 700

FIXTURE(closed)
{
	char unused;
};

FIXTURE_VARIANT(closed)
{
	struct perch_config config;
	bool replaced;
};

FIXTURE_VARIANT_ADD(closed, alone){.config = {.procs = 1}};
FIXTURE_VARIANT_ADD(closed, all_cpus){.config = PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(closed, replaced_alone){.config = {.procs = 1}, .replaced = true};
FIXTURE_VARIANT_ADD(closed, replaced){.config = PERCH_CONFIG_INIT, .replaced = true};

FIXTURE_SETUP(closed)
{
}

FIXTURE_TEARDOWN(closed)
{
}

static void *reads(void *unused)
{
	char c = 0;

	(void)unused;
	return (void *)(uintptr_t)(perch_read(HIGH, &c, 1) == 1 ? c : 0);
}

static void *nothing(void *arg)
{
	return arg;
}

/* All below HIGH but the standard ones; in the place of each, a file that is empty. */
static void close_all(bool replaced)
{
	char name[] = "/tmp/perch-closed-XXXXXX";
	int file = mkstemp(name);

	if (file < 0)
		_exit(10);
	unlink(name);
	dup2(file, HIGH + 2);
	for (int fd = 3; fd < HIGH; fd++) {
		bool was = fcntl(fd, F_GETFD) >= 0;

		close(fd);
		if (was && replaced)
			dup2(HIGH + 2, fd);
	}
}

static bool wait_and_wake(bool closes, bool replaced)
{
	void *result = NULL;
	perch_t reader, other;

	if (perch_create(&reader, NULL, reads, NULL) || !until_io_waiters(1))
		return false;
	if (closes)
		close_all(replaced);
	/* somebody has to be woken, who may be asleep there */
	if (perch_create(&other, NULL, nothing, NULL) || perch_join(other, NULL))
		return false;
	if (write(HIGH + 1, "x", 1) != 1 || perch_join(reader, &result))
		return false;
	return result == (void *)(uintptr_t)'x';
}

static void run(const struct perch_config *config, bool replaced)
{
	struct stat st;
	int end[2];

	alarm(20);
	if (pipe(end) || dup2(end[0], HIGH) < 0 || dup2(end[1], HIGH + 1) < 0 || perch_start(config))
		_exit(2);
	close(end[0]);
	close(end[1]);
	for (int i = 0; i < 6; i++)
		if (!wait_and_wake(i % 3 == 1, replaced))
			_exit(3);
	if (perch_stop())
		_exit(4);
	/* nothing of ours went into it, and it was not closed */
	if (replaced && (fstat(HIGH + 2, &st) || st.st_size))
		_exit(5);
	_exit(0);
}

TEST_F_TIMEOUT(closed, and_all_goes_on, 60)
{
	int status;
	pid_t pid;

	(void)self;
	if (SANITIZER_THREAD)
		SKIP("to close what another uses is a race");
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		run(&variant->config, variant->replaced);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}
