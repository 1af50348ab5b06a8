/* SPDX-License-Identifier: MIT */
#include "core/io/uring.h"

#include <errno.h>
#include <liburing.h>
#include <sched.h>

#include "core/io/io.h"
#include "core/io/sys.h"
#include "core/sched/idle.h"
#include "core/sched/sched.h"
#include "core/sync/object.h"
#include "rseq/inject.h"

#define ENTRIES 256
/* ERESTARTSYS: no libc knows it, but a request that was cancelled may end so. */
#define INTERRUPTED 512
/* A request that is cancelled and not by us is made again, so often in all. */
#define TRIES 4

enum { RING_NOT_TRIED = 0, RING_UP, RING_REFUSED };

static struct {
	perch_waitq_t lock; /* of which only the lock is used */
	uint32_t state;
	bool made; /* there is a ring, in use or not any more */
	struct io_uring ring;
} uring;

struct request {
	struct wait wait; /* the caller's present one */
	struct waiter waiter;
	int result;
	bool done;
};

static void unlock(void *arg)
{
	(void)arg;
	waitq_unlock(&uring.lock);
}

/* The lock is held: whatever has ended; those to be woken. */
static struct claimed reap(void)
{
	struct claimed c = {NULL, NULL};
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&uring.ring, &cqe) && cqe) {
		struct request *r = io_uring_cqe_get_data(cqe);

		if (r) { /* else: that of a cancellation */
			r->result = cqe->res;
			r->done = true;
			if (wait_claim(&r->wait, &r->waiter))
				claimed_add_first(&c, &r->waiter); /* as claim_all() */
		}
		io_uring_cqe_seen(&uring.ring, cqe);
	}
	return c;
}

/* There are completions; in the scheduler. */
static void on_ring(void)
{
	struct claimed c;
	int saved = errno;

	waitq_lock(&uring.lock);
	c = reap();
	waitq_unlock(&uring.lock);
	errno = saved;
	wake_claimed(c, 0);
}

/* The lock is held. */
static bool ring_up(void)
{
	if (uring.state == RING_NOT_TRIED) {
		uint32_t state = RING_REFUSED;

		if (!io_uring_queue_init(ENTRIES, &uring.ring, 0)) {
			/* not registered with itself, the ring is entered by the same number */
			uring.ring.ring_fd = sys_keep_off_standard(uring.ring.ring_fd);
			uring.ring.enter_ring_fd = uring.ring.ring_fd;
			/* without the second, a stream's position cannot be meant */
			if (uring.ring.ring_fd >= 0 && uring.ring.features & IORING_FEAT_NODROP &&
			    uring.ring.features & IORING_FEAT_RW_CUR_POS && !io_uring_ring_dontfork(&uring.ring) &&
			    !io_watch_ring(uring.ring.ring_fd, on_ring))
				state = RING_UP;
			else
				io_uring_queue_exit(&uring.ring);
		}
		uring.made = state == RING_UP;
		__atomic_store_n(&uring.state, state, __ATOMIC_RELAXED); /* looked at without the lock */
	}
	return uring.state == RING_UP;
}

static void append(struct claimed *c, struct claimed more)
{
	while (more.first) {
		struct waiter *w = more.first;

		more.first = w->next;
		claimed_add_first(c, w);
	}
}

/* Errors that pass: no memory just now, completions in the way, a signal. */
static bool passes(int error)
{
	return error == -EAGAIN || error == -EBUSY || error == -EINTR || error == -ENOMEM;
}

/*
 * The lock is held. What is in the submission queue, one request, is taken by the kernel
 * before this returns: it must not be there when the caller's frame is gone. False: the
 * kernel refuses, as it does from now on (a filter that came later). Then it is taken out
 * again, and no more is submitted; requests under way still complete.
 */
static bool submit(struct claimed *c)
{
	do {
		int r = io_uring_submit(&uring.ring);

		if (r < 0 && !passes(r)) {
			uring.ring.sq.sqe_tail = uring.ring.sq.sqe_head = *uring.ring.sq.khead;
			__atomic_store_n(&uring.state, RING_REFUSED, __ATOMIC_RELAXED);
			return false;
		}
		if (r <= 0) {
			append(c, reap());
			sched_yield();
		}
	} while (io_uring_sq_ready(&uring.ring));
	return true;
}

/* In submit's and reap's lists: this one need not be woken, it runs. */
static void wake_others(struct claimed c, const struct waiter *me)
{
	while (c.first) {
		struct waiter *w = c.first;

		c.first = w->next;
		if (w != me)
			waitq_wake(w, 0);
	}
}

/* The wait has timed out. The lock is held; let go of on return. */
static void cancel(struct request *r, int fd)
{
	struct claimed c = {NULL, NULL};

	if (r->done) {
		waitq_unlock(&uring.lock);
		return;
	}
	if (uring.state == RING_UP) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&uring.ring);

		io_uring_prep_cancel(sqe, r, 0);
		io_uring_sqe_set_data(sqe, NULL);
		submit(&c); /* if it is refused, the request takes as long as it takes */
	}
	wait_begin(&r->wait, false);
	r->waiter.wait = &r->wait;
	if (r->done) {
		waitq_unlock(&uring.lock);
		wake_others(c, &r->waiter);
		return;
	}
	wake_others(c, &r->waiter);
	wait_sleep(&r->wait, PARK_FILE, (void *)(intptr_t)fd, CLOCK_NEVER, unlock, NULL);
}

int uring_do(void (*prepare)(struct io_uring_sqe *sqe, const void *arg), const void *arg, int fd, uint64_t deadline)
{
	struct io_uring_sqe *sqe;
	struct request r;
	struct claimed c;
	int error = object_may_wait(deadline), tries = 0;
	bool timed_out = false, submitted;

	if (error)
		return error;
	if (!sched_up() || __atomic_load_n(&uring.state, __ATOMIC_RELAXED) == RING_REFUSED || !io_up())
		return URING_NONE;
again:
	c = (struct claimed){NULL, NULL};
	r.done = false;
	idle_io_begin();
	waitq_lock(&uring.lock);
	if (!ring_up()) {
		waitq_unlock(&uring.lock);
		idle_io_end();
		return URING_NONE;
	}
	sqe = io_uring_get_sqe(&uring.ring); /* there is one: the queue is empty while the lock is free */
	prepare(sqe, arg);
	io_uring_sqe_set_data(sqe, &r);
	wait_begin(&r.wait, deadline != CLOCK_NEVER);
	r.waiter.wait = &r.wait;
	submitted = submit(&c);
	inject();
	append(&c, reap());
	if (!submitted || r.done) {
		waitq_unlock(&uring.lock);
		wake_others(c, &r.waiter);
	} else {
		wake_others(c, &r.waiter);
		if (wait_sleep(&r.wait, PARK_FILE, (void *)(intptr_t)fd, deadline, unlock, NULL) == -ETIMEDOUT) {
			timed_out = true;
			waitq_lock(&uring.lock);
			cancel(&r, fd);
		}
	}
	idle_io_end();
	if (!submitted)
		return URING_NONE;
	if (r.result != -ECANCELED && r.result != -EINTR && r.result != -INTERRUPTED)
		return r.result;
	if (timed_out)
		return -ETIMEDOUT;
	/* the pthread that submitted it has ended, perhaps; or the kernel cannot make one for it */
	if (++tries < TRIES)
		goto again;
	return URING_NONE;
}

void uring_stop(void)
{
	if (uring.made)
		io_uring_queue_exit(&uring.ring);
	uring.made = false;
	uring.state = RING_NOT_TRIED;
}
