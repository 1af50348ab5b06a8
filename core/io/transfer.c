/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - read, write, their vectors, and at a position. A socket is tried with
 * MSG_DONTWAIT; what is none, with RWF_NOWAIT; what does not take that either (old
 * kernels, many devices) is asked by poll() first. Files go on in file.c.
 */
#include "core/io/transfer.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include <perch/block.h>

#include "core/io/io.h"
#include "core/io/sys.h"

/* With these neither recv nor send waits. */
#define NEVER_WAITS (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)

/* The most that the kernel does in one call. */
#define MOST ((size_t)0x7ffff000)

void transfer_rest(const struct transfer *t, struct rest *rest)
{
	size_t skip = t->done;
	int i = 0;

	rest->v = t->v;
	rest->n = t->n;
	rest->at = t->at == SYS_HERE ? SYS_HERE : t->at + (off_t)t->done;
	if (!skip)
		return;
	while (i < t->n && skip >= t->v[i].iov_len)
		skip -= t->v[i++].iov_len;
	rest->v = rest->piece;
	rest->n = 0;
	while (i < t->n && rest->n < TRANSFER_PIECES) {
		rest->piece[rest->n] = (struct iovec){(char *)t->v[i].iov_base + skip, t->v[i].iov_len - skip};
		rest->n++;
		i++;
		skip = 0;
	}
}

/* ---- one attempt ---- */

static ssize_t try_socket(const struct transfer *t, int flags)
{
	struct msghdr m = {0};
	struct rest rest;

	flags |= MSG_DONTWAIT;
	if (t->n == 1) {
		char *from = (char *)t->v->iov_base + t->done;

		return t->write ? sys_send(t->fd, from, t->total - t->done, flags | MSG_NOSIGNAL)
				: sys_recv(t->fd, from, t->total - t->done, flags);
	}
	transfer_rest(t, &rest);
	m.msg_iov = (struct iovec *)(uintptr_t)rest.v;
	m.msg_iovlen = (size_t)rest.n;
	return t->write ? sys_sendmsg(t->fd, &m, flags | MSG_NOSIGNAL) : sys_recvmsg(t->fd, &m, flags);
}

ssize_t transfer_now(const struct transfer *t)
{
	struct rest rest;

	transfer_rest(t, &rest);
	return t->write ? sys_writev_now(t->fd, rest.v, rest.n, rest.at)
			: sys_readv_now(t->fd, rest.v, rest.n, rest.at);
}

/* A pipe that can be written to has room for PIPE_BUF bytes; more would not come back
 * before the last of them is read. */
ssize_t transfer_plain(const struct transfer *t, bool pipe)
{
	struct iovec one;
	struct rest rest;
	ssize_t r;

	transfer_rest(t, &rest);
	if (pipe && t->write && t->total - t->done > PIPE_BUF) {
		while (rest.n > 1 && !rest.v->iov_len) { /* there is one that is not empty */
			rest.v++;
			rest.n--;
		}
		one = *rest.v;
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): a piece that was filled */
		if (one.iov_len > PIPE_BUF)
			one.iov_len = PIPE_BUF;
		rest.v = &one;
		rest.n = 1;
	}
	perch_block_begin();
	r = t->write ? sys_writev(t->fd, rest.v, rest.n, rest.at) : sys_readv(t->fd, rest.v, rest.n, rest.at);
	perch_block_end();
	return r;
}

/* The kernel cannot say for this file whether it would wait. */
static ssize_t ask_first(const struct transfer *t, bool pipe)
{
	struct pollfd p = {.fd = t->fd, .events = t->write ? POLLOUT : POLLIN};
	int r = sys_poll(&p, 1, 0);

	if (r <= 0)
		return r < 0 ? r : -EAGAIN;
	return p.revents & POLLNVAL ? -EBADF : transfer_plain(t, pipe);
}

/* ---- until it is done ---- */

static ssize_t wait_ready(const struct transfer *t)
{
	return io_wait(t->fd, t->write ? IO_OUT : IO_IN, t->write ? PARK_WRITE : PARK_READ, t->deadline);
}

/* flags: of recv or send. goes_on: an attempt that did only a part is not the last. */
static ssize_t transfer_socket(struct transfer *t, int flags, bool goes_on)
{
	struct io_fd *e = t->write || t->deadline != CLOCK_NEVER || flags & NEVER_WAITS ? NULL : io_known(t->fd);
	bool waited = e && io_dry(e);
	ssize_t r;

	if (waited && (r = wait_ready(t)) < 0)
		return r;
	for (;;) {
		r = try_socket(t, flags);
		if (e && !waited)
			io_tried(e, r == -EAGAIN);
		if (r > 0) {
			t->done += (size_t)r;
			if (t->done < t->total && goes_on)
				continue;
		}
		if (r == -EINTR)
			continue;
		if (r != -EAGAIN || flags & NEVER_WAITS)
			break;
		r = wait_ready(t);
		if (r < 0)
			break;
		waited = true;
	}
	if (waited)
		io_pass(t->fd);
	return transfer_result(t, r);
}

/* Neither a socket nor a file: pipes, terminals, eventfds and the like. */
static ssize_t transfer_stream(struct transfer *t, ssize_t r, bool pipe)
{
	bool waited = false, always = false, ask = false;

	for (;;) {
		if (r > 0) {
			t->done += (size_t)r;
			if (!t->write || t->done >= t->total)
				break;
		} else if (r == -EAGAIN && !always) {
			r = wait_ready(t);
			if (r < 0)
				break;
			waited = true;
			always = r == IO_ALWAYS;
		} else if (r == -EOPNOTSUPP && !ask) {
			ask = true;
		} else if (r != -EINTR) {
			break;
		}
		r = always ? transfer_plain(t, pipe) : ask ? ask_first(t, pipe) : transfer_now(t);
	}
	if (waited)
		io_pass(t->fd);
	return transfer_result(t, r);
}

static ssize_t transfer_other(struct transfer *t)
{
	ssize_t r;
	int kind;

	do
		r = transfer_now(t);
	while (r == -EINTR);
	if (r == (ssize_t)t->total || !r || (r < 0 && r != -EAGAIN && r != -EOPNOTSUPP))
		return r;
	kind = sys_kind(t->fd);
	if (kind < 0)
		return r > 0 ? r : kind;
	if (kind != S_IFREG && kind != S_IFBLK)
		return transfer_stream(t, r, kind == S_IFIFO);
	if (r > 0)
		t->done = (size_t)r;
	return transfer_file(t);
}

/* For stream sockets only: another message is none of this one's business. */
static bool is_stream(int fd)
{
	int type = 0;

	return !sys_option(fd, SO_TYPE, &type, sizeof(type)) && type == SOCK_STREAM;
}

static ssize_t transfer(struct transfer *t)
{
	ssize_t r;

	if (!t->total) /* never waits */
		return t->write ? sys_writev(t->fd, t->v, t->n, t->at) : sys_readv(t->fd, t->v, t->n, t->at);
	if (t->at == SYS_HERE) {
		/* a message is sent whole, or not at all: so what is left is of a stream */
		r = transfer_socket(t, 0, t->write);
		if (r != -ENOTSOCK)
			return r;
	}
	return transfer_other(t);
}

static int sum(struct transfer *t)
{
	if (t->n < 0 || t->n > IOV_MAX)
		return -EINVAL;
	if (t->n && !t->v)
		return -EFAULT;
	for (int i = 0; i < t->n; i++) {
		if (t->v[i].iov_len > (size_t)SSIZE_MAX - t->total)
			return -EINVAL;
		t->total += t->v[i].iov_len;
	}
	return 0;
}

static ssize_t transfer_one(int fd, void *buffer, size_t n, off_t at, bool write, uint64_t deadline)
{
	struct iovec v = {buffer, n < MOST ? n : MOST};
	struct transfer t = {
		.fd = fd, .v = &v, .n = 1, .total = v.iov_len, .at = at, .write = write, .deadline = deadline};

	return transfer(&t);
}

static ssize_t transfer_all(int fd, const struct iovec *v, int n, bool write, uint64_t deadline)
{
	struct transfer t = {.fd = fd, .v = v, .n = n, .at = SYS_HERE, .write = write, .deadline = deadline};
	int r = sum(&t);

	return r ? r : transfer(&t);
}

/* ---- the calls ---- */

static void *writable(const void *p)
{
	return (void *)(uintptr_t)p;
}

ssize_t perch_read(int fd, void *buffer, size_t n)
{
	return transfer_one(fd, buffer, n, SYS_HERE, false, CLOCK_NEVER);
}

ssize_t perch_timedread(int fd, void *buffer, size_t n, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : transfer_one(fd, buffer, n, SYS_HERE, false, deadline);
}

ssize_t perch_write(int fd, const void *buffer, size_t n)
{
	return transfer_one(fd, writable(buffer), n, SYS_HERE, true, CLOCK_NEVER);
}

ssize_t perch_timedwrite(int fd, const void *buffer, size_t n, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : transfer_one(fd, writable(buffer), n, SYS_HERE, true, deadline);
}

ssize_t perch_readv(int fd, const struct iovec *v, int n)
{
	return transfer_all(fd, v, n, false, CLOCK_NEVER);
}

ssize_t perch_timedreadv(int fd, const struct iovec *v, int n, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : transfer_all(fd, v, n, false, deadline);
}

ssize_t perch_writev(int fd, const struct iovec *v, int n)
{
	return transfer_all(fd, v, n, true, CLOCK_NEVER);
}

ssize_t perch_timedwritev(int fd, const struct iovec *v, int n, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : transfer_all(fd, v, n, true, deadline);
}

ssize_t perch_pread(int fd, void *buffer, size_t n, off_t at)
{
	return at < 0 ? -EINVAL : transfer_one(fd, buffer, n, at, false, CLOCK_NEVER);
}

ssize_t perch_timedpread(int fd, void *buffer, size_t n, off_t at, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = at < 0 ? -EINVAL : clock_deadline(abstime, &deadline);

	return r ? r : transfer_one(fd, buffer, n, at, false, deadline);
}

ssize_t perch_pwrite(int fd, const void *buffer, size_t n, off_t at)
{
	return at < 0 ? -EINVAL : transfer_one(fd, writable(buffer), n, at, true, CLOCK_NEVER);
}

ssize_t perch_timedpwrite(int fd, const void *buffer, size_t n, off_t at, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = at < 0 ? -EINVAL : clock_deadline(abstime, &deadline);

	return r ? r : transfer_one(fd, writable(buffer), n, at, true, deadline);
}

/* MSG_WAITALL is this library's business: the kernel was told not to wait. */
static ssize_t receive(int fd, void *buffer, size_t n, int flags, uint64_t deadline)
{
	struct iovec v = {buffer, n < MOST ? n : MOST};
	struct transfer t = {.fd = fd, .v = &v, .n = 1, .total = v.iov_len, .at = SYS_HERE, .deadline = deadline};
	bool all = (flags & (MSG_WAITALL | MSG_PEEK | MSG_DONTWAIT)) == MSG_WAITALL && is_stream(fd);

	return transfer_socket(&t, flags, all);
}

static ssize_t transmit(int fd, const void *buffer, size_t n, int flags, uint64_t deadline)
{
	struct iovec v = {writable(buffer), n < MOST ? n : MOST};
	struct transfer t = {
		.fd = fd, .v = &v, .n = 1, .total = v.iov_len, .at = SYS_HERE, .write = true, .deadline = deadline};

	return transfer_socket(&t, flags, !(flags & MSG_DONTWAIT));
}

ssize_t perch_recv(int fd, void *buffer, size_t n, int flags)
{
	return receive(fd, buffer, n, flags, CLOCK_NEVER);
}

ssize_t perch_timedrecv(int fd, void *buffer, size_t n, int flags, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : receive(fd, buffer, n, flags, deadline);
}

ssize_t perch_send(int fd, const void *buffer, size_t n, int flags)
{
	return transmit(fd, buffer, n, flags, CLOCK_NEVER);
}

ssize_t perch_timedsend(int fd, const void *buffer, size_t n, int flags, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : transmit(fd, buffer, n, flags, deadline);
}
