/* SPDX-License-Identifier: MIT */
/*
 * deferred.h - posts of semaphores, and sets of events, that a signal handler could not make
 * by itself: the monitor makes them.
 *
 * A handler may have interrupted whoever holds the object's lock, on its own pthread, and
 * then must not wait for it. Who holds a lock is not told by it; but a pthread counts those locks
 * of semaphores and events that it has or is about to take (waitq_lock_counted()). Where it has
 * none, as outside of handlers, the lock is waited for; where it has one, and this one is held, the
 * post is left to the monitor.
 *
 *	         add   run    wait        Each slot is one word, an object and how many posts
 *	add       -     -      -          it is to have, changed by atomics.
 *	run       -     1      -          1: by one pthread, the monitor
 *	wait      -     -      -
 *
 * Ordering: what was done before add is visible after the wait that the post ends. Progress:
 * add is lock-free, and says no where all slots are taken; run waits for locks, wait for run.
 */
#ifndef PERCH_SYNC_DEFERRED_H
#define PERCH_SYNC_DEFERRED_H

#include <stdbool.h>

#include <perch/sync.h>

/* 0; -EAGAIN: too many are deferred already; -EINVAL: there is no monitor, the runtime is down. */
int deferred_post(perch_sem_t *s);
int deferred_set(perch_event_t *e);

/* How the monitor makes them: as usual, with a wait for the lock. */
void sem_post_anyway(perch_sem_t *s);
void event_set_anyway(perch_event_t *e);

/* It is about to be destroyed: until nothing is deferred for it. May give the CPU away. */
void deferred_wait(const void *object);

#endif
