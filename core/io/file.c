/* SPDX-License-Identifier: MIT */
/*
 * file.c - files, which have no readiness: what the page cache has is taken by the call
 * itself (RWF_NOWAIT, in transfer.c); the rest is a request to the ring, or where there is none,
 * a plain call in a bracket, which no deadline ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>

#include <perch/block.h>

#include "core/io/io.h"
#include "core/io/sys.h"
#include "core/io/transfer.h"
#include "core/io/uring.h"
#include "core/sync/object.h"

struct piece {
	int fd;
	bool write;
	struct rest rest;
};

static void prepare_transfer(struct io_uring_sqe *sqe, const void *arg)
{
	const struct piece *p = arg;

	if (p->write)
		io_uring_prep_writev(sqe, p->fd, p->rest.v, (unsigned)p->rest.n, (uint64_t)p->rest.at);
	else
		io_uring_prep_readv(sqe, p->fd, p->rest.v, (unsigned)p->rest.n, (uint64_t)p->rest.at);
}

static ssize_t transfer_slowly(const struct transfer *t)
{
	struct piece p = {.fd = t->fd, .write = t->write};
	ssize_t r;

	transfer_rest(t, &p.rest);
	r = uring_do(prepare_transfer, &p, t->fd, t->deadline);
	if (r != URING_NONE)
		return r;
	do
		r = transfer_plain(t, false);
	while (r == -EINTR);
	return r;
}

/* The first attempt has been made: either it would have waited, or did a part (t->done). */
ssize_t transfer_file(struct transfer *t)
{
	bool slowly = !t->done;
	ssize_t r;

	for (;;) {
		r = slowly ? transfer_slowly(t) : transfer_now(t);
		if (r > 0) {
			t->done += (size_t)r;
			if (t->done >= t->total)
				break;
			slowly = false; /* what was read ahead is there now; and the end is seen so */
		} else if (!slowly && (r == -EAGAIN || r == -EOPNOTSUPP)) {
			slowly = true;
		} else if (r != -EINTR) {
			break;
		}
	}
	return transfer_result(t, r);
}

/* ---- fsync ---- */

static void prepare_fsync(struct io_uring_sqe *sqe, const void *arg)
{
	io_uring_prep_fsync(sqe, *(const int *)arg, 0);
}

static int sync_until(int fd, uint64_t deadline)
{
	int r = uring_do(prepare_fsync, &fd, fd, deadline);

	while (r == URING_NONE || r == -EINTR) {
		perch_block_begin();
		r = sys_fsync(fd);
		perch_block_end();
	}
	return r;
}

int perch_fsync(int fd)
{
	return sync_until(fd, CLOCK_NEVER);
}

int perch_timedfsync(int fd, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : sync_until(fd, deadline);
}

/*
 * ---- open ----
 *
 * With a deadline by the ring, off hand (IOSQE_ASYNC): at once the kernel would try it as
 * with O_NONBLOCK, and open a FIFO that nobody has at the other end. That is a hop to
 * another kernel thread (10-20 us), so without a deadline it is a plain call in a bracket.
 */

struct opening {
	const char *path;
	int flags;
	mode_t mode;
};

static void prepare_open(struct io_uring_sqe *sqe, const void *arg)
{
	const struct opening *o = arg;

	io_uring_prep_openat(sqe, AT_FDCWD, o->path, o->flags, o->mode);
	io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
}

static int open_until(const char *path, int flags, mode_t mode, uint64_t deadline)
{
	struct opening o = {path, flags, mode};
	int r;

	if (!path)
		return -EFAULT;
	r = deadline == CLOCK_NEVER ? URING_NONE : uring_do(prepare_open, &o, AT_FDCWD, deadline);
	while (r == URING_NONE || r == -EINTR) {
		perch_block_begin();
		r = sys_open(path, flags, mode);
		perch_block_end();
	}
	return r;
}

int perch_open(const char *path, int flags, mode_t mode)
{
	return open_until(path, flags, mode, CLOCK_NEVER);
}

int perch_timedopen(const char *path, int flags, mode_t mode, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : open_until(path, flags, mode, deadline);
}

/* ---- close ---- */

int perch_close(int fd)
{
	struct io_fd *e = io_close_begin(fd);
	int r;

	perch_block_begin();
	r = sys_close(fd);
	perch_block_end();
	if (e)
		io_close_end(e);
	return r == -EINTR ? 0 : r; /* it is closed all the same */
}
