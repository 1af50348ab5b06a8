/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - many readers or one writer, and those who wait, in one queue for both.
 *
 *	          lock   unlock
 *	lock       L       L     L: the queue's lock, and that only when somebody
 *	unlock     L       -        waits or must wait; else one CAS on the word
 *
 * word: the number of readers who have it; WRITER: a writer has it; WAITERS: the
 * queue is not empty. WAITERS is set and cleared under the queue's lock, and
 * while it is set nobody comes in past the queue. Who brings the lock to rest
 * while it is set does so under the queue's lock, and gives it to the first in
 * the queue before letting go of that: a writer, or all readers up to the first
 * writer. So always, outside of the queue's lock:
 *
 *	WAITERS implies that somebody has the lock, and will see to them;
 *	the first in the queue is a writer, or a writer has the lock;
 *
 * the second but for a waiter that has timed out, and then sees to it itself
 * before it returns.
 *
 * Ordering: an unlock is visible after the locks that follow; but not a reader's
 * to readers. Progress: first come, first served, so nobody is overtaken but by
 * readers who share; whoever reads again while it has the lock may wait for a
 * writer who waits for it.
 */
#include "core/sched/waitq_turn.h"
#include "core/sync/object.h"
#include "rseq/inject.h"

#define WRITER ((uint64_t)1 << 63)
#define WAITERS ((uint64_t)1 << 62)

/* waiter.data; not NULL for writers */
#define READS NULL
#define WRITES ((void *)1)

static int check(const perch_rwlock_t *l)
{
	return l && waitq_is(&l->queue, PERCH_RWLOCK_MAGIC) ? 0 : -EINVAL;
}

int perch_rwlock_init(perch_rwlock_t *l, const void *nothing)
{
	if (!l || nothing)
		return -EINVAL;
	*l = (perch_rwlock_t)PERCH_RWLOCK_INIT;
	return 0;
}

int perch_rwlock_destroy(perch_rwlock_t *l)
{
	int r = check(l);

	if (r)
		return r;
	waitq_lock(&l->queue);
	return object_end(&l->queue, __atomic_load_n(&l->word, __ATOMIC_ACQUIRE));
}

static inline bool change(perch_rwlock_t *l, uint64_t *word, uint64_t next)
{
	inject();
	return __atomic_compare_exchange_n(&l->word, word, next, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Taken, if it can be had at once. *word: as it was when it could not. */
static inline bool take(perch_rwlock_t *l, void *mode, uint64_t *word)
{
	*word = __atomic_load_n(&l->word, __ATOMIC_RELAXED);
	while (mode == READS ? !(*word & (WRITER | WAITERS)) : !*word)
		if (change(l, word, mode == READS ? *word + 1 : WRITER))
			return true;
	return false;
}

/*
 * Under the queue's lock: give it to the first in the queue, as far as they can
 * have it. They are to be woken when the lock has been let go of.
 */
static struct claimed grant(perch_rwlock_t *l)
{
	uint64_t word = __atomic_load_n(&l->word, __ATOMIC_RELAXED), given = 0;
	struct claimed c = {NULL, NULL};
	struct waiter *w;

	while ((w = l->queue.first)) {
		/* what is read here only falls meanwhile, and not to nobody: the last takes the lock */
		if (w->data == READS ? (word | given) & WRITER : (word & ~WAITERS) || given)
			break;
		waitq_remove(&l->queue, w);
		if (!wait_claim(w->wait, w))
			continue;
		claimed_add_first(&c, w); /* as claim_all() */
		given += w->data == READS ? 1 : WRITER;
	}
	if (word & WAITERS && waitq_empty(&l->queue))
		given -= WAITERS;
	if (given)
		__atomic_fetch_add(&l->word, given, __ATOMIC_ACQ_REL);
	return c;
}

static int lock_slow(perch_rwlock_t *l, void *mode, uint64_t deadline)
{
	struct waiter w = {.data = mode};
	struct claimed c;
	struct wait wait;
	const void *left;
	uint64_t word;
	int r = object_may_wait(deadline);

	if (r)
		return r;
	waitq_lock(&l->queue);
	do {
		if (take(l, mode, &word)) {
			waitq_unlock(&l->queue);
			return 0;
		}
	} while (!change(l, &word, word | WAITERS));
	r = waitq_wait_turn(&l->queue, &w, &wait, mode == READS ? PARK_RDLOCK : PARK_WRLOCK, l, deadline, &left);
	if (r == -ETIMEDOUT) {
		/* those behind us may have waited for us alone */
		waitq_lock(&l->queue);
		c = grant(l);
		waitq_unlock(&l->queue);
		wake_claimed(c, 0);
	}
	return switch_return(left, r);
}

static inline int lock_until(perch_rwlock_t *l, void *mode, uint64_t deadline)
{
	uint64_t word;
	int r = check(l);

	if (r)
		return r;
	return take(l, mode, &word) ? 0 : lock_slow(l, mode, deadline);
}

static inline int try_lock(perch_rwlock_t *l, void *mode)
{
	uint64_t word;
	int r = check(l);

	if (r)
		return r;
	return take(l, mode, &word) ? 0 : -EBUSY;
}

static inline int timed_lock(perch_rwlock_t *l, void *mode, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : lock_until(l, mode, deadline);
}

int perch_rwlock_rdlock(perch_rwlock_t *l)
{
	return lock_until(l, READS, CLOCK_NEVER);
}

int perch_rwlock_wrlock(perch_rwlock_t *l)
{
	return lock_until(l, WRITES, CLOCK_NEVER);
}

int perch_rwlock_tryrdlock(perch_rwlock_t *l)
{
	return try_lock(l, READS);
}

int perch_rwlock_trywrlock(perch_rwlock_t *l)
{
	return try_lock(l, WRITES);
}

int perch_rwlock_timedrdlock(perch_rwlock_t *l, const struct timespec *abstime)
{
	return timed_lock(l, READS, abstime);
}

int perch_rwlock_timedwrlock(perch_rwlock_t *l, const struct timespec *abstime)
{
	return timed_lock(l, WRITES, abstime);
}

int perch_rwlock_unlock(perch_rwlock_t *l)
{
	struct claimed c = {NULL, NULL};
	bool locked = false;
	uint64_t word, next;
	int r = check(l);

	if (r)
		return r;
	word = __atomic_load_n(&l->word, __ATOMIC_RELAXED);
	for (;;) {
		if (!(word & ~WAITERS)) {
			r = -EPERM;
			break;
		}
		next = word & WRITER ? word & ~WRITER : word - 1;
		if (next == WAITERS && !locked) {
			waitq_lock(&l->queue);
			locked = true;
			word = __atomic_load_n(&l->word, __ATOMIC_RELAXED);
			continue;
		}
		if (!change(l, &word, next))
			continue;
		if (next == WAITERS)
			c = grant(l);
		break;
	}
	if (locked)
		waitq_unlock(&l->queue);
	wake_claimed(c, 0);
	return r;
}
