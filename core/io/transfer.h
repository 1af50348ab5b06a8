/* SPDX-License-Identifier: MIT */
/* transfer.h - reads and writes, in the form that all their calls share. */
#ifndef PERCH_IO_TRANSFER_H
#define PERCH_IO_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct transfer {
	int fd;
	int n;                 /* of v */
	const struct iovec *v; /* all of it */
	size_t total;          /* bytes */
	size_t done;           /* bytes, so far */
	off_t at;              /* where it began in the file; SYS_HERE: at the descriptor's position */
	bool write;
	uint64_t deadline;
};

/* What is left of it; some of that, when there are many pieces. */
#define TRANSFER_PIECES 16
struct rest {
	const struct iovec *v;
	int n;
	off_t at;
	struct iovec piece[TRANSFER_PIECES];
};
void transfer_rest(const struct transfer *t, struct rest *rest);

/* One attempt. transfer_now: -EAGAIN when it would wait, -EOPNOTSUPP when that cannot be
 * said of this file. transfer_plain: may block the pthread, and switch threads. */
ssize_t transfer_now(const struct transfer *t);
ssize_t transfer_plain(const struct transfer *t, bool pipe);

/* What the call returns: what was done counts more than what went wrong then. */
static inline ssize_t transfer_result(const struct transfer *t, ssize_t r)
{
	return t->done ? (ssize_t)t->done : r;
}

/* The file is a regular one, or a block device: go on until all is done, the end, an
 * error. file.c */
ssize_t transfer_file(struct transfer *t);

#endif
