/* SPDX-License-Identifier: MIT */
#include "bench/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[PATH_MAX];

int spawn_find_backends(const char *below)
{
	ssize_t length = readlink("/proc/self/exe", directory, sizeof(directory) - 1);
	char *slash;

	if (length < 0)
		return -errno;
	directory[length] = 0;
	slash = strrchr(directory, '/');
	if (!slash)
		return -ENOENT;
	*slash = 0;
	if (*below && (size_t)snprintf(slash, sizeof(directory) - (size_t)(slash - directory), "/%s", below) >=
			      sizeof(directory) - (size_t)(slash - directory))
		return -ENAMETOOLONG;
	return 0;
}

static void failed(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void failed(struct run *run, const char *format, ...)
{
	va_list args;

	run->verified = false;
	va_start(args, format);
	vsnprintf(run->error, sizeof(run->error), format, args);
	va_end(args);
}

static void become_backend(const struct run *run, int out)
{
	char path[PATH_MAX + 32], workload[64], bench_case[64], size[32], workers[32];
	const char *argv[6 + RUN_EXTRA_MOST] = {path, workload, bench_case, size, workers, NULL};

	snprintf(path, sizeof(path), "%s/bench_%s", directory, run->program ? run->program : run->backend);
	snprintf(workload, sizeof(workload), "--workload=%s", run->bench_case->workload);
	snprintf(bench_case, sizeof(bench_case), "--case=%s", run->bench_case->name);
	snprintf(size, sizeof(size), "--size=%s", size_name(run->bench_case->size));
	snprintf(workers, sizeof(workers), "--workers=%u", run->workers);
	for (int i = 0; i < run->extras; i++)
		argv[5 + i] = run->extra[i];
	/* OpenMP's threads recurse as deep as the tree; addresses only */
	setenv("OMP_STACKSIZE", "64M", 0);
	if (case_over_memory(run->bench_case)) { /* its threads stay where they touched it first */
		setenv("OMP_PROC_BIND", "spread", 0);
		setenv("OMP_PLACES", "threads", 0);
	}
	if (run->preload)
		setenv("LD_PRELOAD", run->preload, 1);
	if (dup2(out, STDOUT_FILENO) >= 0)
		execv(path, (char *const *)argv);
	fprintf(stderr, "bench: cannot run %s: %s\n", path, strerror(errno));
	_exit(127);
}

static long seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Take in whole lines; the rest stays at the front of the buffer. */
static size_t take_lines(struct run *run, char *buffer, size_t length)
{
	char *at = buffer, *newline;

	while ((newline = memchr(at, '\n', length - (size_t)(at - buffer)))) {
		*newline = 0;
		if (run_take(run, at))
			failed(run, "wrote what is no measurement: %.80s", at);
		at = newline + 1;
	}
	length -= (size_t)(at - buffer);
	memmove(buffer, at, length);
	return length;
}

/* Read all that it writes. -ETIME: it took too long. */
static int listen_to(struct run *run, int in)
{
	char buffer[4096];
	size_t used = 0;
	long end = seconds_now() + RUN_SECONDS_MOST;

	for (;;) {
		struct pollfd p = {in, POLLIN, 0};
		long left = end - seconds_now();
		ssize_t n;

		if (left <= 0)
			return -ETIME;
		if (poll(&p, 1, (int)left * 1000) <= 0)
			continue;
		n = read(in, buffer + used, sizeof(buffer) - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used = take_lines(run, buffer, used + (size_t)n);
		if (used == sizeof(buffer)) {
			failed(run, "wrote an endless line");
			return 0;
		}
	}
	if (used)
		failed(run, "ended within a line");
	return 0;
}

static void judge(struct run *run, int status, int samples_before)
{
	if (WIFSIGNALED(status))
		failed(run, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) > 1)
		failed(run, "exit status %d", WEXITSTATUS(status));
	else if (WEXITSTATUS(status) == 1 && run->verified)
		failed(run, "its result was wrong");
	else if (!*run->skipped && !*run->error && (!run->metrics || run->metric[0].samples == samples_before))
		failed(run, "measured nothing");
}

void spawn_run(struct run *run)
{
	int before = run->metrics ? run->metric[0].samples : 0;
	int pipes[2], status, r;
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC)) {
		failed(run, "no pipe: %s", strerror(errno));
		return;
	}
	fflush(NULL);
	child = fork();
	if (child == 0)
		become_backend(run, pipes[1]);
	close(pipes[1]);
	if (child < 0) {
		failed(run, "no process: %s", strerror(errno));
		close(pipes[0]);
		return;
	}
	r = listen_to(run, pipes[0]);
	close(pipes[0]);
	if (r)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (r)
		failed(run, "took longer than %d s, ended", RUN_SECONDS_MOST);
	else
		judge(run, status, before);
}
