/* SPDX-License-Identifier: MIT */
/*
 * waitgroup.c - a count, and those who wait for it to be zero.
 *
 *	        add   wait
 *	add      -     L      (L: the lock, only when there are waiters)
 *	wait     L     L
 *
 * word: the count in the low 32 bits, WAITERS above. WAITERS is set, and the
 * list changed, under the lock only; so the one who brings the count to zero
 * while it is set takes the lock first, and everybody on the list then is one
 * who came before that zero.
 */
#include <errno.h>
#include <sched.h>
#include <stddef.h>

#include <perch/sync.h>

#include "core/sched/park.h"
#include "core/sched/sched.h"
#include "rseq/inject.h"

#define WAITERS ((uint64_t)1 << 32)

struct waiter {
	struct waiter *next;
	struct thread *thread;
	uint32_t woken;
};

static void lock(perch_waitgroup_t *wg)
{
	unsigned spins = 0;

	while (__atomic_exchange_n(&wg->lock, 1, __ATOMIC_ACQUIRE))
		if (++spins % 64 == 0)
			sched_yield(); /* its holder is a preempted pthread, not a thread that sleeps */
	inject();
}

static void unlock(perch_waitgroup_t *wg)
{
	inject();
	__atomic_store_n(&wg->lock, 0, __ATOMIC_RELEASE);
}

static int check(const perch_waitgroup_t *wg)
{
	return wg && wg->magic == PERCH_WAITGROUP_MAGIC ? 0 : -EINVAL;
}

int perch_waitgroup_init(perch_waitgroup_t *wg)
{
	if (!wg)
		return -EINVAL;
	*wg = (perch_waitgroup_t)PERCH_WAITGROUP_INIT;
	return 0;
}

int perch_waitgroup_destroy(perch_waitgroup_t *wg)
{
	int r = check(wg);

	if (r)
		return r;
	if (__atomic_load_n(&wg->word, __ATOMIC_ACQUIRE))
		return -EBUSY;
	lock(wg); /* the last add() may still be leaving */
	unlock(wg);
	wg->magic = 0;
	return 0;
}

static void wake_all(struct waiter *w)
{
	while (w) {
		/* the waiter's frame is gone once it sees `woken` */
		struct waiter *next = w->next;
		struct thread *t = w->thread;

		__atomic_store_n(&w->woken, 1, __ATOMIC_RELEASE);
		unpark(t);
		w = next;
	}
}

int perch_waitgroup_add(perch_waitgroup_t *wg, int n)
{
	struct waiter *waiters = NULL;
	bool locked = false;
	uint64_t word;
	int r = check(wg);

	if (r)
		return r;
	word = __atomic_load_n(&wg->word, __ATOMIC_RELAXED);
	for (;;) {
		int64_t count = (int64_t)(uint32_t)word + n;
		uint64_t next = (word & WAITERS) | (uint64_t)count;

		if (count < 0 || count > INT32_MAX) {
			r = -ERANGE;
			break;
		}
		if (!count && word & WAITERS) {
			if (!locked) {
				lock(wg);
				locked = true;
				word = __atomic_load_n(&wg->word, __ATOMIC_RELAXED);
				continue;
			}
			next = 0;
		}
		inject();
		if (!__atomic_compare_exchange_n(&wg->word, &word, next, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		if (locked && !next) {
			waiters = wg->waiters;
			wg->waiters = NULL;
		}
		break;
	}
	if (locked)
		unlock(wg);
	wake_all(waiters);
	return r;
}

int perch_waitgroup_done(perch_waitgroup_t *wg)
{
	return perch_waitgroup_add(wg, -1);
}

int perch_waitgroup_wait(perch_waitgroup_t *wg)
{
	struct waiter self = {.thread = sched_self()};
	uint64_t word;
	int r = check(wg);

	if (r)
		return r;
	word = __atomic_load_n(&wg->word, __ATOMIC_ACQUIRE);
	if (!(uint32_t)word)
		return 0;
	if (sched_check() == -EPERM)
		return -EPERM; /* nobody is left who could wake us */
	lock(wg);
	word = __atomic_load_n(&wg->word, __ATOMIC_ACQUIRE);
	do {
		if (!(uint32_t)word) {
			unlock(wg);
			return 0;
		}
	} while (!__atomic_compare_exchange_n(&wg->word, &word, word | WAITERS, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	self.next = wg->waiters;
	wg->waiters = &self;
	unlock(wg);
	while (!__atomic_load_n(&self.woken, __ATOMIC_ACQUIRE))
		park(PARK_WAITGROUP);
	return 0;
}
