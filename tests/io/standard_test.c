/* SPDX-License-Identifier: MIT */
/* standard_test.c - the runtime's own descriptors are never 0, 1 or 2, where daemons put other files. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "tests/harness/harness.h"
#include "tests/harness/helpers.h"

/* What the child found; it has nowhere to write to. */
enum { WELL = 0, NO_START = 40, TAKEN, LOST };

static void *read_one(void *fd)
{
	char c = 0;

	return (void *)(uintptr_t)(perch_read((int)(uintptr_t)fd, &c, 1) == 1 ? c : 0);
}

/* A thread that waits in a pipe, and one that reads a file. */
static bool all_kinds_of_io(const int *p, int file)
{
	void *result = NULL;
	perch_t t;

	if (perch_create(&t, NULL, read_one, (void *)(uintptr_t)p[0]))
		return false;
	usleep(20000);
	if (write(p[1], "x", 1) != 1 || perch_join(t, &result) || result != (void *)(uintptr_t)'x')
		return false;
	if (lseek(file, 0, SEEK_SET) || perch_create(&t, NULL, read_one, (void *)(uintptr_t)file) ||
	    perch_join(t, &result))
		return false;
	return result != NULL;
}

static void with_none(void *files)
{
	const int *fd = files;

	for (int i = 0; i <= STDERR_FILENO; i++)
		close(i);
	if (perch_start(NULL))
		_exit(NO_START);
	if (!all_kinds_of_io(fd, fd[2]))
		_exit(LOST);
	for (int i = 0; i <= STDERR_FILENO; i++)
		if (fcntl(i, F_GETFD) >= 0)
			_exit(TAKEN);
	for (int i = 0; i <= STDERR_FILENO; i++)
		dup2(fd[1], i);
	if (!all_kinds_of_io(fd, fd[2]))
		_exit(LOST);
	_exit(perch_stop() ? LOST : WELL);
}

TEST(closed_before_the_start)
{
	char name[] = "/tmp/perch-standard-XXXXXX";
	struct harness_captured c;
	int fd[3]; /* a pipe, above them; a file */

	ASSERT_EQ(pipe(fd), 0);
	fd[2] = mkstemp(name);
	ASSERT_GE(fd[2], 0);
	unlink(name);
	ASSERT_EQ(write(fd[2], "y", 1), 1);
	for (int i = 0; i < 3; i++)
		ASSERT_GT(fd[i], STDERR_FILENO);
	ASSERT_EQ(harness_capture(&c, with_none, fd), 0);
	ASSERT_TRUE(WIFEXITED(c.status));
	EXPECT_EQ(WEXITSTATUS(c.status), WELL);
	harness_release(&c);
}
