/* SPDX-License-Identifier: MIT */
#include "core/sched/park.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/sched/clock.h"
#include "core/sched/foreign.h"
#include "core/sched/ready.h"
#include "core/sched/sched.h"
#include "core/sched/turn.h"
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
	end_wait(t);
	sched_ready(t);
}

/* Until unparked, or, when there is one, until the deadline. */
static void sleep_foreign(struct thread *t, uint64_t deadline)
{
	struct timespec at = clock_timespec(deadline);
	uint32_t expected = PARK_EMPTY, asleep = PARK_PARKED;

	if (deadline == CLOCK_NEVER && foreign_of(t)->waker)
		asleep = PARK_FOR_GOOD;
	if (__atomic_compare_exchange_n(&t->park, &expected, asleep, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		inject();
		if (asleep == PARK_FOR_GOOD)
			foreign_rest();
		while (__atomic_load_n(&t->park, __ATOMIC_ACQUIRE) == asleep)
			if (syscall(SYS_futex, &t->park, FUTEX_WAIT_BITSET_PRIVATE, asleep,
				    deadline == CLOCK_NEVER ? NULL : &at, NULL, FUTEX_BITSET_MATCH_ANY) &&
			    errno == ETIMEDOUT)
				break;
	}
	__atomic_exchange_n(&t->park, PARK_EMPTY, __ATOMIC_ACQUIRE); /* as in park_commit() */
}

int park(enum park_reason reason, const void *wait_for)
{
	struct thread *t = sched_self();
	uint32_t expected = PARK_NOTIFIED;
	struct worker *w;
	struct thread *next;

	if (t->flags & THREAD_FOREIGN) {
		foreign_waits(t, reason, wait_for);
		sleep_foreign(t, CLOCK_NEVER);
		foreign_waits(t, PARK_NONE, NULL);
		return 0;
	}
	if (__atomic_load_n(&t->park, __ATOMIC_RELAXED) == PARK_NOTIFIED &&
	    __atomic_compare_exchange_n(&t->park, &expected, PARK_EMPTY, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return 0;
	w = worker_self();
	note_wait(w, t, reason, wait_for);
	next = sched_next(w);
	inject();
	return switch_return_and_tell(switch_to(w, t, next ? next : &w->base, park_commit, t));
}

static void notify_foreign(struct thread *t)
{
	uint32_t old = __atomic_exchange_n(&t->park, PARK_NOTIFIED, __ATOMIC_ACQ_REL);

	if (old == PARK_FOR_GOOD)
		foreign_active();
	if (old == PARK_FOR_GOOD || old == PARK_PARKED)
		syscall(SYS_futex, &t->park, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void unpark(struct thread *t)
{
	uint32_t old;

	inject();
	/* read before the exchange: a foreign waiter may be gone after it */
	if (__atomic_load_n(&t->flags, __ATOMIC_RELAXED) & THREAD_FOREIGN) {
		if (!worker_self())
			foreign_note();
		notify_foreign(t);
		return;
	}
	/* PARKED -> EMPTY in one step, for the reason given in park_commit() */
	old = __atomic_load_n(&t->park, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&t->park, &old, old == PARK_PARKED ? PARK_EMPTY : PARK_NOTIFIED, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	if (old != PARK_PARKED)
		return;
	end_wait(t);
	note_waker();
	sched_ready_woken(t);
}

/*
 * A foreign pthread has no stack to leave. `woken` is its own word beside the
 * park token, since a token may be there from an unpark that came late.
 */
bool park_foreign_until(switch_hook unlock, void *arg, uint64_t deadline)
{
	struct thread *t = sched_self();
	int saved = errno;
	bool woken;

	unlock(arg);
	while (!(woken = __atomic_load_n(&t->woken, __ATOMIC_ACQUIRE)) && clock_before(deadline))
		sleep_foreign(t, deadline);
	if (woken)
		__atomic_store_n(&t->woken, 0, __ATOMIC_RELAXED);
	errno = saved;
	return woken;
}

void park_foreign(struct thread *t, enum park_reason reason, const void *wait_for, switch_hook unlock, void *arg)
{
	foreign_waits(t, reason, wait_for);
	park_foreign_until(unlock, arg, CLOCK_NEVER);
	foreign_waits(t, PARK_NONE, NULL);
}

void wake_in_handler(struct thread *t)
{
	struct worker *w = worker_self();

	inject();
	if (t->flags & THREAD_FOREIGN) {
		/* the caller is not made known, as unpark() does it: that needs memory */
		__atomic_store_n(&t->woken, 1, __ATOMIC_RELEASE);
		inject();
		notify_foreign(t);
		return;
	}
	end_wait(t);
	if (w)
		stat_add(&w->stats.unparks, 1);
	if (goes_elsewhere(t) || percpu_locked || section_push((uintptr_t)t) != SECTION_DONE)
		ready_in_handler(t);
}

void wake_last(struct thread *t)
{
	inject();
	if (t->flags & THREAD_FOREIGN) {
		wake_foreign(t);
		return;
	}
	end_wait(t);
	note_waker();
	sched_ready_last(t);
}

void wake_foreign(struct thread *t)
{
	__atomic_store_n(&t->woken, 1, __ATOMIC_RELEASE);
	unpark(t);
}
