/* SPDX-License-Identifier: MIT */
/* io.h - what the tests of I/O share: pairs of descriptors, listeners on 127.0.0.1. */
#ifndef PERCH_TESTS_IO_IO_H
#define PERCH_TESTS_IO_IO_H

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/sched/idle.h"
#include "rseq/sanitizer.h"
#include "tests/sync/crowd.h"

enum kind { SOCKETS, TCP, PIPE };

/* end[0] reads what end[1] writes; sockets go both ways. */
static inline void make_pair(enum kind kind, int end[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(a);
	int l;

	if (kind == PIPE) {
		ASSERT_EQ(pipe2(end, O_CLOEXEC), 0);
		return;
	}
	if (kind == SOCKETS) {
		ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end), 0);
		return;
	}
	l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(bind(l, (struct sockaddr *)&a, sizeof(a)), 0);
	ASSERT_EQ(listen(l, 1), 0);
	ASSERT_EQ(getsockname(l, (struct sockaddr *)&a, &length), 0);
	end[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(connect(end[1], (struct sockaddr *)&a, sizeof(a)), 0);
	end[0] = accept(l, NULL, NULL);
	ASSERT_GE(end[0], 0);
	close(l);
}

static inline void close_pair(const int end[2])
{
	EXPECT_EQ(close(end[0]), 0);
	EXPECT_EQ(close(end[1]), 0);
}

static inline int listener(struct sockaddr_in *a)
{
	socklen_t length = sizeof(*a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ASSERT_EQ(bind(l, (struct sockaddr *)a, sizeof(*a)), 0);
	ASSERT_EQ(listen(l, 128), 0);
	ASSERT_EQ(getsockname(l, (struct sockaddr *)a, &length), 0);
	return l;
}

static inline unsigned io_waiters(void)
{
	return __atomic_load_n(&idle_io_waiters, __ATOMIC_SEQ_CST);
}

/* True once n threads wait for I/O; false after 20 s. Blocks the pthread that calls it. */
static inline bool until_io_waiters(unsigned n)
{
	uint64_t until = harness_now() + 20000000000u;

	while (io_waiters() != n) {
		struct timespec nap = {0, 20000};

		if (harness_now() > until)
			return false;
		nanosleep(&nap, NULL);
	}
	nanosleep(&(struct timespec){0, 2000000}, NULL); /* and has gone to sleep */
	return true;
}

#endif
