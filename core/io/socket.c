/* SPDX-License-Identifier: MIT */
/*
 * socket.c - accept and connect: the two for which there is no MSG_DONTWAIT.
 *
 * accept: asked by poll() first, by one caller at a time for a descriptor (`accepting`), so
 * that the connection that poll() saw is still there for accept4(). Only somebody who
 * accepts by other means can come between; then the pthread waits, in its bracket.
 *
 * connect: with SO_SNDTIMEO of one tick, which makes it return, while the kernel goes
 * on, without O_NONBLOCK; then the socket is waited for. Put back afterwards: a socket
 * that is not connected is not sent to meanwhile.
 */
#include <errno.h>
#include <sys/time.h>

#include <perch/block.h>
#include <perch/time.h>

#include "core/io/io.h"
#include "core/io/sys.h"
#include "core/sched/clock.h"
#include "core/sync/object.h"

/* Between tries at a socket that has no event for "there is room now" (AF_UNIX): twice as long each time. */
#define AGAIN_NS UINT64_C(1000000)
#define AGAIN_MOST_NS UINT64_C(100000000)

/* ---- accept ---- */

static int try_accept(int fd, struct sockaddr *a, socklen_t *length, int flags)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r = fd < 0 ? -EBADF : sys_poll(&p, 1, 0), listens = 0;

	if (r < 0)
		return r;
	if (p.revents & POLLNVAL)
		return -EBADF;
	if (!r) {
		r = sys_option(fd, SO_ACCEPTCONN, &listens, sizeof(listens));
		if (r || listens)
			return r ? r : -EAGAIN;
		/* it does not listen: accept4() says what that is, at once */
	}
	perch_block_begin();
	r = sys_accept(fd, a, length, flags);
	perch_block_end();
	return r;
}

/* False: another is at it. Its io_pass() finds us if we wait then. */
static bool accept_begin(struct io_fd *e)
{
	return !e || !__atomic_exchange_n(&e->accepting, 1, __ATOMIC_ACQUIRE);
}

static void accept_end(struct io_fd *e)
{
	if (e)
		__atomic_store_n(&e->accepting, 0, __ATOMIC_RELEASE);
}

static int accept_until(int fd, struct sockaddr *a, socklen_t *length, int flags, uint64_t deadline)
{
	struct io_fd *e = io_entry(fd);
	bool waited = false;
	int r;

	for (;;) {
		if (accept_begin(e)) {
			r = try_accept(fd, a, length, flags);
			accept_end(e);
		} else {
			r = -EAGAIN;
		}
		if (r == -EINTR)
			continue;
		if (r != -EAGAIN)
			break;
		r = io_wait(fd, IO_IN, PARK_ACCEPT, deadline);
		if (r < 0)
			break;
		if (r == IO_ALWAYS) {
			r = -ENOTSOCK;
			break;
		}
		waited = true;
	}
	if (waited)
		io_pass(fd);
	return r;
}

int perch_accept(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	return accept_until(fd, address, length, flags, CLOCK_NEVER);
}

int perch_timedaccept(int fd, struct sockaddr *address, socklen_t *length, int flags, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : accept_until(fd, address, length, flags, deadline);
}

/* ---- connect ---- */

static int try_connect(int fd, const struct sockaddr *a, socklen_t length)
{
	struct timeval tick = {0, 1}, before = {0, 0};
	int r = sys_option(fd, SO_SNDTIMEO, &before, sizeof(before));

	if (r)
		return r;
	r = sys_set_option(fd, SO_SNDTIMEO, &tick, sizeof(tick));
	if (r)
		return r;
	perch_block_begin();
	r = sys_connect(fd, a, length);
	perch_block_end();
	sys_set_option(fd, SO_SNDTIMEO, &before, sizeof(before));
	return r;
}

/* The kernel goes on with it. */
static int await_connection(int fd, uint64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int r, error = 0;

	/* a wait may end for other reasons; and what is not connected cannot be written to */
	do {
		r = io_wait(fd, IO_OUT, PARK_CONNECT, deadline);
		if (r < 0)
			return r;
		io_pass(fd);
		r = sys_poll(&p, 1, 0);
	} while (!r || r == -EINTR);
	if (r < 0)
		return r;
	r = sys_option(fd, SO_ERROR, &error, sizeof(error));
	return r ? r : -error;
}

static int connect_until(int fd, const struct sockaddr *a, socklen_t length, uint64_t deadline)
{
	for (uint64_t pause = AGAIN_NS;; pause = pause * 2 < AGAIN_MOST_NS ? pause * 2 : AGAIN_MOST_NS) {
		int r = try_connect(fd, a, length);
		uint64_t now;

		if (r == -EINPROGRESS || r == -EALREADY || r == -EINTR)
			return await_connection(fd, deadline);
		if (r != -EAGAIN)
			return r;
		r = object_may_wait(deadline);
		if (r)
			return r;
		now = clock_ns();
		perch_sleep(now + pause < deadline || now >= deadline ? pause : deadline - now);
	}
}

int perch_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	return connect_until(fd, address, length, CLOCK_NEVER);
}

int perch_timedconnect(int fd, const struct sockaddr *address, socklen_t length, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : connect_until(fd, address, length, deadline);
}
