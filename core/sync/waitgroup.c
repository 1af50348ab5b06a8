/* SPDX-License-Identifier: MIT */
/*
 * waitgroup.c - a count, and those who wait for it to be zero.
 *
 *	        add   wait
 *	add      -     L      (L: the queue's lock, only when there are waiters)
 *	wait     L     L
 *
 * word: the count in the low 32 bits, WAITERS above. WAITERS is set, and the
 * queue changed, under the lock only; so the one who brings the count to zero
 * while it is set takes the lock first, and everybody in the queue then is one
 * who came before that zero.
 */
#include "core/sched/waitq_turn.h"
#include "core/sync/object.h"
#include "rseq/inject.h"

#define WAITERS ((uint64_t)1 << 32)

static int check(const perch_waitgroup_t *wg)
{
	return wg && waitq_is(&wg->queue, PERCH_WAITGROUP_MAGIC) ? 0 : -EINVAL;
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
	waitq_lock(&wg->queue);
	return object_end(&wg->queue, __atomic_load_n(&wg->word, __ATOMIC_ACQUIRE));
}

int perch_waitgroup_add(perch_waitgroup_t *wg, int n)
{
	struct claimed c = {NULL, NULL};
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
				waitq_lock(&wg->queue);
				locked = true;
				word = __atomic_load_n(&wg->word, __ATOMIC_RELAXED);
				continue;
			}
			next = 0;
		}
		inject();
		if (!__atomic_compare_exchange_n(&wg->word, &word, next, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		if (locked && !next)
			c = claim_all(&wg->queue);
		break;
	}
	if (locked)
		waitq_unlock(&wg->queue); /* and the group may be gone */
	wake_claimed(c, 0);
	return r;
}

int perch_waitgroup_done(perch_waitgroup_t *wg)
{
	return perch_waitgroup_add(wg, -1);
}

static int wait_until(perch_waitgroup_t *wg, uint64_t deadline)
{
	struct waiter w;
	struct wait wait;
	const void *left;
	uint64_t word;
	int r = check(wg);

	if (r)
		return r;
	word = __atomic_load_n(&wg->word, __ATOMIC_ACQUIRE);
	if (!(uint32_t)word)
		return 0;
	r = object_may_wait(deadline);
	if (r)
		return r;
	waitq_lock(&wg->queue);
	word = __atomic_load_n(&wg->word, __ATOMIC_ACQUIRE);
	do {
		if (!(uint32_t)word) {
			waitq_unlock(&wg->queue);
			return 0;
		}
	} while (!__atomic_compare_exchange_n(&wg->word, &word, word | WAITERS, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	r = waitq_wait_turn(&wg->queue, &w, &wait, PARK_WAITGROUP, wg, deadline, &left);
	return switch_return(left, r);
}

int perch_waitgroup_wait(perch_waitgroup_t *wg)
{
	return wait_until(wg, CLOCK_NEVER);
}

int perch_waitgroup_timedwait(perch_waitgroup_t *wg, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = check(wg) ? -EINVAL : clock_deadline(abstime, &deadline);

	return r ? r : wait_until(wg, deadline);
}
