/* SPDX-License-Identifier: MIT */
/*
 * echo_client.c - what the tests of `echo` talk to it with, on 127.0.0.1; not a perch program.
 *
 *	echo_client PORT many N      N connections at once, messages of many sizes back and forth
 *	echo_client PORT big BYTES   sent without a pause, while they come back
 *	echo_client PORT half        no more to send, and yet the answer comes
 *	echo_client PORT reset N     N connections that are reset, each with an answer under way
 *	echo_client PORT idle        waits until the server closes, after one answer; prints the ms
 *	echo_client PORT deaf        sends and never receives, until the server closes
 *	echo_client PORT crowd N     N connections at once, closed as they are served; prints in how many rounds
 *	echo_client PORT held PID    as idle, but SIGINT to PID is what makes it close
 *	echo_client PORT late PID    SIGINT to PID between two answers
 *
 * Status 0: as it should be. Nothing waits for longer than a minute.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 2000
#define BLOCK 65536
#define PATIENCE_S 60

static int port;

static void fail(const char *what)
{
	fprintf(stderr, "echo_client: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int dial(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval patience = {PATIENCE_S, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	    connect(fd, (struct sockaddr *)&a, sizeof(a)))
		fail("connect");
	return fd;
}

static void put(int fd, const void *data, size_t n)
{
	for (const char *from = data; n;) {
		ssize_t r = send(fd, from, n, MSG_NOSIGNAL);

		if (r <= 0)
			fail("send");
		from += r;
		n -= (size_t)r;
	}
}

static void get(int fd, void *data, size_t n)
{
	for (char *to = data; n;) {
		ssize_t r = recv(fd, to, n, 0);

		if (r <= 0)
			fail("recv");
		to += r;
		n -= (size_t)r;
	}
}

static bool ended(int fd)
{
	char c;
	ssize_t r = recv(fd, &c, 1, 0);

	return !r || (r < 0 && errno == ECONNRESET);
}

/* Bytes that tell where in the stream they are. */
static void fill(unsigned char *to, size_t n, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)(((at + i) * 2654435761u) >> 24);
}

static void expect(int fd, size_t n, uint64_t at)
{
	static unsigned char got[BLOCK], want[BLOCK];

	get(fd, got, n);
	fill(want, n, at);
	errno = EBADMSG;
	if (memcmp(got, want, n) != 0)
		fail("what came back");
}

static int many(int n)
{
	static const size_t size[] = {1, 64, 4000, 16384, 16385, 40000};
	static unsigned char out[BLOCK];
	int fd[MOST];

	for (int i = 0; i < n; i++)
		fd[i] = dial();
	for (size_t s = 0; s < sizeof(size) / sizeof(*size); s++) {
		for (int i = 0; i < n; i++) {
			fill(out, size[s], (uint64_t)i);
			put(fd[i], out, size[s]);
		}
		for (int i = 0; i < n; i++)
			expect(fd[i], size[s], (uint64_t)i);
	}
	for (int i = 0; i < n; i++)
		close(fd[i]);
	return 0;
}

static int big(uint64_t bytes)
{
	static unsigned char out[BLOCK];
	int fd = dial(), status;
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	for (uint64_t at = 0, n; at < bytes; at += n) {
		n = bytes - at < BLOCK ? bytes - at : BLOCK;
		if (!child) {
			fill(out, n, at);
			put(fd, out, n);
		} else {
			expect(fd, n, at);
		}
	}
	if (!child)
		_exit(shutdown(fd, SHUT_WR) != 0);
	return waitpid(child, &status, 0) != child || status || !ended(fd);
}

static int half(void)
{
	static unsigned char out[BLOCK];
	int fd = dial();

	fill(out, BLOCK, 7);
	put(fd, out, BLOCK);
	shutdown(fd, SHUT_WR);
	expect(fd, BLOCK, 7);
	return !ended(fd);
}

static int reset(int n)
{
	static const struct linger at_once = {1, 0};
	static char out[BLOCK];

	for (int i = 0; i < n; i++) {
		int fd = dial();

		put(fd, out, sizeof(out));
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(fd);
	}
	return 0;
}

static int idle(pid_t interrupt)
{
	struct timespec a, b;
	int fd = dial();

	put(fd, "x", 1);
	get(fd, &(char){0}, 1);
	clock_gettime(CLOCK_MONOTONIC, &a);
	if (interrupt && kill(interrupt, SIGINT))
		fail("kill");
	if (!ended(fd))
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%ld\n", (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);
	return 0;
}

static int deaf(void)
{
	static char out[BLOCK];
	int fd = dial();

	while (send(fd, out, sizeof(out), MSG_NOSIGNAL) > 0)
		;
	return errno != ECONNRESET && errno != EPIPE;
}

static int crowd(int n)
{
	struct pollfd p[MOST];
	int left = n, rounds = 0;

	for (int i = 0; i < n; i++) {
		p[i] = (struct pollfd){.fd = dial(), .events = POLLIN};
		put(p[i].fd, "x", 1);
	}
	for (; left; rounds++) {
		errno = ETIMEDOUT;
		if (poll(p, (nfds_t)n, PATIENCE_S * 1000) <= 0)
			fail("waiting for an answer");
		usleep(300000); /* for all that are coming now */
		poll(p, (nfds_t)n, 0);
		for (int i = 0; i < n; i++) {
			if (p[i].fd < 0 || !p[i].revents)
				continue;
			get(p[i].fd, &(char){0}, 1);
			close(p[i].fd);
			p[i].fd = -1;
			left--;
		}
	}
	printf("%d\n", rounds);
	return 0;
}

static int late(pid_t interrupt)
{
	int fd = dial();

	put(fd, "x", 1);
	get(fd, &(char){0}, 1);
	if (kill(interrupt, SIGINT))
		fail("kill");
	usleep(100000);
	put(fd, "y", 1);
	get(fd, &(char){0}, 1);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";
	long n = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
	struct rlimit files;

	port = argc > 2 ? atoi(argv[1]) : 0;
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (!strcmp(what, "big") && n > 0)
		return big((uint64_t)n);
	if (!strcmp(what, "half"))
		return half();
	if (!strcmp(what, "idle"))
		return idle(0);
	if (!strcmp(what, "deaf"))
		return deaf();
	if (!strcmp(what, "held") && n > 0)
		return idle((pid_t)n);
	if (!strcmp(what, "late") && n > 0)
		return late((pid_t)n);
	if (!strcmp(what, "many") && n > 0 && n <= MOST)
		return many((int)n);
	if (!strcmp(what, "crowd") && n > 0 && n <= MOST)
		return crowd((int)n);
	if (!strcmp(what, "reset") && n > 0)
		return reset((int)n);
	fputs("usage: echo_client PORT WHAT [N]; see the source\n", stderr);
	return 2;
}
