/* SPDX-License-Identifier: MIT */
/*
 * echo.c - a server that sends back what it receives; bench_load (load.c) is its client, a
 * process of its own, on 127.0.0.1. What is counted is what that client sees.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/workload/measure.h"

struct serving {
	const struct backend *backend;
	struct echoing e;
	int result;
};

static void serve(void *arg)
{
	struct serving *s = arg;

	s->result = s->backend->echo(&s->e);
}

static int open_listener(int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 4096) ||
	    getsockname(fd, (struct sockaddr *)&a, &length))
		return -errno;
	*port = ntohs(a.sin_port);
	return fd;
}

/* Beside this program. Its output comes by *out. */
static int start_client(const struct measurement *m, int port, pid_t *pid, int *out)
{
	char path[PATH_MAX + 16], number[16], requests[32], *slash;
	char *argv[] = {path, number, (char *)(uintptr_t)m->bench_case->name, requests, NULL};
	posix_spawn_file_actions_t actions;
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	int end[2], r;

	if (n < 0)
		return -errno;
	path[n] = 0;
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "bench_load");
	snprintf(number, sizeof(number), "%d", port);
	snprintf(requests, sizeof(requests), "%zu", m->n);
	if (pipe(end))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, end[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, end[0]);
	r = posix_spawn(pid, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(end[1]);
	*out = end[0];
	return -r;
}

static int end_client(pid_t pid, int out, char *line, size_t size)
{
	size_t used = 0;
	int status;
	ssize_t n;

	while (used + 1 < size && (n = read(out, line + used, size - 1 - used)) > 0)
		used += (size_t)n;
	line[used] = 0;
	close(out);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status ? -EIO : 0;
}

static int failed(const struct measurement *m, int r)
{
	fprintf(stderr, "%s: echo %s: %s\n", m->backend->name, m->bench_case->name, strerror(-r));
	return r;
}

int measure_echo(struct measurement *m)
{
	struct serving s = {.backend = m->backend, .e.connections = strtoul(m->bench_case->name, NULL, 10)};
	uint64_t right, ns, p50, p99;
	struct rlimit files;
	char line[200];
	int port = 0, out = -1, r;
	pid_t client = -1;

	if (!m->backend->echo)
		return -ENOTSUP;
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	s.e.listener = open_listener(&port);
	if (s.e.listener < 0)
		return failed(m, s.e.listener);
	r = start_client(m, port, &client, &out);
	if (r)
		return failed(m, r);
	r = measure_inside(m, serve, &s, &s.result);
	close(s.e.listener);
	if (!r) {
		r = end_client(client, out, line, sizeof(line));
		if (!r && sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &right, &ns, &p50, &p99) != 4)
			r = -EIO;
		if (r)
			failed(m, r);
	}
	if (r)
		return r;
	params_add(m, "connections=%s bytes=64 n=%zu", m->bench_case->name, m->n);
	if (right != m->n)
		measure_wrong(m, "%" PRIu64 " of %zu answers were what had been sent", right, m->n);
	measure_emit(m, "ns_per_request", "ns", "lower", (double)ns / (double)m->n);
	measure_emit(m, "requests_per_s", "1/s", "higher", (double)m->n * 1e9 / (double)ns);
	measure_emit(m, "p50_us", "us", "lower", (double)p50 / 1e3);
	measure_emit(m, "p99_us", "us", "lower", (double)p99 / 1e3);
	return 0;
}
