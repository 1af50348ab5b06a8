/* SPDX-License-Identifier: MIT */
/*
 * perch/io.h - I/O for threads: a call that has to wait blocks its thread, not the
 * processor that it runs on.
 *
 * The calls are the system's, with its meaning, and return what it does, or -errno:
 *	- counts may be short where the system's may. What writes and sends to a pipe
 *	  or a stream goes on until all is written, or an error, or its deadline comes; what was
 *	  written before that is then returned.
 *	- -EINTR never comes back.
 *	- descriptors stay as they are, and may be used by other means at the same time.
 *	  With O_NONBLOCK or without, a call waits. (With MSG_DONTWAIT it does not: -EAGAIN.)
 *	  SO_RCVTIMEO and SO_SNDTIMEO are not heeded: there are deadlines.
 *	- a socket never raises SIGPIPE; a pipe does, unless the program ignores it.
 *
 * The timed forms do what can be done without waiting, and then wait until `abstime`, a
 * point of CLOCK_MONOTONIC: -ETIMEDOUT; -EINVAL when it is NULL or tv_nsec is not
 * 0 .. 999,999,999.
 *
 * All may switch threads. All may be called from pthreads that are no workers, which are
 * blocked meanwhile, and there also while the runtime is down. In the child of a fork()
 * what would have to wait is -EPERM.
 *
 * What each waits by, and the few cases in which a deadline or perch_close() has to wait
 * for the kernel: perch_io(3), docs/caveats.md.
 */
#ifndef PERCH_IO_H
#define PERCH_IO_H

#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

ssize_t perch_read(int fd, void *buffer, size_t n);
ssize_t perch_timedread(int fd, void *buffer, size_t n, const struct timespec *abstime);
ssize_t perch_write(int fd, const void *buffer, size_t n);
ssize_t perch_timedwrite(int fd, const void *buffer, size_t n, const struct timespec *abstime);

/* -EINVAL: n is not 0 .. IOV_MAX (1,024). */
ssize_t perch_readv(int fd, const struct iovec *v, int n);
ssize_t perch_timedreadv(int fd, const struct iovec *v, int n, const struct timespec *abstime);
ssize_t perch_writev(int fd, const struct iovec *v, int n);
ssize_t perch_timedwritev(int fd, const struct iovec *v, int n, const struct timespec *abstime);

ssize_t perch_pread(int fd, void *buffer, size_t n, off_t at);
ssize_t perch_timedpread(int fd, void *buffer, size_t n, off_t at, const struct timespec *abstime);
ssize_t perch_pwrite(int fd, const void *buffer, size_t n, off_t at);
ssize_t perch_timedpwrite(int fd, const void *buffer, size_t n, off_t at, const struct timespec *abstime);

/* flags: of recv() and send(). */
ssize_t perch_recv(int fd, void *buffer, size_t n, int flags);
ssize_t perch_timedrecv(int fd, void *buffer, size_t n, int flags, const struct timespec *abstime);
ssize_t perch_send(int fd, const void *buffer, size_t n, int flags);
ssize_t perch_timedsend(int fd, const void *buffer, size_t n, int flags, const struct timespec *abstime);

/* As accept4(); address and length may be NULL. Returns the new descriptor. */
int perch_accept(int fd, struct sockaddr *address, socklen_t *length, int flags);
int perch_timedaccept(int fd, struct sockaddr *address, socklen_t *length, int flags, const struct timespec *abstime);
/* After -ETIMEDOUT the socket may still be connecting, as after a connect() that was
 * interrupted. */
int perch_connect(int fd, const struct sockaddr *address, socklen_t length);
int perch_timedconnect(int fd, const struct sockaddr *address, socklen_t length, const struct timespec *abstime);

/* timeout: milliseconds; below 0: for ever. Returns how many have events; 0: the time is over. */
int perch_poll(struct pollfd *fds, nfds_t n, int timeout);
int perch_timedpoll(struct pollfd *fds, nfds_t n, const struct timespec *abstime);

/* mode: used if flags have O_CREAT or O_TMPFILE. Returns the descriptor. */
int perch_open(const char *path, int flags, mode_t mode);
int perch_timedopen(const char *path, int flags, mode_t mode, const struct timespec *abstime);
int perch_fsync(int fd);
int perch_timedfsync(int fd, const struct timespec *abstime);

/*
 * perch_close - close a descriptor. Threads and pthreads that wait for it in one of these
 * calls return -EBADF first. (close() by itself would leave them waiting.)
 */
int perch_close(int fd);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
