/* SPDX-License-Identifier: MIT */
/*
 * event.c - what happens once, and those who wait for it.
 *
 *	         wait   set
 *	wait      L      L     (L: the queue's lock; wait and is_set do not take
 *	set       L      L      it when the event is set)
 *
 * `set` is stored under the lock, and everybody in the queue taken off it before
 * the lock is let go of: that is the last that set touches of the event, so
 * whoever has seen it set may destroy it (which takes the lock).
 *
 * Ordering: what was done before set is visible after wait. Progress: waiting
 * for what is set is one load.
 */
#include "core/sched/waitq_turn.h"
#include "core/sync/deferred.h"
#include "core/sync/object.h"

static int check(const perch_event_t *e)
{
	return e && waitq_is(&e->queue, PERCH_EVENT_MAGIC) ? 0 : -EINVAL;
}

int perch_event_init(perch_event_t *e)
{
	if (!e)
		return -EINVAL;
	*e = (perch_event_t)PERCH_EVENT_INIT;
	return 0;
}

int perch_event_destroy(perch_event_t *e)
{
	int r = check(e);

	if (r)
		return r;
	deferred_wait(e);
	waitq_lock_counted(&e->queue);
	return object_end_counted(&e->queue);
}

static inline bool is_set(const perch_event_t *e)
{
	return __atomic_load_n(&e->set, __ATOMIC_ACQUIRE);
}

int perch_event_is_set(perch_event_t *e)
{
	int r = check(e);

	return r ? r : is_set(e);
}

/* The lock is held, and let go of. Was it set before? */
static bool set_and_wake(perch_event_t *e)
{
	bool was = is_set(e);
	struct claimed c;
	struct waiter *w;

	__atomic_store_n(&e->set, 1, __ATOMIC_RELEASE);
	c = claim_all(&e->queue);
	waitq_unlock_counted(&e->queue);
	while ((w = c.first)) {
		c.first = w->next; /* its frame is gone once it is awake */
		waitq_wake_in_handler(w, 0);
	}
	return was;
}

void event_set_anyway(perch_event_t *e)
{
	waitq_lock_counted(&e->queue);
	set_and_wake(e);
}

/*
 * From a signal handler it is set at once, though those who wait may be woken by the monitor
 * (deferred.h). Who comes later sees it, under the lock at the latest.
 */
int perch_event_set(perch_event_t *e)
{
	int r = check(e);

	if (r)
		return r;
	if (is_set(e))
		return -EALREADY;
	if (waitq_lock_in_handler(&e->queue))
		return set_and_wake(e) ? -EALREADY : 0;
	r = deferred_set(e);
	if (r == -EINVAL) { /* the runtime is down: as ever */
		waitq_lock_counted(&e->queue);
		return set_and_wake(e) ? -EALREADY : 0;
	}
	return r;
}

static int wait_until(perch_event_t *e, uint64_t deadline)
{
	struct waiter w;
	struct wait wait;
	const void *left;
	int r = check(e);

	if (r || is_set(e))
		return r;
	r = object_may_wait(deadline);
	if (r)
		return r;
	waitq_lock_counted(&e->queue);
	if (is_set(e)) {
		waitq_unlock_counted(&e->queue);
		return 0;
	}
	r = waitq_wait_counted_turn(&e->queue, &w, &wait, PARK_EVENT, e, deadline, &left);
	return switch_return(left, r);
}

int perch_event_wait(perch_event_t *e)
{
	return wait_until(e, CLOCK_NEVER);
}

int perch_event_timedwait(perch_event_t *e, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : wait_until(e, deadline);
}
