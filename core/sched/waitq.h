/* SPDX-License-Identifier: MIT */
/*
 * waitq.h - those who wait at an object, in order, under its lock; what mutex,
 * channel and the others are made of.
 *
 *	          wait   claim   wake        L: the queue's lock.
 *	wait       L      L       -          A waiter that is claimed is in no
 *	claim      L      L       -          queue's reach any more: whoever claimed
 *	wake       -      -       -          it must wake it, once, lock or no lock.
 *
 * A waiter that may be woken from several sides (a time-out, another queue of
 * a select) is claimed by one of them, by a CAS on its wait; one that waits in
 * one queue for ever is claimed by taking it off the queue, which the lock
 * covers. The lock is let go of only when the waiter's stack has been left
 * (park.h), so what is claimed sleeps.
 *
 * A wait that was ended from another side leaves its waiter in the queue: claim
 * passes over it, and the waiter takes it out before it returns.
 *
 * Ordering: what was done before waitq_wake() is visible after waitq_sleep().
 * Progress: the lock is held for a few instructions; only pthreads that the
 * kernel preempted in them make others wait.
 */
#ifndef PERCH_SCHED_WAITQ_H
#define PERCH_SCHED_WAITQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <perch/sync.h>

#include "core/sched/clock.h"
#include "core/sched/park.h"
#include "core/sched/spin.h"
#include "core/sched/timers.h"
#include "rseq/bias.h"

struct waiter;

/* What one blocked thread waits with: on its stack, one for all its waiters. */
struct wait {
	struct thread *thread;
	int result;        /* for the waiter, from who woke it */
	bool many;         /* it can be ended from several sides */
	uint32_t claimed;  /* then: it has been */
	struct waiter *by; /* which of its waiters was claimed; NULL: the time-out */
	struct timer timer;
};

/* Its place in one queue. */
struct waiter {
	struct waiter *next, *prev;
	struct wait *wait;
	void *data; /* the object's own: a buffer, a mode */
	bool queued;
};

static inline void waitq_lock(perch_waitq_t *q)
{
	bias_lock((struct bias_lock *)q->lock);
}

/* The same in two parts: at once, without a call; or, if that is false, slowly. */
static inline bool waitq_lock_at_once(perch_waitq_t *q)
{
	return bias_take((struct bias_lock *)q->lock);
}

static inline void waitq_lock_slowly(perch_waitq_t *q)
{
	bias_lock_slow((struct bias_lock *)q->lock);
}

/*
 * The same for objects that may be posted in signal handlers. How many such locks this pthread has,
 * or is about to take, is counted: where there is none, nothing that was interrupted has this one.
 * waitq_lock_in_handler() is for the post: false, and not locked, when after some looks another
 * still has it, which may be whoever was interrupted. Outside of handlers it waits.
 */
extern __thread uint32_t waitq_counted __attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline void waitq_lock_counted(perch_waitq_t *q)
{
	waitq_counted++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	waitq_lock(q);
}

bool waitq_lock_in_handler(perch_waitq_t *q);

static inline void waitq_unlock(perch_waitq_t *q)
{
	bias_unlock((struct bias_lock *)q->lock);
}

static inline void waitq_unlock_counted(perch_waitq_t *q)
{
	waitq_unlock(q);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	waitq_counted--;
}

/* The same for a thread that sleeps in it: what park_with() calls, on the pthread that locked. */
static inline void waitq_unlock_hook(void *q)
{
	waitq_unlock(q);
}

void waitq_unlock_counted_hook(void *q);

/* The lock is held; for these, up to waitq_claim(). */
static inline bool waitq_empty(const perch_waitq_t *q)
{
	return !q->first;
}

/* `first` is looked at without the lock, too: waitq_seems_empty(). */
static inline void waitq_set_first(perch_waitq_t *q, struct waiter *w)
{
	__atomic_store_n(&q->first, w, __ATOMIC_RELAXED);
}

static inline void waitq_append(perch_waitq_t *q, struct waiter *w)
{
	struct waiter *last = q->last;

	w->next = NULL;
	w->prev = last;
	if (last)
		last->next = w;
	else
		waitq_set_first(q, w);
	q->last = w;
	w->queued = true;
}

static inline void waitq_prepend(perch_waitq_t *q, struct waiter *w)
{
	struct waiter *first = q->first;

	w->next = first;
	w->prev = NULL;
	if (first)
		first->prev = w;
	else
		q->last = w;
	waitq_set_first(q, w);
	w->queued = true;
}

static inline void waitq_remove(perch_waitq_t *q, struct waiter *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		waitq_set_first(q, w->next);
	if (w->next)
		w->next->prev = w->prev;
	else
		q->last = w->prev;
	w->queued = false;
}

/* The first, of a queue that has one. */
static inline void waitq_remove_first(perch_waitq_t *q, struct waiter *w)
{
	struct waiter *next = w->next;

	waitq_set_first(q, next);
	if (next)
		next->prev = NULL;
	else
		q->last = NULL;
	w->queued = false;
}

/* Make this wait ours to end. False: another side did. Needs no lock by itself. */
static inline bool wait_claim(struct wait *wait, struct waiter *by)
{
	uint32_t no = 0;

	if (wait->many &&
	    !__atomic_compare_exchange_n(&wait->claimed, &no, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	wait->by = by;
	return true;
}

/* The first that can be claimed, off the queue; NULL: there is none. */
static inline struct waiter *waitq_claim(perch_waitq_t *q)
{
	struct waiter *w;

	while ((w = q->first)) {
		waitq_remove_first(q, w);
		if (wait_claim(w->wait, w))
			return w;
	}
	return NULL;
}

/* Wake the claimed waiter, with a result. It may be gone at once. */
static inline __attribute__((always_inline)) void waitq_wake(struct waiter *w, int result)
{
	struct wait *wait = w->wait;

	wait->result = result;
	wake(wait->thread);
}

/* The same where a signal handler may be. */
static inline void waitq_wake_in_handler(struct waiter *w, int result)
{
	struct wait *wait = w->wait;

	wait->result = result;
	wake_in_handler(wait->thread);
}

/* Without the lock: nobody waits who came before, in the order of anything that
 * the caller has synchronised with. */
static inline bool waitq_seems_empty(const perch_waitq_t *q)
{
	return !__atomic_load_n(&q->first, __ATOMIC_RELAXED);
}

/*
 * waitq_sleep - wait in this queue until claimed and woken, or until the deadline.
 * @q: locked; unlocked on return
 * @w: in the queue; its wait is begun (wait_begin())
 * @wait_for: the object, for dumps
 * @deadline: clock_ns, or CLOCK_NEVER
 * @unlock: lets go of the queue's lock, among other things; called with @arg
 *
 * Returns the result given to waitq_wake(), or -ETIMEDOUT. May switch threads.
 */
int waitq_sleep(perch_waitq_t *q, struct waiter *w, enum park_reason reason, const void *wait_for, uint64_t deadline,
		void (*unlock)(void *), void *arg);

/*
 * For waits in several queues at once: begin; append waiters under their locks;
 * then sleep, with a hook that lets go of them all. On return no waiter that was
 * not claimed has been taken out: that is the caller's to do, under each lock. It
 * may return before the hook has ended, on another CPU, when the time is over:
 * what `arg` points to must be there until the locks have been taken again.
 */
void wait_begin(struct wait *wait, bool many);
int wait_sleep(struct wait *wait, enum park_reason reason, const void *wait_for, uint64_t deadline,
	       void (*unlock)(void *), void *arg);

/* The object is of this kind. */
static inline bool waitq_is(const perch_waitq_t *q, uint32_t magic)
{
	return q && q->magic == magic;
}

#endif
