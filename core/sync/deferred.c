/* SPDX-License-Identifier: MIT */
#include "core/sync/deferred.h"

#include <errno.h>
#include <stdint.h>

#include "core/sched/foreign.h"
#include "core/sched/monitor.h"
#include "core/sched/sched.h"
#include "rseq/inject.h"
#include "rseq/section_lock.h"

#define SLOTS 256u
/* A slot: the object's address, whether it is an event, and how many posts. */
#define COUNT_SHIFT 48
#define COUNT_MOST 0xffffu
#define EVENT UINT64_C(1)
#define HOLD UINT64_C(2) /* whoever added it still uses the object */
#define OBJECT ((UINT64_C(1) << COUNT_SHIFT) - 1)
#define ADDRESS (OBJECT & ~(EVENT | HOLD))

static uint64_t slot[SLOTS];
static uint32_t used;   /* posts that wait, or are being made */
static uint64_t making; /* for which object that is; 0: none */

static bool add_at(uint64_t *at, uint64_t object)
{
	uint64_t old = __atomic_load_n(at, __ATOMIC_RELAXED);

	while (!old || ((old & OBJECT) == object && !(old & HOLD) && old >> COUNT_SHIFT < COUNT_MOST)) {
		uint64_t next = (old ? old : object) + (UINT64_C(1) << COUNT_SHIFT);

		inject();
		if (__atomic_compare_exchange_n(at, &old, next, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* By the monitor. */
static void run(void)
{
	for (unsigned i = 0; i < SLOTS && __atomic_load_n(&used, __ATOMIC_SEQ_CST); i++) {
		uint64_t what = __atomic_load_n(&slot[i], __ATOMIC_SEQ_CST);

		if (!what || what & HOLD)
			continue;
		/* first: whoever destroys it finds it here or there. Only the count may change. */
		__atomic_store_n(&making, what & OBJECT, __ATOMIC_SEQ_CST);
		inject();
		what = __atomic_exchange_n(&slot[i], 0, __ATOMIC_SEQ_CST);
		for (uint64_t n = what >> COUNT_SHIFT; n; n--) {
			if (what & EVENT)
				event_set_anyway((void *)(uintptr_t)(what & ADDRESS));
			else
				sem_post_anyway((void *)(uintptr_t)(what & ADDRESS));
			__atomic_sub_fetch(&used, 1, __ATOMIC_SEQ_CST);
			foreign_rest();
		}
		__atomic_store_n(&making, 0, __ATOMIC_SEQ_CST);
	}
}

static int add(uint64_t object, uint64_t **at)
{
	if (!sched_up() || object & ~OBJECT)
		return -EINVAL;
	__atomic_store_n(&monitor_posts, run, __ATOMIC_RELEASE);
	foreign_active(); /* the monitor will wake somebody: no deadlock */
	__atomic_add_fetch(&used, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < SLOTS; i++)
		if (add_at(&slot[i], object)) {
			*at = &slot[i];
			return 0;
		}
	/* others are deferred, so this is not the last */
	__atomic_sub_fetch(&used, 1, __ATOMIC_SEQ_CST);
	__atomic_sub_fetch(&foreign_wakers, 1, __ATOMIC_SEQ_CST);
	return -EAGAIN;
}

int deferred_post(perch_sem_t *s)
{
	uint64_t *at;
	int r = add((uint64_t)(uintptr_t)s, &at);

	if (!r)
		monitor_tell(MONITOR_POSTS);
	return r;
}

/* It is set before the monitor has it: from then on it may be gone. */
int deferred_set(perch_event_t *e)
{
	uint64_t *at;
	int r = add((uint64_t)(uintptr_t)e | EVENT | HOLD, &at);

	if (r)
		return r;
	__atomic_store_n(&e->set, 1, __ATOMIC_RELEASE);
	inject();
	__atomic_and_fetch(at, ~HOLD, __ATOMIC_SEQ_CST);
	monitor_tell(MONITOR_POSTS);
	return 0;
}

static bool is_deferred(uint64_t address)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if ((__atomic_load_n(&slot[i], __ATOMIC_SEQ_CST) & ADDRESS) == address)
			return true;
	/* behind them: what is taken out of a slot is here before */
	return (__atomic_load_n(&making, __ATOMIC_SEQ_CST) & ADDRESS) == address;
}

void deferred_wait(const void *object)
{
	unsigned spins = 0;

	while (__atomic_load_n(&used, __ATOMIC_SEQ_CST) && is_deferred((uint64_t)(uintptr_t)object))
		percpu_wait(&spins);
}
