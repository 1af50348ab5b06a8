/* SPDX-License-Identifier: MIT */
#include "core/io/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/sched/clock.h"
#include "rseq/sanitizer.h"

/* The call's result as ours. */
#define RESULT(call)                                                                                                   \
	({                                                                                                             \
		int saved_ = errno;                                                                                    \
		__typeof__(call) r_ = (call);                                                                          \
                                                                                                                       \
		if (r_ < 0)                                                                                            \
			r_ = -errno;                                                                                   \
		errno = saved_;                                                                                        \
		r_;                                                                                                    \
	})

/*
 * The two of every message never wait here (MSG_DONTWAIT), and go by without libc's preparations for being
 * cancelled: two atomic instructions each.
 */
ssize_t sys_recv(int fd, void *buffer, size_t n, int flags)
{
#if SANITIZER_THREAD
	return RESULT(recv(fd, buffer, n, flags));
#else
	return RESULT(syscall(SYS_recvfrom, fd, buffer, n, flags, NULL, NULL));
#endif
}

ssize_t sys_send(int fd, const void *buffer, size_t n, int flags)
{
#if SANITIZER_THREAD
	return RESULT(send(fd, buffer, n, flags));
#else
	return RESULT(syscall(SYS_sendto, fd, buffer, n, flags, NULL, 0));
#endif
}

ssize_t sys_recvmsg(int fd, struct msghdr *m, int flags)
{
	return RESULT(recvmsg(fd, m, flags));
}

ssize_t sys_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return RESULT(sendmsg(fd, m, flags));
}

/* A filter that does not know the call says -EPERM, and then the plain call says what is true. */
static ssize_t known_call(ssize_t r)
{
	return r == -EPERM ? -EOPNOTSUPP : r;
}

ssize_t sys_readv_now(int fd, const struct iovec *v, int n, off_t at)
{
	return known_call(RESULT(preadv2(fd, v, n, at, RWF_NOWAIT)));
}

ssize_t sys_writev_now(int fd, const struct iovec *v, int n, off_t at)
{
	return known_call(RESULT(pwritev2(fd, v, n, at, RWF_NOWAIT)));
}

ssize_t sys_readv(int fd, const struct iovec *v, int n, off_t at)
{
	return at == SYS_HERE ? RESULT(readv(fd, v, n)) : RESULT(preadv(fd, v, n, at));
}

ssize_t sys_writev(int fd, const struct iovec *v, int n, off_t at)
{
	return at == SYS_HERE ? RESULT(writev(fd, v, n)) : RESULT(pwritev(fd, v, n, at));
}

int sys_accept(int fd, struct sockaddr *a, socklen_t *length, int flags)
{
	return RESULT(accept4(fd, a, length, flags));
}

int sys_connect(int fd, const struct sockaddr *a, socklen_t length)
{
	return RESULT(connect(fd, a, length));
}

int sys_poll(struct pollfd *p, nfds_t n, uint64_t deadline)
{
	struct timespec left = {0, 0};

	if (!deadline)
		return RESULT(poll(p, n, 0));
	if (deadline != CLOCK_NEVER) {
		uint64_t now = clock_ns();

		left = clock_timespec(deadline > now ? deadline - now : 0);
	}
	return RESULT(ppoll(p, n, deadline == CLOCK_NEVER ? NULL : &left, NULL));
}

int sys_fsync(int fd)
{
	return RESULT(fsync(fd));
}

int sys_open(const char *path, int flags, mode_t mode)
{
	return RESULT(open(path, flags, mode));
}

int sys_close(int fd)
{
	/* bare: for the thread sanitizer, a close() beside a read of the same descriptor is a race,
	 * and perch_close() is there for just that */
	return RESULT((int)syscall(SYS_close, fd));
}

int sys_option(int fd, int option, void *value, socklen_t size)
{
	return RESULT(getsockopt(fd, SOL_SOCKET, option, value, &size));
}

int sys_set_option(int fd, int option, const void *value, socklen_t size)
{
	return RESULT(setsockopt(fd, SOL_SOCKET, option, value, size));
}

int sys_keep_off_standard(int fd)
{
	int other = fd;

	if (fd >= 0 && fd <= STDERR_FILENO) {
		other = RESULT(fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
		close(fd);
	}
	return other;
}

int sys_kind(int fd)
{
	struct stat st;
	int r = RESULT(fstat(fd, &st));

	/* A filter: then what has a position counts as a file, all else as a pipe. */
	if (r == -EPERM || r == -ENOSYS)
		return RESULT(lseek(fd, 0, SEEK_CUR)) >= 0 ? S_IFREG : S_IFIFO;
	return r ? r : (int)(st.st_mode & S_IFMT);
}
