/* SPDX-License-Identifier: MIT */
/*
 * ready.h - where what is ready goes, for those who put it there by themselves; sched.h has
 * what others call.
 */
#ifndef PERCH_SCHED_READY_H
#define PERCH_SCHED_READY_H

#include "core/sched/turn.h"

/* Its CPU's queue was out of reach: the processors' inboxes, in turn; or, where others may
 * not have what is here, that of its own. */
void ready_elsewhere(struct thread *t);
/* Without a lock that whoever a signal handler has interrupted may hold (park.h). */
void ready_in_handler(struct thread *t);
/* Not where others go (goes_apart())? Then this has put it there. */
bool ready_apart(struct thread *t);
/* The fair queue is full; or there was a request, which it answers: by the overflow queue,
 * which is in everybody's reach. If not everybody may have it, by the inbox.
 * @r: ring_fair_push()'s result */
void ready_last_slow(struct thread *t, unsigned r);

TURN_INLINE void ready_last(struct thread *t)
{
	unsigned r = ring_fair_push((uintptr_t)t);

	if (__builtin_expect(r != RING_DONE, 0))
		ready_last_slow(t, r);
}

#endif
