/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - perch_sleep and perch_sleep_until: a timer in the sleeper's frame,
 * armed when its stack has been left, so that whoever fires it finds it asleep.
 */
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <time.h>

#include <perch/time.h>

#include "core/sched/clock.h"
#include "core/sched/park.h"
#include "core/sched/sched.h"
#include "core/sched/timers.h"
#include "core/sched/turn.h"

struct nap {
	struct thread *thread;
	uint64_t until;
	struct timer timer;
};

/* In the scheduler. */
static void nap_ends(struct timer *timer)
{
	struct thread *t = ((struct nap *)((char *)timer - offsetof(struct nap, timer)))->thread;

	timer_done(timer);
	wake(t); /* and the frame may be gone */
}

static void nap_begins(void *arg)
{
	struct nap *nap = arg;

	timer_arm(&nap->timer, nap->until);
}

static int sleep_until(uint64_t until)
{
	struct timespec at = clock_timespec(until);
	struct nap nap;

	/* a pthread outside may sleep whether the runtime is up or not */
	if (sched_check() == -EPERM)
		return -EPERM;
	if (!worker_self()) {
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
			;
		return 0;
	}
	if (!clock_before(until))
		return sched_yield_now();
	nap.thread = sched_self();
	nap.until = until;
	timer_init(&nap.timer, nap_ends);
	return switch_return(park_with(nap.thread, PARK_SLEEP, NULL, nap_begins, &nap), 0);
}

int perch_sleep(uint64_t ns)
{
	uint64_t now;

	if (!ns && !worker_self()) {
		if (sched_check() == -EPERM)
			return -EPERM;
		sched_yield();
		return 0;
	}
	now = clock_ns();
	return sleep_until(ns < CLOCK_NEVER - 1 - now ? now + ns : CLOCK_NEVER - 1);
}

int perch_sleep_until(const struct timespec *abstime)
{
	uint64_t until;
	int r = clock_deadline(abstime, &until);

	return r ? r : sleep_until(until);
}
