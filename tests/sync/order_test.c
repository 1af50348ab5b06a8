/* SPDX-License-Identifier: MIT */
/* order_test.c - of those whom one call wakes, whoever came first runs first. */
#include <perch/perch.h>

#include "tests/harness/gather.h"

#define WAITERS 50

static perch_event_t event;
static perch_barrier_t barrier;
static perch_waitgroup_t group;
static perch_rwlock_t rwlock;
static perch_mutex_t mutex;
static perch_cond_t cond;
static perch_chan_t *chan;
static uint32_t here, next, last, back;

static void at_event(void)
{
	perch_event_wait(&event);
}

static void set_event(void)
{
	EXPECT_EQ(perch_event_set(&event), 0);
}

static void at_barrier(void)
{
	perch_barrier_wait(&barrier);
}

static void at_group(void)
{
	perch_waitgroup_wait(&group);
}

static void end_group(void)
{
	EXPECT_EQ(perch_waitgroup_done(&group), 0);
}

static void at_rwlock(void)
{
	perch_rwlock_rdlock(&rwlock);
}

static void unlock_rwlock(void)
{
	EXPECT_EQ(perch_rwlock_unlock(&rwlock), 0);
}

static void at_cond(void)
{
	perch_mutex_lock(&mutex);
	perch_cond_wait(&cond, &mutex);
	perch_mutex_unlock(&mutex);
}

static void broadcast(void)
{
	EXPECT_EQ(perch_mutex_lock(&mutex), 0);
	EXPECT_EQ(perch_cond_broadcast(&cond), 0);
	EXPECT_EQ(perch_mutex_unlock(&mutex), 0);
}

static void at_chan(void)
{
	perch_chan_recv(chan, NULL);
}

static void close_chan(void)
{
	EXPECT_EQ(perch_chan_close(chan), 0);
}

FIXTURE(order)
{
	char unused;
};

FIXTURE_VARIANT(order)
{
	void (*wait)(void), (*wake)(void);
};

FIXTURE_VARIANT_ADD(order, event){at_event, set_event};
FIXTURE_VARIANT_ADD(order, barrier){at_barrier, at_barrier};
FIXTURE_VARIANT_ADD(order, waitgroup){at_group, end_group};
FIXTURE_VARIANT_ADD(order, rwlock){at_rwlock, unlock_rwlock};
FIXTURE_VARIANT_ADD(order, cond){at_cond, broadcast};
FIXTURE_VARIANT_ADD(order, chan){at_chan, close_chan};

FIXTURE_SETUP(order)
{
	const struct perch_config one = {.procs = 1};

	here = next = last = back = 0;
	ASSERT_EQ(perch_event_init(&event), 0);
	ASSERT_EQ(perch_barrier_init(&barrier, NULL, WAITERS + 1), 0);
	ASSERT_EQ(perch_waitgroup_init(&group), 0);
	ASSERT_EQ(perch_waitgroup_add(&group, 1), 0);
	ASSERT_EQ(perch_rwlock_init(&rwlock, NULL), 0);
	ASSERT_EQ(perch_mutex_init(&mutex, NULL), 0);
	ASSERT_EQ(perch_cond_init(&cond, NULL), 0);
	ASSERT_EQ(perch_chan_create(&chan, 0, 0), 0);
	ASSERT_EQ(perch_start(&one), 0);
}

FIXTURE_TEARDOWN(order)
{
	EXPECT_EQ(perch_stop(), 0);
	EXPECT_EQ(perch_chan_destroy(chan), 0);
}

static void (*wait_there)(void);

/* They wait in the order of their numbers, and run so. */
static void *waits(void *number)
{
	while (__atomic_load_n(&here, __ATOMIC_RELAXED) != (uint32_t)(uintptr_t)number)
		perch_yield();
	here++;
	wait_there();
	back += (uint32_t)(uintptr_t)number < last;
	last = (uint32_t)(uintptr_t)number;
	next++;
	return NULL;
}

/* On the one worker: nobody runs while it wakes them. */
static void *wakes(void *fn)
{
	perch_t t[WAITERS];

	EXPECT_EQ(perch_rwlock_wrlock(&rwlock), 0);
	for (uintptr_t i = 0; i < WAITERS; i++)
		EXPECT_EQ(perch_create(&t[i], NULL, waits, (void *)i), 0);
	while (here != WAITERS)
		perch_yield();
	for (int i = 0; i < 3; i++)
		perch_yield(); /* the last one waits, too */
	((void (*)(void))fn)();
	for (int i = 0; i < WAITERS; i++)
		EXPECT_EQ(perch_join(t[i], NULL), 0);
	return NULL;
}

TEST_F(order, is_first_come_first_run)
{
	perch_t t;

	(void)self;
	wait_there = variant->wait;
	ASSERT_EQ(perch_create(&t, NULL, wakes, (void *)variant->wake), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(next, WAITERS);
	/* a fair round may take the old end of the queue in between; newest first would be 49 */
	EXPECT_LE(back, 2);
}
