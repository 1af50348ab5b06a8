/* SPDX-License-Identifier: MIT */
/*
 * sem.c - a number of permits, and those who wait for one.
 *
 *	         wait   post
 *	wait      L      L     L: the queue's lock, and that only when somebody
 *	post      L      -        waits or must wait; else one CAS on the word
 *
 * word: the value in the low 32 bits; WAITERS: the queue is not empty, set and
 * cleared under its lock. A permit that is posted while somebody waits is his:
 * the value stays 0. So while WAITERS is set nobody takes one past the queue.
 *
 * The last that post touches of a semaphore is the lock, or the word when it had
 * no need of that: whoever has the permit may destroy it (which takes the lock).
 *
 * A post may come from a signal handler. Where the handler may have interrupted the holder of the
 * lock, the monitor makes the post (deferred.h); and no lock is taken to wake.
 *
 * Ordering: a post is visible after the wait that took its permit. Progress:
 * first come, first served among those who wait.
 */
#include "core/sched/waitq_turn.h"
#include "core/sync/deferred.h"
#include "core/sync/object.h"
#include "rseq/inject.h"

#define WAITERS ((uint64_t)1 << 32)

static int check(const perch_sem_t *s)
{
	return s && waitq_is(&s->queue, PERCH_SEM_MAGIC) ? 0 : -EINVAL;
}

int perch_sem_init(perch_sem_t *s, int shared, unsigned value)
{
	if (!s || value > PERCH_SEM_VALUE_MAX)
		return -EINVAL;
	if (shared)
		return -ENOSYS;
	*s = (perch_sem_t)PERCH_SEM_INIT(value);
	return 0;
}

int perch_sem_destroy(perch_sem_t *s)
{
	int r = check(s);

	if (r)
		return r;
	deferred_wait(s);
	waitq_lock_counted(&s->queue);
	return object_end_counted(&s->queue);
}

static inline bool change(perch_sem_t *s, uint64_t *word, uint64_t next)
{
	inject();
	return __atomic_compare_exchange_n(&s->word, word, next, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Taken, if there is one. *word: as it was when there was none. */
static inline bool take(perch_sem_t *s, uint64_t *word)
{
	*word = __atomic_load_n(&s->word, __ATOMIC_RELAXED);
	while ((uint32_t)*word)
		if (change(s, word, *word - 1))
			return true;
	return false;
}

static int wait_until(perch_sem_t *s, uint64_t deadline)
{
	struct waiter w;
	struct wait wait;
	const void *left;
	uint64_t word;
	int r = check(s);

	if (r || take(s, &word))
		return r;
	r = object_may_wait(deadline);
	if (r)
		return r;
	waitq_lock_counted(&s->queue);
	do {
		if (take(s, &word)) {
			waitq_unlock_counted(&s->queue);
			return 0;
		}
	} while (!change(s, &word, word | WAITERS));
	r = waitq_wait_counted_turn(&s->queue, &w, &wait, PARK_SEM, s, deadline, &left);
	return switch_return(left, r);
}

int perch_sem_wait(perch_sem_t *s)
{
	return wait_until(s, CLOCK_NEVER);
}

int perch_sem_timedwait(perch_sem_t *s, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : wait_until(s, deadline);
}

int perch_sem_trywait(perch_sem_t *s)
{
	uint64_t word;
	int r = check(s);

	if (r)
		return r;
	return take(s, &word) ? 0 : -EAGAIN;
}

/*
 * Under the queue's lock, which is let go of, with WAITERS set: so the value is 0,
 * and nobody else changes the word. A waiter that has timed out takes none.
 */
static void hand_over(perch_sem_t *s)
{
	struct waiter *w = waitq_claim(&s->queue);

	__atomic_store_n(&s->word, !w ? 1 : waitq_empty(&s->queue) ? 0 : WAITERS, __ATOMIC_RELEASE);
	waitq_unlock_counted(&s->queue);
	if (w)
		waitq_wake_in_handler(w, 0);
}

/* anyway: with a wait for the lock. */
static inline int post(perch_sem_t *s, bool anyway)
{
	uint64_t word = __atomic_load_n(&s->word, __ATOMIC_RELAXED);
	int r;

	for (;;) {
		if (word & WAITERS) {
			if (anyway) {
				waitq_lock_counted(&s->queue);
			} else if (!waitq_lock_in_handler(&s->queue)) {
				r = deferred_post(s);
				if (r != -EINVAL)
					return r;
				anyway = true; /* the runtime is down: as ever */
				continue;
			}
			word = __atomic_load_n(&s->word, __ATOMIC_RELAXED);
			if (word & WAITERS) {
				hand_over(s);
				return 0;
			}
			waitq_unlock_counted(&s->queue);
		}
		if (word == PERCH_SEM_VALUE_MAX)
			return -EOVERFLOW;
		if (change(s, &word, word + 1))
			return 0;
	}
}

int perch_sem_post(perch_sem_t *s)
{
	int r = check(s);

	return r ? r : post(s, false);
}

void sem_post_anyway(perch_sem_t *s)
{
	post(s, true);
}

int perch_sem_getvalue(perch_sem_t *s, int *value)
{
	int r = check(s);

	if (r || !value)
		return -EINVAL;
	*value = (int)(uint32_t)__atomic_load_n(&s->word, __ATOMIC_ACQUIRE);
	return 0;
}
