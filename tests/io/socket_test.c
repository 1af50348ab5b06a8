/* SPDX-License-Identifier: MIT */
/* socket_test.c - accept and connect. */
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/io/io.h"

RUNTIME_FIXTURE(sockets)

#define CLIENTS 30

struct shop {
	struct sockaddr_in at;
	int listener;
	uint32_t served, asked;
};

static void *serve(void *arg)
{
	struct shop *s = arg;

	for (;;) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);
		int fd = perch_accept(s->listener, (struct sockaddr *)&from, &length, SOCK_CLOEXEC);
		char c;

		if (fd == -EBADF)
			return NULL;
		ASSERT_GE(fd, 0);
		EXPECT_EQ(length, sizeof(from));
		EXPECT_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
		EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
		EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
		EXPECT_EQ(perch_read(fd, &c, 1), 1);
		EXPECT_EQ(perch_write(fd, &c, 1), 1);
		EXPECT_EQ(perch_close(fd), 0);
		count_up(&s->served);
	}
}

static void *visit(void *arg)
{
	struct shop *s = arg;
	struct timeval before = {7, 0}, after = {0, 0};
	socklen_t length = sizeof(after);

	for (int i = 0; i < 5; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		char c;

		ASSERT_GE(fd, 0);
		ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &before, sizeof(before)), 0);
		ASSERT_EQ(perch_connect(fd, (struct sockaddr *)&s->at, sizeof(s->at)), 0);
		EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &after, &length), 0);
		EXPECT_EQ(after.tv_sec, 7);
		EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
		EXPECT_EQ(perch_write(fd, "h", 1), 1);
		EXPECT_EQ(perch_read(fd, &c, 1), 1);
		EXPECT_EQ(c, 'h');
		EXPECT_EQ(perch_read(fd, &c, 1), 0);
		EXPECT_EQ(perch_close(fd), 0);
		count_up(&s->asked);
	}
	return NULL;
}

TEST_F(sockets, many_accept_at_one_listener)
{
	struct shop s = {.served = 0};
	struct crowd servers = {0}, clients = {0};

	s.listener = listener(&s.at);
	crowd_add(&servers, 5, 1, serve, &s);
	ASSERT_TRUE(until_io_waiters(6));
	crowd_add(&clients, CLIENTS - 2, 2, visit, &s);
	crowd_join(&clients);
	EXPECT_EQ(s.asked, CLIENTS * 5);
	EXPECT_EQ(perch_close(s.listener), 0);
	crowd_join(&servers);
	EXPECT_EQ(s.served, CLIENTS * 5);
}

/* One connection, several who come for it at once: one gets it, and no other is left in the
 * kernel, where perch_close() does not reach it. */
static void *accept_or_not(void *arg)
{
	struct shop *s = arg;
	int fd = perch_accept(s->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0) {
		count_up(&s->served);
		EXPECT_EQ(close(fd), 0);
	} else {
		/* one that comes after the close finds whatever has the number then: nothing, or a file
		 * that the monitor reads */
		EXPECT_TRUE(fd == -EBADF || fd == -ENOTSOCK);
	}
	return NULL;
}

TEST_F(sockets, one_connection_for_many)
{
	for (uint32_t i = 0; i < 200; i++) {
		struct shop s = {.served = 0};
		struct crowd c = {0};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		s.listener = listener(&s.at);
		ASSERT_EQ(connect(fd, (struct sockaddr *)&s.at, sizeof(s.at)), 0);
		crowd_add(&c, 4, i % 8 == 0, accept_or_not, &s);
		ASSERT_TRUE(gather(&s.served, 1, 20));
		dawdle(50000);
		ASSERT_EQ(perch_close(s.listener), 0);
		crowd_join(&c);
		EXPECT_EQ(s.served, 1);
		EXPECT_EQ(close(fd), 0);
	}
}

static void *accept_in_vain(void *arg)
{
	struct timespec at = in_ns(3000000);

	EXPECT_EQ(perch_timedaccept(*(int *)arg, NULL, NULL, 0, &at), -ETIMEDOUT);
	EXPECT_GE((int64_t)harness_now(), at.tv_sec * 1000000000 + at.tv_nsec);
	return NULL;
}

TEST_F(sockets, accept_times_out)
{
	struct sockaddr_in a;
	struct crowd c = {0};
	int l = listener(&a);

	crowd_add(&c, 4, 1, accept_in_vain, &l);
	crowd_join(&c);
	EXPECT_EQ(perch_timedaccept(l, NULL, NULL, 0, NULL), -EINVAL);
	EXPECT_EQ(close(l), 0);
}

TEST_F(sockets, errors)
{
	struct sockaddr_in a;
	int l = listener(&a), fd = socket(AF_INET, SOCK_STREAM, 0), end[2];

	EXPECT_EQ(perch_accept(-1, NULL, NULL, 0), -EBADF);
	EXPECT_EQ(perch_connect(-1, (struct sockaddr *)&a, sizeof(a)), -EBADF);
	EXPECT_EQ(close(l), 0);
	EXPECT_EQ(perch_connect(fd, (struct sockaddr *)&a, sizeof(a)), -ECONNREFUSED);
	EXPECT_EQ(perch_accept(fd, NULL, NULL, 0), -EINVAL); /* it does not listen */
	EXPECT_EQ(perch_timedconnect(fd, (struct sockaddr *)&a, sizeof(a), NULL), -EINVAL);
	make_pair(PIPE, end);
	EXPECT_EQ(write(end[1], "x", 1), 1);
	EXPECT_EQ(perch_accept(end[0], NULL, NULL, 0), -ENOTSOCK);
	EXPECT_EQ(perch_accept(end[1], NULL, NULL, 0), -ENOTSOCK);
	EXPECT_EQ(perch_connect(end[0], (struct sockaddr *)&a, sizeof(a)), -ENOTSOCK);
	close_pair(end);
	make_pair(TCP, end);
	EXPECT_EQ(perch_accept(end[0], NULL, NULL, 0), -EINVAL);
	close_pair(end);
	close(fd);
}

/* ---- a connect that has to wait: the listener takes no more ---- */

static struct sockaddr_un local;
static socklen_t length = sizeof(local);

static int full_listener(int *filler)
{
	int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* the kernel finds a name: pids are not unique among sandboxes */
	local = (struct sockaddr_un){.sun_family = AF_UNIX};
	ASSERT_EQ(bind(l, (struct sockaddr *)&local, sizeof(local.sun_family)), 0);
	ASSERT_EQ(getsockname(l, (struct sockaddr *)&local, &length), 0);
	ASSERT_EQ(listen(l, 0), 0);
	*filler = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(connect(*filler, (struct sockaddr *)&local, length), 0);
	return l;
}

static void *connect_in_vain(void *arg)
{
	struct timespec at = in_ns(20000000);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)arg;
	EXPECT_EQ(perch_timedconnect(fd, (struct sockaddr *)&local, length, &at), -ETIMEDOUT);
	EXPECT_EQ(close(fd), 0);
	return NULL;
}

static void *connect_later(void *arg)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	count_up(arg);
	EXPECT_EQ(perch_connect(fd, (struct sockaddr *)&local, length), 0);
	EXPECT_EQ(close(fd), 0);
	return NULL;
}

static unsigned long connects;

/* In place of the C library's. */
int connect(int fd, const struct sockaddr *a, socklen_t length)
{
	__atomic_fetch_add(&connects, 1, __ATOMIC_RELAXED);
	return (int)syscall(SYS_connect, fd, a, length);
}

static void *connect_in_vain_for_long(void *arg)
{
	struct timespec at = in_ns(1000000000);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT_EQ(perch_timedconnect(fd, (struct sockaddr *)&local, length, &at), -ETIMEDOUT);
	EXPECT_EQ(close(fd), 0);
	return arg;
}

TEST_F(sockets, a_connect_that_waits_for_room_hardly_asks)
{
	struct crowd c = {0};
	int filler, l = full_listener(&filler);

	crowd_add(&c, 10, 0, connect_in_vain_for_long, NULL);
	crowd_join(&c);
	harness_log("%lu connects", connects);
	/* each 1, 2, 4 ... 100 ms after the one before, and each takes up to a few; by the
	 * millisecond they were thousands */
	EXPECT_LT(connects, 10 * 30);
	close(filler);
	close(l);
}

TEST_F(sockets, connect_waits_for_room)
{
	struct crowd c = {0};
	uint32_t began = 0;
	int filler, l = full_listener(&filler), fd;

	crowd_add(&c, 2, 1, connect_in_vain, NULL);
	crowd_join(&c);
	crowd_add(&c, 2, 0, connect_later, &began);
	ASSERT_TRUE(gather(&began, 2, 20));
	for (int i = 0; i < 3; i++) {
		fd = perch_accept(l, NULL, NULL, 0);
		ASSERT_GE(fd, 0);
		close(fd);
	}
	crowd_join(&c);
	close(filler);
	close(l);
}
