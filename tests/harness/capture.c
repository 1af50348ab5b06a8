/* SPDX-License-Identifier: MIT */
/* capture.c - a child process whose output is kept. Into a memfd, not a pipe:
 * nobody has to read while it runs, and nothing is lost when it crashes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/helpers.h"
#include "tests/harness/internal.h"

static int collect(pid_t pid, int fd, struct harness_captured *out)
{
	struct stat st;
	ssize_t n = 0;

	while (waitpid(pid, &out->status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (fstat(fd, &st))
		return -errno;
	out->text = malloc((size_t)st.st_size + 1);
	if (!out->text)
		return -ENOMEM;
	while (out->length < (size_t)st.st_size) {
		n = pread(fd, out->text + out->length, (size_t)st.st_size - out->length, (off_t)out->length);
		if (n <= 0)
			break;
		out->length += (size_t)n;
	}
	out->text[out->length] = 0;
	return 0;
}

static int run_captured(struct harness_captured *out, void (*fn)(void *arg), void *arg, bool with_stdout)
{
	int fd, r;
	pid_t pid;

	memset(out, 0, sizeof(*out));
	fd = memfd_create("captured", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	if (!pid) {
		harness_escape_tid = 0; /* the way back is the parent's */
		if (dup2(fd, STDERR_FILENO) < 0 || (with_stdout && dup2(fd, STDOUT_FILENO) < 0))
			_exit(126);
		fn(arg);
		fflush(NULL);
		_exit(0);
	}
	r = collect(pid, fd, out);
	close(fd);
	return r;
}

int harness_capture(struct harness_captured *out, void (*fn)(void *arg), void *arg)
{
	return run_captured(out, fn, arg, false);
}

static void execute(void *arg)
{
	char *const *argv = arg;

	execv(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int harness_execute(struct harness_captured *out, char *const argv[])
{
	return run_captured(out, execute, (void *)(uintptr_t)argv, true);
}

void harness_release(struct harness_captured *c)
{
	free(c->text);
	memset(c, 0, sizeof(*c));
}
