/* SPDX-License-Identifier: MIT */
/*
 * gaps_test.c - single items, pushed after gaps in which workers fall asleep.
 * Whoever pushes then computes until another worker has run the item (or
 * blocks, when it is a pthread outside): a wake-up that is lost is a hang.
 */
#include <pthread.h>

#include "tests/stress/rounds.h"

#define GAP_NS 200000u

static void compute_until(const uint32_t *word)
{
	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
		;
}

/* ---- from a perch thread, which keeps its worker busy ---- */

static void set(void *arg)
{
	__atomic_store_n((uint32_t *)arg, 1, __ATOMIC_RELEASE);
	moved();
}

static void *set_as_thread(void *arg)
{
	set(arg);
	return arg;
}

static void push_thread(void)
{
	uint32_t done = 0;
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, set_as_thread, &done), 0);
	compute_until(&done);
	ASSERT_EQ(perch_join(t, NULL), 0);
}

static void push_task(void)
{
	uint32_t done = 0;
	perch_call_t c;

	ASSERT_EQ(perch_fork(&c, set, &done), 0);
	compute_until(&done);
	ASSERT_EQ(perch_sync(&c), 0);
}

struct parked {
	perch_waitgroup_t wg;
	uint32_t waits, done;
};

static void *wait_then_set(void *arg)
{
	struct parked *p = arg;

	set(&p->waits);
	ASSERT_EQ(perch_waitgroup_wait(&p->wg), 0);
	set(&p->done);
	return NULL;
}

static void wake_thread(void)
{
	struct parked p = {PERCH_WAITGROUP_INIT, 0, 0};
	perch_t t;

	ASSERT_EQ(perch_waitgroup_add(&p.wg, 1), 0);
	ASSERT_EQ(perch_create(&t, NULL, wait_then_set, &p), 0);
	compute_until(&p.waits);
	compute(GAP_NS);
	ASSERT_EQ(perch_waitgroup_done(&p.wg), 0);
	compute_until(&p.done);
	ASSERT_EQ(perch_join(t, NULL), 0);
}

static void *compute_until_set(void *arg)
{
	compute_until(arg);
	moved();
	return NULL;
}

/* This thread lies in the fair queue while the one it yielded to computes. */
static void yield_to_one_that_computes(void)
{
	uint32_t done = 0;
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, compute_until_set, &done), 0);
	perch_yield();
	set(&done);
	ASSERT_EQ(perch_join(t, NULL), 0);
}

/* Two items: the second must be found although the first keeps the other worker. */
static void several(void)
{
	uint32_t done[3] = {0, 0, 0};
	perch_call_t c[3];

	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_fork(&c[i], set, &done[i]), 0);
	for (int i = 0; i < 3; i++)
		compute_until(&done[i]);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_sync(&c[i]), 0);
}

static void *push_after_gaps(void *arg)
{
	static void (*const pushes[])(void) = {push_thread, push_task, wake_thread, yield_to_one_that_computes,
					       several};

	while (round_goes_on()) {
		compute(GAP_NS);
		pushes[harness_random_below(sizeof(pushes) / sizeof(pushes[0]))]();
	}
	return arg;
}

STRESS(another_worker_finds_what_a_busy_one_pushed)
{
	rounds_begin(2);
	while (rounds_next()) {
		perch_t t;

		ASSERT_EQ(perch_create(&t, NULL, push_after_gaps, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
}

/* ---- from pthreads outside, to an idle runtime ---- */

static void done(void *arg)
{
	moved();
	perch_waitgroup_done(arg);
}

static void submit(void)
{
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	uint32_t word = 0;
	perch_call_t c;
	perch_t t;

	switch (harness_random_below(4)) {
	case 0:
		ASSERT_EQ(perch_waitgroup_add(&wg, 1), 0);
		ASSERT_EQ(perch_go(done, &wg), 0);
		ASSERT_EQ(perch_waitgroup_wait(&wg), 0);
		break;
	case 1:
		ASSERT_EQ(perch_create(&t, NULL, set_as_thread, &word), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		break;
	case 2:
		ASSERT_EQ(perch_fork(&c, set, &word), 0);
		ASSERT_EQ(perch_sync(&c), 0);
		break;
	default: {
		struct parked p = {PERCH_WAITGROUP_INIT, 0, 0};

		ASSERT_EQ(perch_waitgroup_add(&p.wg, 1), 0);
		ASSERT_EQ(perch_create(&t, NULL, wait_then_set, &p), 0);
		compute(GAP_NS);
		ASSERT_EQ(perch_waitgroup_done(&p.wg), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	}
}

static void *submit_after_gaps(void *arg)
{
	while (round_goes_on()) {
		if (harness_random_below(2)) {
			struct timespec nap = {0, (long)harness_random_below(GAP_NS)};

			nanosleep(&nap, NULL);
		} else {
			compute(GAP_NS);
		}
		submit();
	}
	return arg;
}

STRESS(an_idle_runtime_finds_what_a_pthread_submits)
{
	rounds_begin(1);
	while (rounds_next()) {
		unsigned n = 1 + (unsigned)harness_random_below(3);
		pthread_t p[3];

		for (unsigned i = 0; i < n; i++)
			ASSERT_EQ(pthread_create(&p[i], NULL, submit_after_gaps, NULL), 0);
		for (unsigned i = 0; i < n; i++)
			ASSERT_EQ(pthread_join(p[i], NULL), 0);
	}
}

/* ---- threads that wake each other, all asleep in between ---- */

struct ring {
	perch_waitgroup_t gate[8];
	uint32_t stop;
};

struct seat {
	struct ring *ring;
	unsigned here, laps;
};

static void *pass_on(void *arg)
{
	struct seat *s = arg;
	struct ring *r = s->ring;

	for (unsigned lap = 0; lap < s->laps; lap++) {
		ASSERT_EQ(perch_waitgroup_wait(&r->gate[s->here]), 0);
		ASSERT_EQ(perch_waitgroup_add(&r->gate[s->here], 1), 0);
		moved();
		if (harness_random_below(4) == 0)
			compute(5000);
		ASSERT_EQ(perch_waitgroup_done(&r->gate[(s->here + 1) % 8]), 0);
	}
	return arg;
}

STRESS(a_baton_goes_round_threads_and_pthreads)
{
	rounds_begin(1);
	while (rounds_next())
		while (round_goes_on()) {
			struct ring r = {{PERCH_WAITGROUP_INIT}, 0};
			struct seat seat[8];
			pthread_t p[8];
			perch_t t[8];

			for (unsigned i = 0; i < 8; i++) {
				seat[i] = (struct seat){&r, i, 50};
				perch_waitgroup_init(&r.gate[i]);
				perch_waitgroup_add(&r.gate[i], 1);
			}
			for (unsigned i = 0; i < 8; i++) {
				if (i % 3 == 2)
					ASSERT_EQ(pthread_create(&p[i], NULL, pass_on, &seat[i]), 0);
				else
					ASSERT_EQ(perch_create(&t[i], NULL, pass_on, &seat[i]), 0);
			}
			ASSERT_EQ(perch_waitgroup_done(&r.gate[0]), 0);
			for (unsigned i = 0; i < 8; i++) {
				if (i % 3 == 2)
					ASSERT_EQ(pthread_join(p[i], NULL), 0);
				else
					ASSERT_EQ(perch_join(t[i], NULL), 0);
			}
		}
}
