/* SPDX-License-Identifier: MIT */
/*
 * waitq_turn.h - the waits of waitq.h in the caller's own frame, for calls of which
 * they are the last thing: between the program and the switch there is one return
 * then, by switch_return(*left, ...). What waits until a deadline goes by waitq.c: its
 * timer costs more than some returns.
 */
#ifndef PERCH_SCHED_WAITQ_TURN_H
#define PERCH_SCHED_WAITQ_TURN_H

#include "core/sched/turn.h"
#include "core/sched/waitq.h"

/* As wait_begin(), for one queue: without a deadline there is no timer, and one side only. */
TURN_INLINE void wait_begin_turn(struct wait *wait, uint64_t deadline)
{
	if (deadline != CLOCK_NEVER) {
		wait_begin(wait, true);
		return;
	}
	wait->thread = sched_self();
	wait->many = false;
}

TURN_INLINE int wait_sleep_turn(struct wait *wait, enum park_reason reason, const void *wait_for, uint64_t deadline,
				void (*unlock)(void *), void *arg, const void **left)
{
	*left = __builtin_return_address(0);
	if (deadline != CLOCK_NEVER)
		return wait_sleep(wait, reason, wait_for, deadline, unlock, arg);
	*left = park_with(wait->thread, reason, wait_for, unlock, arg);
	return wait->result;
}

TURN_INLINE int waitq_sleep_turn(perch_waitq_t *q, struct waiter *w, enum park_reason reason, const void *wait_for,
				 uint64_t deadline, void (*unlock)(void *), void *arg, const void **left)
{
	if (deadline == CLOCK_NEVER)
		return wait_sleep_turn(w->wait, reason, wait_for, deadline, unlock, arg, left);
	*left = __builtin_return_address(0);
	return waitq_sleep(q, w, reason, wait_for, deadline, unlock, arg);
}

/* Neither `w` nor `wait` is in use before, but for w->data. unlock: lets go of the queue's lock. */
TURN_INLINE int waitq_wait_by_turn(perch_waitq_t *q, struct waiter *w, struct wait *wait, enum park_reason reason,
				   const void *wait_for, uint64_t deadline, void (*unlock)(void *), const void **left)
{
	wait_begin_turn(wait, deadline);
	w->wait = wait;
	waitq_append(q, w);
	return waitq_sleep_turn(q, w, reason, wait_for, deadline, unlock, q, left);
}

TURN_INLINE int waitq_wait_turn(perch_waitq_t *q, struct waiter *w, struct wait *wait, enum park_reason reason,
				const void *wait_for, uint64_t deadline, const void **left)
{
	return waitq_wait_by_turn(q, w, wait, reason, wait_for, deadline, waitq_unlock_hook, left);
}

/* The same for waitq_lock_counted(). */
TURN_INLINE int waitq_wait_counted_turn(perch_waitq_t *q, struct waiter *w, struct wait *wait, enum park_reason reason,
					const void *wait_for, uint64_t deadline, const void **left)
{
	return waitq_wait_by_turn(q, w, wait, reason, wait_for, deadline, waitq_unlock_counted_hook, left);
}

#endif
