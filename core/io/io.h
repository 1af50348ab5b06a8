/* SPDX-License-Identifier: MIT */
/*
 * io.h - waiting until a descriptor is ready: one epoll instance, and a table of
 * those who wait, by descriptor.
 *
 *	           wait   pass   close  event  stop     L: the entry's lock
 *	wait         L      L      L      L     -       stop: when nobody is in a call
 *	pass         L      L      L      L     -
 *	close        L      L      L      L     -
 *	event        L      L      L      L     -       (whoever polls: poller.c)
 *
 * The program's descriptors are never changed, and nothing is believed of a number
 * between two waits: the program may have closed it, and opened another file under
 * it. So each wait arms epoll anew (EPOLLONESHOT; one system call a wait), by
 * EPOLL_CTL_MOD; ENOENT says that this file is not known yet. When somebody waited
 * under this number then, his file has been closed under him: -EBADF. An event
 * carries the entry's generation, which changes when a file is added: one of a file
 * that had the number before is not taken for this one's.
 *
 * Of those who wait to read (or to write, or accept) at a descriptor, one is woken at a
 * time: it does its call, and then arms epoll again for those left (pass). Those who
 * poll, and all when there is an error or a hang-up, are woken together.
 *
 * Ordering: what the kernel says is the order: a waiter is in its queue, and the
 * queue locked, when epoll is armed; an event finds it there, asleep (park.h).
 * Progress: the lock is held across epoll_ctl(), and so others who wait for this very
 * descriptor are kept for as long as that takes (0.2-1 us).
 */
#ifndef PERCH_IO_IO_H
#define PERCH_IO_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include <perch/io.h>

#include "core/sched/waitq.h"

#define IO_IN EPOLLIN
#define IO_OUT EPOLLOUT
/* Beside the kernel's bits: wake it whenever there is an event for it. */
#define IO_SHARED (1u << 27)
/* Of such a one: its descriptor has been closed under it. */
#define IO_CLOSED (1u << 26)
#define IO_EVENTS (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP)

/* Of io_wait(): the kernel has no readiness for this file: it is always ready. */
#define IO_ALWAYS 1

/* One descriptor number. */
struct io_fd {
	perch_waitq_t queue; /* waiter.data: the events that it waits for */
	uint32_t armed;      /* what epoll was last told to look for; 0: it has told */
	uint32_t generation;
	uint32_t closing; /* perch_close() is at it */
	uint32_t accepting;
	uint32_t dry; /* reads in a row that had to wait; see io_dry() */
} __attribute__((aligned(64)));

/*
 * A descriptor whose reads have had to wait IO_DRY times in a row is waited for before it is
 * read: that spares the attempt in vain, a fifth of the system calls of a server's request.
 * Should something be there already, epoll says so at once. Every IO_DRY_TRIES-th read tries all
 * the same, and begins anew if it had not to wait.
 */
#define IO_DRY 4u
#define IO_DRY_TRIES 16u
static inline bool io_dry(struct io_fd *e)
{
	uint32_t dry = __atomic_load_n(&e->dry, __ATOMIC_RELAXED);

	if (dry < IO_DRY)
		return false;
	__atomic_store_n(&e->dry, dry + 1, __ATOMIC_RELAXED); /* one lost among several does no harm */
	return dry % IO_DRY_TRIES != 0;
}

static inline void io_tried(struct io_fd *e, bool in_vain)
{
	uint32_t dry = __atomic_load_n(&e->dry, __ATOMIC_RELAXED);

	if (!in_vain && dry)
		__atomic_store_n(&e->dry, 0, __ATOMIC_RELAXED);
	else if (in_vain && dry < IO_DRY)
		__atomic_store_n(&e->dry, dry + 1, __ATOMIC_RELAXED);
}

/*
 * io_wait - wait until the descriptor is ready, or may be.
 * Returns 0: try; IO_ALWAYS; -ETIMEDOUT; -EBADF (closed); -EPERM (in the child of
 * a fork()); may switch threads. After a 0 the caller tries, and calls io_pass() when
 * it does not wait again.
 */
int io_wait(int fd, uint32_t events, enum park_reason reason, uint64_t deadline);
void io_pass(int fd);

/* The descriptor's entry, made if need be; NULL: there is no memory for it, or the
 * number is too high, or the runtime does not run. */
struct io_fd *io_entry(int fd);
/* The entry, if somebody has waited there since the runtime was started. */
struct io_fd *io_known(int fd);
/* The lock is held: a waiter begins to wait there. 0, or what epoll_ctl() said. */
int io_join(struct io_fd *e, int fd, struct waiter *w, uint32_t events);

/* The descriptor will be closed: all who wait there are woken with -EBADF, and who begins
 * to wait before the end tries again instead. */
struct io_fd *io_close_begin(int fd);
void io_close_end(struct io_fd *e);

/* Bring the poller up, if it is not. False: no descriptors left for it. */
bool io_up(void);
/* Block the pthread, in a bracket, until it is ready; as io_wait(). */
int io_block(int fd, uint32_t events, uint64_t deadline);

/* Before the workers start; when they have ended. */
void io_start(void);
void io_stop(void);

/* ---- descriptors of the library's own in the same epoll ---- */

/* Told of by calling fn(), in the scheduler, on whichever worker polls; it may wake. */
int io_watch_ring(int fd, void (*fn)(void));

#endif
