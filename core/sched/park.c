/* SPDX-License-Identifier: MIT */
#include "core/sched/park.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/sched/sched.h"
#include "rseq/inject.h"

/* Runs on the next thread's stack: the parking one has been saved. */
static void park_commit(void *arg)
{
	struct thread *t = arg;
	uint32_t expected = PARK_EMPTY;

	inject();
	if (__atomic_compare_exchange_n(&t->park, &expected, PARK_PARKED, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	/* It was notified on the way. Taken by an exchange, not by a store: a store
	 * may wait in the store buffer until after this thread has run on this CPU
	 * and looked for what it waits for, and then wipe out a second unpark. */
	__atomic_exchange_n(&t->park, PARK_EMPTY, __ATOMIC_ACQUIRE);
	sched_ready(t);
}

static void park_foreign(struct thread *t)
{
	uint32_t expected = PARK_EMPTY;

	if (__atomic_compare_exchange_n(&t->park, &expected, PARK_PARKED, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&t->park, __ATOMIC_ACQUIRE) == PARK_PARKED)
			syscall(SYS_futex, &t->park, FUTEX_WAIT_PRIVATE, PARK_PARKED, NULL, NULL, 0);
	__atomic_exchange_n(&t->park, PARK_EMPTY, __ATOMIC_ACQUIRE); /* as in park_commit() */
}

void park(enum park_reason reason)
{
	struct thread *t = sched_self();
	uint32_t expected = PARK_NOTIFIED;
	struct worker *w;
	struct thread *next;

	if (t->flags & THREAD_FOREIGN) {
		park_foreign(t);
		return;
	}
	if (__atomic_load_n(&t->park, __ATOMIC_RELAXED) == PARK_NOTIFIED &&
	    __atomic_compare_exchange_n(&t->park, &expected, PARK_EMPTY, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	w = worker_self();
	t->reason = (uint16_t)reason;
	stat_add(&w->stats.parks, 1);
	next = sched_next(w);
	inject();
	sched_switch(w, t, next ? next : &w->base, park_commit, t);
	t->reason = PARK_NONE;
}

void unpark(struct thread *t)
{
	struct worker *w;
	uint32_t old;

	inject();
	/* read before the exchange: a foreign waiter may be gone after it */
	if (t->flags & THREAD_FOREIGN) {
		if (__atomic_exchange_n(&t->park, PARK_NOTIFIED, __ATOMIC_ACQ_REL) == PARK_PARKED)
			syscall(SYS_futex, &t->park, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		return;
	}
	/* PARKED -> EMPTY in one step, for the reason given in park_commit() */
	old = __atomic_load_n(&t->park, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&t->park, &old, old == PARK_PARKED ? PARK_EMPTY : PARK_NOTIFIED, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	if (old != PARK_PARKED)
		return;
	w = worker_self();
	if (w)
		stat_add(&w->stats.unparks, 1);
	sched_ready(t);
}
