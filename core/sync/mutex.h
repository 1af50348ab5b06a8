/* SPDX-License-Identifier: MIT */
/* mutex.h - what a condition needs to know of mutexes. */
#ifndef PERCH_SYNC_MUTEX_H
#define PERCH_SYNC_MUTEX_H

#include "core/sync/object.h"

/* perch_mutex.owner is the thread that has it, of one that is not plain; of a
 * plain one it is the heir that a signal named (cond.c), nothing for a dump. */

/* What a waiter is told when it is woken, beside -ETIMEDOUT. */
enum {
	MUTEX_YOURS = 0, /* it has the mutex */
	MUTEX_TRY,       /* it is the one who was chosen to take it, if nobody is faster */
	MUTEX_AGAIN,     /* it has never been in the mutex's queue */
};

static inline int mutex_check(const perch_mutex_t *m)
{
	return m && waitq_is(&m->queue, PERCH_MUTEX_MAGIC) && m->kind <= PERCH_MUTEX_ERRORCHECK ? 0 : -EINVAL;
}

/* The caller has it, as far as can be told: 0 or -EPERM. */
int mutex_check_owner(const perch_mutex_t *m);
/* The owner gives it away, however often it has locked it, but for
 * mutex_release(); and has it again. */
uint32_t mutex_disown(perch_mutex_t *m);
void mutex_own(perch_mutex_t *m, uint32_t depth);

/* Somebody waits for it, or is on the way to take it. */
bool mutex_wanted(const perch_mutex_t *m);

/*
 * Unlock. 0, or -EPERM: it was not locked. *chosen: NULL, or who must be given to
 * mutex_wake() now. Does not switch threads.
 */
int mutex_release(perch_mutex_t *m, struct waiter **chosen);
void mutex_wake(struct waiter *chosen);

/*
 * Lock, when there is no hurry: 0, -ETIMEDOUT or -EPERM (in the child of a fork).
 * told: MUTEX_TRY or MUTEX_AGAIN. The owner is not set.
 */
int mutex_wait(perch_mutex_t *m, uint64_t deadline, int told);

/* These were claimed elsewhere, and want the mutex next: they wait for it from
 * now on, to be told one of the above. */
void mutex_adopt(perch_mutex_t *m, struct claimed c);

#endif
