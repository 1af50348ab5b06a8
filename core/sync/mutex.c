/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - one word, and a queue for those who did not get it.
 *
 *	          lock   unlock   adopt
 *	lock       L        L       L     L: the queue's lock, and that only when
 *	unlock     L        -       L        somebody waits or must wait; else
 *	adopt      L        L       L        one CAS on the word, and no more; and
 *	                                     none while the word leans (rseq/bias.h).
 *
 * word, its value:
 *	LOCKED    somebody has it
 *	WAITERS   the queue is not empty, unless all in it timed out; set and
 *	          cleared under its lock
 *	WOKEN     one was taken off the queue, and is on its way to take the mutex
 *
 * Unlocking wakes the first who waits, but does not keep the mutex for it: who
 * comes meanwhile may have it first (a switch for each lock would be the other
 * choice). While WOKEN is set nobody else is woken. A woken one that comes too
 * late clears WOKEN, in the step in which it sees that the mutex is locked, and
 * goes to the front of the queue. So always, outside of the lock:
 *
 *	WAITERS implies LOCKED or WOKEN: there is somebody who will see to them.
 *
 * How long one waits: a woken one that comes too late, and has then waited for
 * more than PATIENCE_NS, says so; and is handed the mutex locked, by the next
 * unlock. So the first in the queue is overtaken for PATIENCE_NS at most, or
 * once if it has waited that long already; in all a lock takes, beside
 * PATIENCE_NS, two critical sections and two times the wait of a runnable thread
 * for each of those who were in the queue before. One that is moved here by a
 * condition counts from its first attempt. (After Go's "starvation mode".)
 *
 * When WAITERS and LOCKED are set and WOKEN is not, the value changes only under
 * the lock, or by the unlock for which unlock itself is looking at it.
 *
 * Ordering: an unlock is visible after the lock that follows. Progress: an
 * uncontended lock or unlock fails only when another's succeeded.
 */
#include "core/sync/mutex.h"

#include "core/sched/waitq_turn.h"
#include "rseq/bias.h"
#include "rseq/inject.h"
#include "rseq/section_lock.h"

#define LOCKED BIAS_HELD
#define WAITERS 2u
#define WOKEN 4u

#define PATIENCE_NS 1000000u
/* Looks at the word before a wait, when the owner may run elsewhere: about what a wait costs. */
#define SPINS 20

#define ATTR_MAGIC 0x6d617474u

/* waiter.data */
#define IMPATIENT ((void *)1) /* wants it handed over */
#define ADOPTED ((void *)2)   /* was claimed before it came here */

static inline struct bias_lock *word_of(perch_mutex_t *m)
{
	return (struct bias_lock *)m->word;
}

static inline uint32_t look(const perch_mutex_t *m)
{
	return __atomic_load_n(&m->word[0], __ATOMIC_RELAXED);
}

/* ---- attributes ---- */

static int attr_check(const perch_mutexattr_t *a)
{
	return a && a->magic == ATTR_MAGIC ? 0 : -EINVAL;
}

int perch_mutexattr_init(perch_mutexattr_t *a)
{
	if (!a)
		return -EINVAL;
	*a = (perch_mutexattr_t){ATTR_MAGIC, PERCH_MUTEX_PLAIN};
	return 0;
}

int perch_mutexattr_destroy(perch_mutexattr_t *a)
{
	int r = attr_check(a);

	if (!r)
		a->magic = 0;
	return r;
}

int perch_mutexattr_settype(perch_mutexattr_t *a, int kind)
{
	if (attr_check(a) || kind < PERCH_MUTEX_PLAIN || kind > PERCH_MUTEX_ERRORCHECK)
		return -EINVAL;
	a->kind = (uint32_t)kind;
	return 0;
}

int perch_mutexattr_gettype(const perch_mutexattr_t *a, int *kind)
{
	if (attr_check(a) || !kind)
		return -EINVAL;
	*kind = (int)a->kind;
	return 0;
}

int perch_mutex_init(perch_mutex_t *m, const perch_mutexattr_t *a)
{
	if (!m || (a && attr_check(a)))
		return -EINVAL;
	*m = (perch_mutex_t)PERCH_MUTEX_INIT_KIND(a ? a->kind : PERCH_MUTEX_PLAIN);
	return 0;
}

int perch_mutex_destroy(perch_mutex_t *m)
{
	int r = mutex_check(m);

	if (r)
		return r;
	waitq_lock(&m->queue);
	return object_end(&m->queue, look(m) & BIAS_VALUE);
}

/* ---- the word and the queue ---- */

/* From *word to next; if it is not, *word is what it is now. */
static inline bool change(perch_mutex_t *m, uint32_t *word, uint32_t next)
{
	inject();
	if (__builtin_expect(bias_cas(word_of(m), *word, next), 1))
		return true;
	*word = look(m);
	return false;
}

/* Under the queue's lock, when nobody else changes the value. */
static void set_value(perch_mutex_t *m, uint32_t value)
{
	uint32_t word = look(m);

	while (!change(m, &word, (word & ~BIAS_VALUE) | value))
		;
}

/* Taken, if it can be had at once. The word is read first: where somebody waits
 * it is not 0, and a CAS that fails costs as much as one that does not. */
static inline bool take(perch_mutex_t *m)
{
	uint32_t word = look(m);

	while (!(word & LOCKED))
		if (change(m, &word, word | LOCKED)) {
			if (!(word & BIAS_LEANS))
				bias_count(word_of(m));
			return true;
		}
	return false;
}

/* The owner may be running now, on another CPU. */
static bool owner_may_run(void)
{
	return !worker_self() || (__atomic_load_n(&sched.seats, __ATOMIC_RELAXED) > 1 &&
				  !__atomic_load_n(&sched.crowded, __ATOMIC_RELAXED));
}

/*
 * Under the queue's lock: the mutex is locked, somebody will see to us. False:
 * it is not. give_up: only clear WOKEN, if we are the one for whom it is set.
 */
static bool announce(perch_mutex_t *m, bool woken, bool give_up)
{
	uint32_t word = look(m), next;

	do {
		if (!(word & LOCKED))
			return false;
		next = woken ? word & ~WOKEN : word;
		if (!give_up)
			next |= WAITERS;
	} while (!change(m, &word, next));
	return true;
}

TURN_INLINE int wait_turn(perch_mutex_t *m, uint64_t deadline, int told, const void **left)
{
	unsigned spins = told == MUTEX_AGAIN && owner_may_run() ? SPINS : 0;
	struct waiter w = {.data = NULL};
	uint64_t since = 0;
	struct wait wait;
	int r;

	while (told != MUTEX_YOURS) {
		uint32_t word = look(m);
		bool woken = told == MUTEX_TRY;

		if (!(word & LOCKED)) {
			if (change(m, &word, (word | LOCKED) & ~(woken ? WOKEN : 0)))
				return 0;
			continue;
		}
		/* not ahead of those who wait already */
		if (spins && !(word & WAITERS)) {
			spins--;
			percpu_relax();
			continue;
		}
		r = object_may_wait(deadline);
		if (r && !woken)
			return r;
		if (!since)
			since = clock_ns();
		else if (woken && clock_ns() - since > PATIENCE_NS)
			w.data = IMPATIENT;
		waitq_lock(&m->queue);
		if (!announce(m, woken, r)) {
			waitq_unlock(&m->queue);
			continue;
		}
		if (r) {
			waitq_unlock(&m->queue);
			return r;
		}
		wait_begin_turn(&wait, deadline);
		w.wait = &wait;
		if (woken)
			waitq_prepend(&m->queue, &w);
		else
			waitq_append(&m->queue, &w);
		told = waitq_sleep_turn(&m->queue, &w, PARK_MUTEX, m, deadline, waitq_unlock_hook, &m->queue, left);
		if (told < 0)
			return told;
	}
	return 0;
}

int mutex_wait(perch_mutex_t *m, uint64_t deadline, int told)
{
	const void *left;

	return wait_turn(m, deadline, told, &left);
}

/* The first that has not timed out. */
static struct waiter *choose(perch_waitq_t *q)
{
	struct waiter *w;

	while ((w = q->first)) {
		waitq_remove(q, w);
		if (w->data == ADOPTED || wait_claim(w->wait, w))
			break;
	}
	return w;
}

bool mutex_wanted(const perch_mutex_t *m)
{
	return (look(m) & BIAS_VALUE) != LOCKED;
}

int mutex_release(perch_mutex_t *m, struct waiter **chosen)
{
	uint32_t word = look(m);
	struct waiter *w;

	*chosen = NULL;
	for (;;) {
		if (!(word & LOCKED))
			return -EPERM;
		if ((word & (WAITERS | WOKEN)) != WAITERS) {
			if (change(m, &word, bias_unlocked(word_of(m), word)))
				return 0;
			continue;
		}
		waitq_lock(&m->queue);
		word = look(m);
		if ((word & BIAS_VALUE) == (LOCKED | WAITERS))
			break;
		waitq_unlock(&m->queue);
	}
	w = choose(&m->queue);
	word = waitq_empty(&m->queue) ? 0 : WAITERS;
	if (w)
		word |= w->data == IMPATIENT ? LOCKED : WOKEN;
	set_value(m, word);
	waitq_unlock(&m->queue);
	*chosen = w;
	return 0;
}

void mutex_wake(struct waiter *chosen)
{
	if (chosen)
		waitq_wake(chosen, chosen->data == IMPATIENT ? MUTEX_YOURS : MUTEX_TRY);
}

void mutex_adopt(perch_mutex_t *m, struct claimed c)
{
	struct waiter *w, *next, *chosen = NULL;
	uint32_t word, after;

	waitq_lock(&m->queue);
	for (w = c.first; w; w = next) {
		next = w->next;
		w->data = ADOPTED;
		waitq_append(&m->queue, w);
	}
	word = look(m);
	do
		after = word | WAITERS | (word & LOCKED ? 0 : WOKEN);
	while (!change(m, &word, after));
	if (!(word & (LOCKED | WOKEN))) {
		/* nobody will see to them: the word was 0, and the queue empty */
		chosen = choose(&m->queue);
		word = look(m);
		while (waitq_empty(&m->queue) && !change(m, &word, word & ~WAITERS))
			; /* it may be locked meanwhile */
	}
	waitq_unlock(&m->queue);
	mutex_wake(chosen);
}

/* ---- owners ---- */

static inline bool owned_by(const perch_mutex_t *m, const struct thread *self)
{
	/* only its owner can have stored `self` there */
	return __atomic_load_n(&m->owner, __ATOMIC_RELAXED) == self;
}

int mutex_check_owner(const perch_mutex_t *m)
{
	if (m->kind == PERCH_MUTEX_PLAIN)
		return look(m) & LOCKED ? 0 : -EPERM;
	return owned_by(m, sched_self()) ? 0 : -EPERM;
}

uint32_t mutex_disown(perch_mutex_t *m)
{
	uint32_t depth = 0;

	if (m->kind != PERCH_MUTEX_PLAIN) {
		depth = m->depth;
		__atomic_store_n(&m->owner, NULL, __ATOMIC_RELAXED);
	}
	return depth;
}

void mutex_own(perch_mutex_t *m, uint32_t depth)
{
	if (m->kind != PERCH_MUTEX_PLAIN) {
		__atomic_store_n(&m->owner, sched_self(), __ATOMIC_RELAXED);
		m->depth = depth;
	}
}

/* ---- the calls ---- */

/* The owner comes again, to one that is not plain: 0, -EDEADLK or -EAGAIN. */
static int lock_again(perch_mutex_t *m)
{
	if (m->kind == PERCH_MUTEX_ERRORCHECK)
		return -EDEADLK;
	if (m->depth == UINT32_MAX)
		return -EAGAIN;
	m->depth++;
	return 0;
}

/* Whatever does not go through at once. */
static __attribute__((noinline)) int lock_slow(perch_mutex_t *m, uint64_t deadline, bool wait)
{
	const void *left = __builtin_return_address(0);
	int r = mutex_check(m);

	if (r)
		return r;
	if (m->kind != PERCH_MUTEX_PLAIN && owned_by(m, sched_self()))
		return lock_again(m);
	if (!take(m))
		r = wait ? wait_turn(m, deadline, MUTEX_AGAIN, &left) : -EBUSY;
	if (!r)
		mutex_own(m, 1);
	return switch_return(left, r);
}

static inline bool plain(const perch_mutex_t *m)
{
	return m && waitq_is(&m->queue, PERCH_MUTEX_MAGIC) && m->kind == PERCH_MUTEX_PLAIN;
}

int perch_mutex_lock(perch_mutex_t *m)
{
	if (__builtin_expect(plain(m) && take(m), 1))
		return 0;
	return lock_slow(m, CLOCK_NEVER, true);
}

int perch_mutex_trylock(perch_mutex_t *m)
{
	if (__builtin_expect(plain(m) && take(m), 1))
		return 0;
	return lock_slow(m, 0, false);
}

int perch_mutex_timedlock(perch_mutex_t *m, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = mutex_check(m) ? -EINVAL : clock_deadline(abstime, &deadline);

	return r ? r : lock_slow(m, deadline, true);
}

static __attribute__((noinline)) int unlock_slow(perch_mutex_t *m)
{
	struct waiter *chosen;
	int r = mutex_check(m);

	if (r)
		return r;
	if (m->kind != PERCH_MUTEX_PLAIN) {
		if (!owned_by(m, sched_self()))
			return -EPERM;
		if (--m->depth)
			return 0;
		mutex_disown(m);
	}
	r = mutex_release(m, &chosen);
	mutex_wake(chosen);
	return r;
}

int perch_mutex_unlock(perch_mutex_t *m)
{
	uint32_t word;

	if (__builtin_expect(plain(m), 1)) {
		word = look(m);
		if (__builtin_expect(word & LOCKED && (word & (WAITERS | WOKEN)) != WAITERS, 1) &&
		    change(m, &word, bias_unlocked(word_of(m), word)))
			return 0;
	}
	return unlock_slow(m);
}
