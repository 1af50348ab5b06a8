/* SPDX-License-Identifier: MIT */
/*
 * once.c - a call that is made once, and those who wait for its end.
 *
 *	         once
 *	once      L     (L: the queue's lock; not taken when it is done)
 *
 * state goes from NEW to RUNNING to DONE, under the lock. There is no way back:
 * a function that does not return (perch_exit() in it, or once again for the
 * same control) leaves all the others waiting.
 *
 * Ordering: what fn did is visible after every call. Progress: one load when it
 * is done.
 */
#include "core/sched/outermost.h"
#include "core/sched/waitq_turn.h"
#include "core/sync/object.h"

enum { NEW = 0, RUNNING, DONE };

int perch_once(perch_once_t *o, void (*fn)(void))
{
	struct claimed c;
	struct waiter w;
	struct wait wait;
	const void *left;
	int r = 0;

	if (!o || !waitq_is(&o->queue, PERCH_ONCE_MAGIC) || !fn)
		return -EINVAL;
	if (__builtin_expect(__atomic_load_n(&o->state, __ATOMIC_ACQUIRE) == DONE, 1))
		return 0;
	waitq_lock(&o->queue);
	if (o->state == RUNNING) {
		r = object_may_wait(CLOCK_NEVER);
		if (!r) {
			r = waitq_wait_turn(&o->queue, &w, &wait, PARK_ONCE, o, CLOCK_NEVER, &left);
			return switch_return(left, r);
		}
	}
	if (o->state != NEW) {
		waitq_unlock(&o->queue);
		return r;
	}
	__atomic_store_n(&o->state, RUNNING, __ATOMIC_RELAXED);
	waitq_unlock(&o->queue);
	OUTERMOST();
	fn();
	waitq_lock(&o->queue);
	__atomic_store_n(&o->state, DONE, __ATOMIC_RELEASE);
	c = claim_all(&o->queue);
	waitq_unlock(&o->queue);
	wake_claimed(c, 0);
	return 0;
}
