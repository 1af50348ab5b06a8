/* SPDX-License-Identifier: MIT */
/*
 * uring.h - what may block for other reasons than readiness (files): by io_uring, where
 * the kernel has it and lets us.
 *
 *	            do    reap      L: the ring's lock: one ring for all
 *	do           L     L
 *	reap         L     L        (whoever polls: the ring lies in the poller's epoll)
 *
 * A request lies in its caller's frame, which stays until the kernel has said what
 * became of it: after a deadline it is cancelled, and that is waited for. So no buffer
 * is touched after the return.
 *
 * Ordering: `done` and the claim of its wait are under the lock; so who has timed out
 * sees either the result, or will be woken by it.
 * Progress: the lock is held across io_uring_enter() (1-10 us), in which the kernel does
 * what it can do at once; so submissions go one after the other.
 *
 * Rejected, for now: a ring for each processor. Where a request is slow the lock is not
 * what makes it so; where it is done at once, the call without a ring (RWF_NOWAIT) did it.
 */
#ifndef PERCH_IO_URING_H
#define PERCH_IO_URING_H

#include <stdint.h>

struct io_uring_sqe;

/* There is no ring to be had: the caller makes a plain call. No request ends so. */
#define URING_NONE (-ENOSYS)

/*
 * uring_do - one request; prepare(sqe, arg) fills it in, without the user data.
 * @fd: what a dump shows
 * Returns its result, -ETIMEDOUT (cancelled), -EPERM (in the child of a fork()), or
 * URING_NONE. May switch threads.
 */
int uring_do(void (*prepare)(struct io_uring_sqe *sqe, const void *arg), const void *arg, int fd, uint64_t deadline);

/* When the workers have ended. */
void uring_stop(void);

#endif
