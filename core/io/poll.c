/* SPDX-License-Identifier: MIT */
/* poll.c - one wait in many queues. What has happened is read by poll() itself. */
#include <errno.h>
#include <limits.h>

#include <perch/alloc.h>
#include <perch/block.h>
#include <perch/thread.h>

#include "core/io/io.h"
#include "core/io/sys.h"
#include "core/sched/idle.h"
#include "core/sync/object.h"

#define ON_STACK 16

struct place {
	struct io_fd *entry; /* NULL: not in a queue */
	struct waiter waiter;
};

/* Take out what no event has. Behind each lock, nobody is at our frame any more. */
static void leave(struct place *place, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++) {
		perch_waitq_t *q;

		if (!place[i].entry)
			continue;
		q = &place[i].entry->queue;
		waitq_lock(q);
		if (place[i].waiter.queued)
			waitq_remove(q, &place[i].waiter);
		waitq_unlock(q);
	}
}

/* Those that were closed meanwhile, whatever has their numbers now. The number with events. */
static int note_closed(struct pollfd *fds, nfds_t n, const struct place *place)
{
	bool any = false;
	int r;

	for (nfds_t i = 0; i < n; i++)
		any |= place[i].entry && (uintptr_t)place[i].waiter.data & IO_CLOSED;
	if (!any)
		return 0;
	do
		r = sys_poll(fds, n, 0);
	while (r == -EINTR);
	for (nfds_t i = 0; i < n && r >= 0; i++)
		if (place[i].entry && (uintptr_t)place[i].waiter.data & IO_CLOSED) {
			r += !fds[i].revents;
			fds[i].revents = POLLNVAL;
		}
	return r;
}

/* In the scheduler. The sleeper waits for the end of this, in timer_cancel(). */
static void time_out(struct timer *timer)
{
	struct wait *wait = (struct wait *)((char *)timer - offsetof(struct wait, timer));

	if (wait_claim(wait, NULL))
		unpark(wait->thread);
	timer_done(timer);
}

/*
 * It is woken by its token, not as other waiters are: it may be in the first queues, and
 * be found there, while it still arms the last. False: there is no waiting here.
 */
static bool join_all(const struct pollfd *fds, nfds_t n, struct place *place, struct wait *wait)
{
	for (nfds_t i = 0; i < n; i++) {
		struct io_fd *e = fds[i].fd < 0 ? NULL : io_entry(fds[i].fd);
		bool closing;
		int r;

		if (fds[i].fd < 0)
			continue;
		if (!e)
			return false;
		place[i].waiter.wait = wait;
		waitq_lock(&e->queue);
		closing = e->closing;
		r = closing ? -EBADF
			    : io_join(e, fds[i].fd, &place[i].waiter,
				      ((uint32_t)(uint16_t)fds[i].events & IO_EVENTS) | IO_SHARED);
		waitq_unlock(&e->queue);
		if (closing)
			perch_yield();
		if (!r)
			place[i].entry = e;
		else if (r == -EBADF || r == -EPERM || r == -EAGAIN)
			wait_claim(wait, NULL); /* poll() knows why; or there is another epoll now, or none */
		else
			return false;
	}
	return true;
}

/* Until there may be something, or the deadline. False: there is no waiting here. */
static bool sleep_at(const struct pollfd *fds, nfds_t n, struct place *place, uint64_t deadline)
{
	struct wait wait;
	bool can;

	wait_begin(&wait, true);
	timer_init(&wait.timer, time_out);
	if (!io_up())
		return false;
	idle_io_begin();
	for (nfds_t i = 0; i < n; i++)
		place[i].entry = NULL;
	can = join_all(fds, n, place, &wait);
	if (can) {
		if (deadline != CLOCK_NEVER)
			timer_arm(&wait.timer, deadline);
		while (!__atomic_load_n(&wait.claimed, __ATOMIC_ACQUIRE))
			park(PARK_POLL, (void *)(intptr_t)(n ? fds[0].fd : -1));
		if (deadline != CLOCK_NEVER)
			timer_cancel(&wait.timer);
	}
	leave(place, n);
	for (nfds_t i = 0; i < n; i++)
		place[i].waiter.wait = NULL; /* which ends here */
	idle_io_end();
	return can;
}

static int block(struct pollfd *fds, nfds_t n, uint64_t deadline)
{
	int r;

	do {
		perch_block_begin();
		r = sys_poll(fds, n, deadline);
		perch_block_end();
	} while (r == -EINTR);
	return r;
}

static int poll_until(struct pollfd *fds, nfds_t n, uint64_t deadline)
{
	struct place on_stack[ON_STACK], *place = on_stack;
	int r;

	for (;;) {
		r = sys_poll(fds, n, 0);
		if (r && r != -EINTR)
			break;
		r = object_may_wait(deadline);
		if (r) {
			r = r == -ETIMEDOUT ? 0 : r;
			break;
		}
		if (place == on_stack && n > ON_STACK && !(place = perch_alloc(n * sizeof(*place))))
			return -ENOMEM;
		if (!sched_up() || !sleep_at(fds, n, place, deadline)) {
			r = block(fds, n, deadline);
			break;
		}
		r = note_closed(fds, n, place);
		if (r)
			break;
	}
	if (place != on_stack)
		perch_free(place);
	return r;
}

int perch_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return poll_until(fds, n, timeout < 0 ? CLOCK_NEVER : timeout ? clock_ns() + (uint64_t)timeout * 1000000u : 0);
}

int perch_timedpoll(struct pollfd *fds, nfds_t n, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	if (!r)
		r = poll_until(fds, n, deadline);
	return r ? r : -ETIMEDOUT;
}
