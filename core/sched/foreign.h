/* SPDX-License-Identifier: MIT */
/*
 * foreign.h - pthreads that are not workers: what stands in for them when they
 * wait, and which of them may yet wake somebody (wakers).
 *
 * A pthread becomes known when it first starts the runtime, creates a thread,
 * wakes somebody, waits, or registers: the calls in which `worker_self()` was
 * found NULL anyway. From then on to its end it is a waker, but not while it
 * waits without a time-out (or in perch_stop), nor after it said that it is none.
 *
 *	         known  rest  active      the number of wakers is one atomic word;
 *	known      L     -      -         L: the lock of the list of all stand-ins
 *	rest       -     -      -
 *	active     -     -      -
 *
 * The one who wakes a pthread counts it as active, before that one runs: so
 * the number is never too low for longer than a call of those takes.
 */
#ifndef PERCH_SCHED_FOREIGN_H
#define PERCH_SCHED_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/thread/thread.h"

struct foreign {
	struct thread thread; /* what queues and wakers know; first */
	struct foreign *next; /* of all that were ever made */
	pid_t tid;            /* 0: its pthread has ended */
	bool waker;           /* written by its pthread only */
} __attribute__((aligned(64)));

extern int32_t foreign_wakers;

static inline struct foreign *foreign_of(struct thread *t)
{
	return (struct foreign *)t;
}

/* This pthread is no worker: make it known, if there is memory for that. */
void foreign_note(void);
/* It may wake somebody, from now on; or will not. -ENOMEM. */
int foreign_set_waker(bool waker);

/* What a dump shows of the wait that begins; PARK_NONE: that has ended. */
void foreign_waits(struct thread *t, enum park_reason reason, const void *wait_for);

/* A waker less: tells who listens to idle_asleep, if all workers sleep. */
void foreign_rest(void);
static inline void foreign_active(void)
{
	__atomic_add_fetch(&foreign_wakers, 1, __ATOMIC_SEQ_CST);
}
/* The calling pthread is (not) in a call that waits by other means. */
void foreign_pause(void);
void foreign_resume(void);

/* For each that is known and lives; under the list's lock. */
void foreign_each(void (*fn)(const struct foreign *f, void *arg), void *arg);

#endif
