/* SPDX-License-Identifier: MIT */
/*
 * sys.h - system calls that return a count or -errno, and leave errno alone. Each
 * is a function that is not inlined: errno's address must not be kept across a
 * switch to another pthread. Most are libc's calls, not bare ones: the thread
 * sanitizer knows what they order.
 */
#ifndef PERCH_IO_SYS_H
#define PERCH_IO_SYS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Of a file position: the descriptor's own. */
#define SYS_HERE ((off_t)-1)

ssize_t sys_recv(int fd, void *buffer, size_t n, int flags);
ssize_t sys_send(int fd, const void *buffer, size_t n, int flags);
ssize_t sys_recvmsg(int fd, struct msghdr *m, int flags);
ssize_t sys_sendmsg(int fd, const struct msghdr *m, int flags);
/* Without waiting. -EAGAIN: it would; -EOPNOTSUPP: the kernel cannot say. */
ssize_t sys_readv_now(int fd, const struct iovec *v, int n, off_t at);
ssize_t sys_writev_now(int fd, const struct iovec *v, int n, off_t at);
/* Plain ones, which may block; SYS_HERE: readv(), writev(). */
ssize_t sys_readv(int fd, const struct iovec *v, int n, off_t at);
ssize_t sys_writev(int fd, const struct iovec *v, int n, off_t at);
int sys_accept(int fd, struct sockaddr *a, socklen_t *length, int flags);
int sys_connect(int fd, const struct sockaddr *a, socklen_t length);
int sys_poll(struct pollfd *p, nfds_t n, uint64_t deadline); /* 0: at once; or clock_ns, CLOCK_NEVER */
int sys_fsync(int fd);
int sys_open(const char *path, int flags, mode_t mode);
int sys_close(int fd);
int sys_option(int fd, int option, void *value, socklen_t size); /* of SOL_SOCKET: get */
int sys_set_option(int fd, int option, const void *value, socklen_t size);
/* A descriptor of the runtime's own: the same file at a number above 2, where daemons put other
 * files; or -errno, and it is closed. */
int sys_keep_off_standard(int fd);
/* The kind of file, S_IFMT's bits. */
int sys_kind(int fd);

#endif
