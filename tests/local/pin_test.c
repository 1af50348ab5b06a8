/* SPDX-License-Identifier: MIT */
/* pin_test.c - perch_pin: through every way of waiting, a thread comes back to its pthread.
 * (By gettid(): pthread_self() is declared const, so the compiler calls it once.) */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

FIXTURE(pinned)
{
	int unused;
};
FIXTURE_VARIANT(pinned)
{
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(pinned, all_cpus){PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(pinned, alone){{.workers = 1}};
FIXTURE_VARIANT_ADD(pinned, crowded){{.workers = 6}};

FIXTURE_SETUP(pinned)
{
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(pinned)
{
	EXPECT_EQ(perch_stop(), 0);
}

static void *nothing(void *arg)
{
	return arg;
}

static void *yields(void *arg)
{
	perch_yield();
	perch_yield();
	return arg;
}

static void add_one(void *arg)
{
	count_up(arg);
	perch_yield();
}

static void *done(void *arg)
{
	harness_delay(20000);
	perch_waitgroup_done(arg);
	return NULL;
}

/* Wait in one of the ways there are. */
static void wait_somehow(unsigned way)
{
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	uint32_t n = 0;
	perch_call_t c;
	pthread_t p;
	perch_t t;

	switch (way % 7) {
	case 0:
		perch_yield();
		break;
	case 1:
		ASSERT_EQ(perch_create(&t, NULL, yields, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		break;
	case 2:
		ASSERT_EQ(perch_sleep(harness_random_below(300000)), 0);
		break;
	case 3:
		ASSERT_EQ(perch_waitgroup_add(&wg, 1), 0);
		ASSERT_EQ(perch_create(&t, NULL, done, &wg), 0);
		ASSERT_EQ(perch_waitgroup_wait(&wg), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		break;
	case 4:
		ASSERT_EQ(perch_waitgroup_add(&wg, 1), 0);
		ASSERT_EQ(pthread_create(&p, NULL, done, &wg), 0);
		ASSERT_EQ(perch_waitgroup_wait(&wg), 0);
		ASSERT_EQ(pthread_join(p, NULL), 0);
		break;
	case 5:
		ASSERT_EQ(perch_fork(&c, add_one, &n), 0);
		harness_delay(50000);
		ASSERT_EQ(perch_sync(&c), 0);
		break;
	default:
		ASSERT_EQ(perch_create(&t, NULL, yields, NULL), 0);
		perch_yield();
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
}

static __thread uint32_t here; /* its address is that of a pthread */

static __attribute__((noinline)) uint32_t *address(void)
{
	uint32_t *p = &here;

	__asm__ volatile("" : "+r"(p));
	return p;
}

static void *wait_pinned(void *arg)
{
	for (unsigned i = 0; i < 30; i++) {
		pid_t me;
		uint32_t *p;
		unsigned depth = 1 + i % 3;

		for (unsigned k = 0; k < depth; k++)
			ASSERT_EQ(perch_pin(), 0);
		me = gettid();
		p = address();
		for (unsigned k = depth; k > 0; k--) {
			wait_somehow(i + k + (unsigned)(uintptr_t)arg);
			ASSERT_TRUE(me == gettid());
			ASSERT_EQ(p, address());
			ASSERT_EQ(perch_unpin(), 0);
		}
		ASSERT_EQ(perch_unpin(), -EINVAL);
		wait_somehow(i);
	}
	return arg;
}

static void *move_about(void *arg)
{
	while (!__atomic_load_n((uint32_t *)arg, __ATOMIC_ACQUIRE)) {
		perch_sleep(1000);
		for (int i = 0; i < 20; i++)
			perch_yield();
	}
	return NULL;
}

TEST_F_TIMEOUT(pinned, threads_stay, 60)
{
	perch_t t[12], other[6];
	uint32_t stop = 0;

	(void)self;
	for (int i = 0; i < 6; i++)
		ASSERT_EQ(perch_create(&other[i], NULL, move_about, &stop), 0);
	for (uintptr_t i = 0; i < 12; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, wait_pinned, (void *)i), 0);
	for (int i = 0; i < 12; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 6; i++)
		ASSERT_EQ(perch_join(other[i], NULL), 0);
}

/* ---- counts ---- */

static void *pin_and_end(void *arg)
{
	for (uintptr_t i = 0; i < (uintptr_t)arg; i++)
		EXPECT_EQ(perch_pin(), 0);
	return arg;
}

static void *not_pinned(void *arg)
{
	EXPECT_EQ(perch_unpin(), -EINVAL);
	return arg;
}

/* On the joiner's stack, where it can: it inherits the joiner's pin, but not the
 * right to end it. */
static void *inherits(void *arg)
{
	pid_t me = gettid();

	EXPECT_EQ(perch_unpin(), -EINVAL);
	wait_somehow((unsigned)(uintptr_t)arg);
	if (arg)
		EXPECT_TRUE(me == gettid());
	EXPECT_EQ(perch_pin(), 0);
	me = gettid();
	wait_somehow((unsigned)(uintptr_t)arg + 1);
	EXPECT_TRUE(me == gettid());
	if ((uintptr_t)arg % 2) /* else it ends pinned */
		EXPECT_EQ(perch_unpin(), 0);
	EXPECT_EQ((uintptr_t)arg % 2 ? perch_unpin() : -EINVAL, -EINVAL);
	return arg;
}

static void *join_pinned(void *arg)
{
	for (uintptr_t i = 0; i < 40; i++) {
		unsigned pins = (unsigned)(i % 3);
		pid_t me;
		perch_t t;

		for (unsigned k = 0; k < pins; k++)
			ASSERT_EQ(perch_pin(), 0);
		me = gettid();
		/* 0: nobody is pinned, the thread may move */
		ASSERT_EQ(perch_create(&t, NULL, inherits, (void *)(arg && pins ? i : 0)), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		if (pins)
			ASSERT_TRUE(me == gettid());
		for (unsigned k = 0; k < pins; k++)
			ASSERT_EQ(perch_unpin(), 0);
		ASSERT_EQ(perch_unpin(), -EINVAL);
	}
	return arg;
}

TEST_F_TIMEOUT(pinned, counts_are_the_threads_own, 60)
{
	perch_attr_t large;
	perch_t t;

	(void)self;
	EXPECT_EQ(perch_pin(), -EPERM);
	EXPECT_EQ(perch_unpin(), -EPERM);
	for (uintptr_t i = 0; i < 20; i++) {
		ASSERT_EQ(perch_create(&t, NULL, pin_and_end, (void *)(i % 3)), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		/* on the same stack, perhaps */
		ASSERT_EQ(perch_create(&t, NULL, not_pinned, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	ASSERT_EQ(perch_attr_init(&large), 0);
	ASSERT_EQ(perch_attr_setstacksize(&large, 8 << 20), 0);
	ASSERT_EQ(perch_create(&t, &large, join_pinned, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
}

/* While a pinned joiner has a thread on its stack, that one stays too. */
static void *runs_on_the_joiners(void *arg)
{
	pid_t me = gettid();
	int local;

	/* is this the joiner's stack? else nothing is promised */
	if ((uintptr_t)&local - (uintptr_t)arg + (64 << 10) > (128 << 10))
		return NULL;
	for (unsigned i = 0; i < 14; i++) {
		wait_somehow(i);
		EXPECT_TRUE(me == gettid());
	}
	return arg;
}

static void *joins_while_pinned(void *arg)
{
	uint32_t inlined = 0;
	int local;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		pid_t me;
		void *there;
		perch_t t;

		ASSERT_EQ(perch_pin(), 0);
		me = gettid();
		ASSERT_EQ(perch_create(&t, NULL, runs_on_the_joiners, &local), 0);
		ASSERT_EQ(perch_join(t, &there), 0);
		inlined += there != NULL;
		ASSERT_TRUE(me == gettid());
		ASSERT_EQ(perch_unpin(), 0);
	}
	harness_log("%u of 20 ran on their joiner's stack", inlined);
	return NULL;
}

TEST_F_TIMEOUT(pinned, joiners_keep_those_on_their_stack, 60)
{
	perch_attr_t large;
	perch_t t, other[4];
	uint32_t stop = 0;

	(void)self;
	ASSERT_EQ(perch_attr_init(&large), 0);
	ASSERT_EQ(perch_attr_setstacksize(&large, 8 << 20), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_create(&other[i], NULL, move_about, &stop), 0);
	ASSERT_EQ(perch_create(&t, &large, joins_while_pinned, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_join(other[i], NULL), 0);
}

/* ---- nobody starves ---- */

struct race {
	uint32_t go, stop, pinned, free;
};

static void *yield_pinned(void *arg)
{
	struct race *r = arg;

	ASSERT_EQ(perch_pin(), 0);
	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&r->go, __ATOMIC_RELAXED))
			count_up(&r->pinned);
		perch_yield();
	}
	return NULL;
}

static void *yield_free(void *arg)
{
	struct race *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&r->go, __ATOMIC_RELAXED))
			count_up(&r->free);
		perch_yield();
	}
	return NULL;
}

static void *spawn_for_ever(void *arg)
{
	struct race *r = arg;

	/* those that it makes lie on top of the ring, and each joins at once */
	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		perch_t t;

		ASSERT_EQ(perch_create(&t, NULL, nothing, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	return NULL;
}

TEST_F_TIMEOUT(pinned, ones_and_others_do_not_starve, 60)
{
	struct race r = {.go = 1};
	perch_t t[10];

	(void)self;
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, i < 4 ? yield_pinned : i < 8 ? yield_free : spawn_for_ever, &r), 0);
	/* there each thread takes the thread sanitizer milliseconds to make */
	EXPECT_TRUE(gather(&r.pinned, SANITIZER_THREAD ? 40 : 300, 40));
	EXPECT_TRUE(gather(&r.free, SANITIZER_THREAD ? 40 : 300, 40));
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
}

/* And of the rounds of one worker, both have their share, once all are there (whoever makes
 * them can be preempted between two of them, and the first would be counted alone). No
 * hand-off: on a busy machine a spare would take the others on, beside the pinned ones. */
TEST_TIMEOUT(pinned_and_others_share, 60)
{
	struct perch_config config = {.workers = 1, .handoff = PERCH_HANDOFF_OFF};
	struct race r = {0};
	perch_t t[8];

	ASSERT_EQ(perch_start(&config), 0);
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, i < 4 ? yield_pinned : yield_free, &r), 0);
	__atomic_store_n(&r.go, 1, __ATOMIC_RELAXED);
	EXPECT_TRUE(gather(&r.pinned, 20000, 30));
	EXPECT_TRUE(gather(&r.free, 20000, 30));
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	harness_log("%u yields of pinned ones, %u of others", r.pinned, r.free);
	EXPECT_LT(r.pinned / 2, r.free);
	EXPECT_LT(r.free / 2, r.pinned);
}

/* ---- woken while all workers sleep ---- */

struct gate {
	perch_waitgroup_t wg[2];
	uint32_t turns;
};

static void *pass_pinned(void *arg)
{
	struct gate *g = arg;
	pid_t me;

	ASSERT_EQ(perch_pin(), 0);
	me = gettid();
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(perch_waitgroup_wait(&g->wg[0]), 0);
		ASSERT_TRUE(me == gettid());
		ASSERT_EQ(perch_waitgroup_add(&g->wg[0], 1), 0);
		count_up(&g->turns);
		ASSERT_EQ(perch_waitgroup_done(&g->wg[1]), 0);
	}
	return NULL;
}

TEST_F_TIMEOUT(pinned, threads_are_woken_from_outside, 60)
{
	struct gate g = {{PERCH_WAITGROUP_INIT, PERCH_WAITGROUP_INIT}, 0};
	perch_t t;

	(void)self;
	ASSERT_EQ(perch_waitgroup_add(&g.wg[0], 1), 0);
	ASSERT_EQ(perch_create(&t, NULL, pass_pinned, &g), 0);
	for (int i = 0; i < 200; i++) {
		struct timespec nap = {0, (long)harness_random_below(600000)};

		ASSERT_EQ(perch_waitgroup_add(&g.wg[1], 1), 0);
		nanosleep(&nap, NULL);
		ASSERT_EQ(perch_waitgroup_done(&g.wg[0]), 0);
		ASSERT_EQ(perch_waitgroup_wait(&g.wg[1]), 0);
	}
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(g.turns, 200);
}
