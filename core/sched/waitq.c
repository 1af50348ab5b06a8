/* SPDX-License-Identifier: MIT */
#include "core/sched/waitq.h"

#include <errno.h>

#include "core/sched/foreign.h"
#include "core/sched/sched.h"
#include "core/sched/turn.h"
#include "rseq/inject.h"
#include "rseq/section_lock.h"

/* The timer of a wait has fired; in the scheduler. */
static void time_out(struct timer *timer)
{
	struct wait *wait = (struct wait *)((char *)timer - offsetof(struct wait, timer));
	struct thread *t = wait->thread;
	bool ours = wait_claim(wait, NULL);

	if (ours)
		wait->result = -ETIMEDOUT;
	timer_done(timer);
	if (ours)
		wake(t);
}

struct sleep {
	struct wait *wait;
	uint64_t deadline;
	void (*unlock)(void *arg);
	void *arg;
};

/*
 * The stack has been left. The timer first: once the locks are let go of, the
 * sleeper may be woken, and its frame be gone. This struct may be gone once the
 * timer is armed: it may fire at once, elsewhere, and the sleeper return from
 * wait_sleep(), to wait for the locks to take its waiters out.
 */
static void arm_and_unlock(void *arg)
{
	struct sleep s = *(struct sleep *)arg;

	timer_arm(&s.wait->timer, s.deadline);
	inject();
	s.unlock(s.arg);
}

static void nothing(void *arg)
{
	(void)arg;
}

void wait_begin(struct wait *wait, bool many)
{
	wait->thread = sched_self();
	wait->claimed = 0;
	wait->many = many;
	wait->by = NULL;
	timer_init(&wait->timer, time_out);
}

static int foreign_sleep(struct wait *wait, uint64_t deadline, void (*unlock)(void *), void *arg)
{
	if (!park_foreign_until(unlock, arg, deadline)) {
		if (wait_claim(wait, NULL))
			return -ETIMEDOUT;
		/* somebody was faster, and its wake is on the way */
		park_foreign_until(nothing, NULL, CLOCK_NEVER);
	}
	return wait->result;
}

int wait_sleep(struct wait *wait, enum park_reason reason, const void *wait_for, uint64_t deadline,
	       void (*unlock)(void *), void *arg)
{
	struct sleep s = {wait, deadline, unlock, arg};
	const void *left;

	if (deadline == CLOCK_NEVER) {
		left = park_with(wait->thread, reason, wait_for, unlock, arg);
		return switch_return(left, wait->result);
	}
	if (wait->thread->flags & THREAD_FOREIGN) {
		int r;

		foreign_waits(wait->thread, reason, wait_for);
		r = foreign_sleep(wait, deadline, unlock, arg);
		foreign_waits(wait->thread, PARK_NONE, NULL);
		return r;
	}
	left = park_with(wait->thread, reason, wait_for, arm_and_unlock, &s);
	timer_cancel(&wait->timer); /* and wait for it, if it has come too late */
	return switch_return(left, wait->result);
}

__thread uint32_t waitq_counted;

/* Not inlined: as waitq_unlock_counted_hook(). */
static __attribute__((noinline)) void leave_queue(perch_waitq_t *q, struct waiter *w)
{
	waitq_lock_counted(q);
	if (w->queued)
		waitq_remove(q, w);
	waitq_unlock_counted(q);
}

int waitq_sleep(perch_waitq_t *q, struct waiter *w, enum park_reason reason, const void *wait_for, uint64_t deadline,
		void (*unlock)(void *), void *arg)
{
	struct wait *wait = w->wait;
	int r = wait_sleep(wait, reason, wait_for, deadline, unlock, arg);

	if (wait->many && !wait->by) {
		/* timed out: still in the queue, unless a claim has just passed over it */
		leave_queue(q, w);
	}
	return r;
}

/* Of a lock that is held for some 20 ns. */
#define HANDLER_LOOKS 200

bool waitq_lock_in_handler(perch_waitq_t *q)
{
	const struct bias_lock *l = (const struct bias_lock *)q->lock;

	for (unsigned i = 0; waitq_counted && !bias_is_free(l); i++) {
		if (i == HANDLER_LOOKS)
			return false;
		percpu_relax();
	}
	waitq_lock_counted(q);
	return true;
}

/* Not inlined: the address of a thread's local word must not be kept across a switch. */
__attribute__((noinline)) void waitq_unlock_counted_hook(void *q)
{
	waitq_unlock_counted(q);
}
