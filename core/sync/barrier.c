/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - those who have come, until all have.
 *
 *	         wait
 *	wait      L     (L: the queue's lock, for the whole call but the sleep)
 *
 * here: how many of this round have come, and wait. The last one takes all of
 * them off the queue under the lock, so a round has ended before one of the
 * next can come; it touches the barrier no more after that.
 *
 * Ordering: what any did before it came is visible to all afterwards. Progress:
 * a round ends in the call that completes it.
 */
#include "core/sched/waitq_turn.h"
#include "core/sync/object.h"

static int check(const perch_barrier_t *b)
{
	return b && waitq_is(&b->queue, PERCH_BARRIER_MAGIC) && b->count && b->count <= INT32_MAX ? 0 : -EINVAL;
}

int perch_barrier_init(perch_barrier_t *b, const void *nothing, unsigned count)
{
	if (!b || nothing || !count || count > INT32_MAX)
		return -EINVAL;
	*b = (perch_barrier_t)PERCH_BARRIER_INIT(count);
	return 0;
}

int perch_barrier_destroy(perch_barrier_t *b)
{
	int r = check(b);

	if (r)
		return r;
	waitq_lock(&b->queue);
	return object_end(&b->queue, false);
}

int perch_barrier_wait(perch_barrier_t *b)
{
	struct claimed c;
	struct waiter w;
	struct wait wait;
	const void *left;
	int r = check(b);

	if (r)
		return r;
	waitq_lock(&b->queue);
	if (b->here + 1 < b->count) {
		r = object_may_wait(CLOCK_NEVER);
		if (r) {
			waitq_unlock(&b->queue);
			return r;
		}
		b->here++;
		r = waitq_wait_turn(&b->queue, &w, &wait, PARK_BARRIER, b, CLOCK_NEVER, &left);
		return switch_return(left, r);
	}
	b->here = 0;
	c = claim_all(&b->queue);
	waitq_unlock(&b->queue);
	wake_claimed(c, 0);
	return PERCH_BARRIER_SERIAL_THREAD;
}
