/* SPDX-License-Identifier: MIT */
/*
 * timers_test.c - sleeps, timers that are armed and stopped as they fire, and
 * pinned threads that are woken, while workers fall asleep in between. A wake-up
 * that is lost is a hang.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/stress/rounds.h"

#define GAP_NS 200000u

static void nap(uint64_t max_ns)
{
	struct timespec t = {0, (long)harness_random_below(max_ns)};

	nanosleep(&t, NULL);
}

/* ---- sleepers: mostly all workers are idle ---- */

static void *sleep_on(void *arg)
{
	while (round_goes_on()) {
		uint64_t ns = harness_random_below(2 * GAP_NS), began = harness_now();

		ASSERT_EQ(perch_sleep(ns), 0);
		ASSERT_GE(harness_now() - began, ns);
		moved();
		if (harness_random_below(8) == 0)
			compute(GAP_NS);
	}
	return arg;
}

/* One sleeps, another keeps its worker until the first has woken. */
static void *sleep_then_set(void *arg)
{
	perch_sleep(harness_random_below(GAP_NS));
	__atomic_store_n((uint32_t *)arg, 1, __ATOMIC_RELEASE);
	moved();
	return NULL;
}

static void *compute_until_slept(void *arg)
{
	while (round_goes_on()) {
		uint32_t done = 0;
		perch_t t;

		ASSERT_EQ(perch_create(&t, NULL, sleep_then_set, &done), 0);
		while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
			;
		ASSERT_EQ(perch_join(t, NULL), 0);
		nap(GAP_NS);
	}
	return arg;
}

STRESS(sleepers_wake)
{
	rounds_begin(2);
	while (rounds_next()) {
		unsigned n = 1 + (unsigned)harness_random_below(6);
		bool beside = harness_random_below(2);
		perch_t t[7];

		for (unsigned i = 0; i < n; i++)
			ASSERT_EQ(perch_create(&t[i], NULL, sleep_on, NULL), 0);
		/* it keeps one worker only, and nobody else computes for ever */
		if (beside)
			ASSERT_EQ(perch_create(&t[n], NULL, compute_until_slept, NULL), 0);
		for (unsigned i = 0; i < n + beside; i++)
			ASSERT_EQ(perch_join(t[i], NULL), 0);
	}
}

/* ---- timers ---- */

struct one {
	perch_timer_t timer;
	perch_waitgroup_t come; /* of one that is called just once */
	uint32_t calls, ended;
};

static void call(void *arg)
{
	struct one *o = arg;

	__atomic_add_fetch(&o->calls, 1, __ATOMIC_ACQ_REL);
	moved();
	if (harness_random_below(8) == 0)
		perch_sleep(harness_random_below(20000));
	__atomic_add_fetch(&o->ended, 1, __ATOMIC_ACQ_REL);
}

static void call_once(void *arg)
{
	struct one *o = arg;

	call(o);
	ASSERT_EQ(perch_waitgroup_done(&o->come), 0);
}

static void wait_or_not(uint64_t max_ns, bool pthread)
{
	switch (harness_random_below(4)) {
	case 0:
		compute(max_ns);
		break;
	case 1:
		if (pthread)
			nap(max_ns);
		else
			perch_sleep(harness_random_below(max_ns));
		break;
	case 2:
		if (!pthread)
			perch_yield();
		break;
	default:
		break;
	}
}

/* The timer lies in this frame, and is gone as soon as it is destroyed. */
static void race(bool pthread)
{
	uint64_t ns = harness_random_below(40000);
	struct one o = {.come = PERCH_WAITGROUP_INIT};
	int stopped;

	ASSERT_EQ(perch_waitgroup_add(&o.come, 1), 0);
	ASSERT_EQ(perch_timer_init(&o.timer, call_once, &o), 0);
	ASSERT_EQ(perch_timer_start(&o.timer, ns, 0), 0);
	if (harness_random_below(4)) {
		wait_or_not(60000, pthread);
		stopped = perch_timer_stop(&o.timer);
	} else {
		/* nobody but the timer itself sees to it that it comes */
		ASSERT_EQ(perch_waitgroup_wait(&o.come), 0);
		stopped = 0;
	}
	ASSERT_EQ(perch_timer_destroy(&o.timer), 0);
	ASSERT_EQ(__atomic_load_n(&o.calls, __ATOMIC_ACQUIRE), !stopped);
	ASSERT_EQ(__atomic_load_n(&o.ended, __ATOMIC_ACQUIRE), !stopped);
	memset(&o.timer, 0xee, sizeof(o.timer));
	moved();
}

static void *race_in_thread(void *arg)
{
	while (round_goes_on()) {
		race(false);
		wait_or_not(GAP_NS, false);
	}
	return arg;
}

static void *race_in_pthread(void *arg)
{
	while (round_goes_on()) {
		race(true);
		wait_or_not(GAP_NS, true);
	}
	return arg;
}

static void *start_and_stop(void *arg)
{
	struct one *o = arg;

	while (round_goes_on()) {
		if (harness_random_below(2))
			ASSERT_EQ(perch_timer_start(&o->timer, harness_random_below(30000),
						    harness_random_below(2) ? 0 : 1 + harness_random_below(30000)),
				  0);
		else
			ASSERT_GE(perch_timer_stop(&o->timer), 0);
		moved();
		wait_or_not(30000, false);
	}
	return NULL;
}

STRESS(timers_come_or_are_stopped)
{
	rounds_begin(2);
	while (rounds_next()) {
		struct one shared = {.calls = 0};
		pthread_t p[2];
		perch_t t[6];

		ASSERT_EQ(perch_timer_init(&shared.timer, call, &shared), 0);
		for (int i = 0; i < 2; i++)
			ASSERT_EQ(pthread_create(&p[i], NULL, race_in_pthread, NULL), 0);
		for (int i = 0; i < 6; i++)
			ASSERT_EQ(perch_create(&t[i], NULL, i < 3 ? race_in_thread : start_and_stop, &shared), 0);
		for (int i = 0; i < 2; i++)
			ASSERT_EQ(pthread_join(p[i], NULL), 0);
		for (int i = 0; i < 6; i++)
			ASSERT_EQ(perch_join(t[i], NULL), 0);
		/* else the next round's stop finds it armed, in a frame that is gone */
		ASSERT_EQ(perch_timer_destroy(&shared.timer), 0);
		ASSERT_EQ(shared.calls, shared.ended);
	}
}

/* ---- pinned threads, woken by each other, by timers and by pthreads ---- */

struct gate {
	perch_waitgroup_t wg[4];
};

struct seat {
	struct gate *gate;
	unsigned here;
	bool pinned;
};

#define LAPS 40

static void *pass_on(void *arg)
{
	struct seat *s = arg;
	pid_t me = 0;

	if (s->pinned) {
		ASSERT_EQ(perch_pin(), 0);
		me = gettid();
	}
	for (unsigned lap = 0; lap < LAPS; lap++) {
		ASSERT_EQ(perch_waitgroup_wait(&s->gate->wg[s->here]), 0);
		ASSERT_EQ(perch_waitgroup_add(&s->gate->wg[s->here], 1), 0);
		if (perch_self())
			wait_or_not(20000, false);
		else
			wait_or_not(GAP_NS, true);
		if (me)
			ASSERT_EQ(gettid(), me);
		moved();
		ASSERT_EQ(perch_waitgroup_done(&s->gate->wg[(s->here + 1) % 4]), 0);
	}
	return NULL;
}

static void *keep_busy(void *arg)
{
	while (!__atomic_load_n((uint32_t *)arg, __ATOMIC_ACQUIRE)) {
		perch_yield();
		if (harness_random_below(64) == 0)
			perch_sleep(harness_random_below(30000));
	}
	return NULL;
}

STRESS(pinned_threads_wake)
{
	rounds_begin(1);
	while (rounds_next())
		while (round_goes_on()) {
			uint32_t stop = 0;
			struct gate g;
			struct seat seat[4];
			perch_t t[3], busy;
			bool with = harness_random_below(3) == 0;
			pthread_t p;

			for (unsigned i = 0; i < 4; i++) {
				seat[i] = (struct seat){&g, i, i < 2};
				perch_waitgroup_init(&g.wg[i]);
				perch_waitgroup_add(&g.wg[i], 1);
			}
			if (with)
				ASSERT_EQ(perch_create(&busy, NULL, keep_busy, &stop), 0);
			for (unsigned i = 0; i < 3; i++)
				ASSERT_EQ(perch_create(&t[i], NULL, pass_on, &seat[i]), 0);
			ASSERT_EQ(pthread_create(&p, NULL, pass_on, &seat[3]), 0);
			ASSERT_EQ(perch_waitgroup_done(&g.wg[0]), 0);
			for (unsigned i = 0; i < 3; i++)
				ASSERT_EQ(perch_join(t[i], NULL), 0);
			ASSERT_EQ(pthread_join(p, NULL), 0);
			__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
			if (with)
				ASSERT_EQ(perch_join(busy, NULL), 0);
		}
}
