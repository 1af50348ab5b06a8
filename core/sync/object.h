/* SPDX-License-Identifier: MIT */
/*
 * object.h - what the objects that threads wait for have in common.
 *
 * Each has the same three forms of a wait: try takes what is there; the other
 * two try, and then wait until a deadline, which for the untimed one never
 * comes. So there is one take() and one wait_until() in each file.
 */
#ifndef PERCH_SYNC_OBJECT_H
#define PERCH_SYNC_OBJECT_H

#include <errno.h>

#include <perch/sync.h>

#include "core/sched/sched.h"
#include "core/sched/waitq.h"

/* Nothing is to be had without waiting: 0 when waiting is possible. -EPERM: in
 * the child of a fork() nobody is left who could wake us. -ETIMEDOUT. */
static inline int object_may_wait(uint64_t deadline)
{
	if (sched_check() == -EPERM)
		return -EPERM;
	return clock_before(deadline) ? 0 : -ETIMEDOUT;
}

/*
 * Destroy, the last step, under the queue's lock, which is let go of: those who
 * held it when the caller saw the object at rest have left then. busy: it is not.
 */
static inline int object_end_by(perch_waitq_t *q, bool busy, void (*unlock)(perch_waitq_t *))
{
	busy = busy || !waitq_empty(q);
	if (!busy)
		q->magic = 0;
	unlock(q);
	return busy ? -EBUSY : 0;
}

static inline int object_end(perch_waitq_t *q, bool busy)
{
	return object_end_by(q, busy, waitq_unlock);
}

/* The same where the lock is counted (waitq_lock_counted()). */
static inline int object_end_counted(perch_waitq_t *q)
{
	return object_end_by(q, false, waitq_unlock_counted);
}

/* Waiters that were claimed, to be woken when the lock has been let go of. */
struct claimed {
	struct waiter *first, *last;
};

static inline void claimed_add(struct claimed *c, struct waiter *w)
{
	w->next = NULL;
	if (c->last)
		c->last->next = w;
	else
		c->first = w;
	c->last = w;
}

/* In front of those that came before. */
static inline void claimed_add_first(struct claimed *c, struct waiter *w)
{
	w->next = c->first;
	if (!c->first)
		c->last = w;
	c->first = w;
}

/* The lock is held. The last who came is the first here: of those that are woken in one go, the one
 * that is woken last runs first, so they run in the order in which they came. */
static inline struct claimed claim_all(perch_waitq_t *q)
{
	struct claimed c = {NULL, NULL};
	struct waiter *w;

	while ((w = waitq_claim(q)))
		claimed_add_first(&c, w);
	return c;
}

static inline void wake_claimed(struct claimed c, int result)
{
	while (c.first) {
		struct waiter *w = c.first;

		c.first = w->next; /* its frame is gone once it is awake */
		waitq_wake(w, result);
	}
}

#endif
