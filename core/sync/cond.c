/* SPDX-License-Identifier: MIT */
/*
 * cond.c - those who wait for a word from another, and then for a mutex.
 *
 *	          wait   signal
 *	wait       L       L     L: the condition's lock, and that of the mutex's
 *	signal     L       L        queue inside of it (wait), or after it (signal)
 *
 * A waiter is in the queue before it lets go of the mutex, and the lock of the
 * queue is let go of only when its stack has been left: no signal that comes
 * after the mutex was unlocked can miss it, and none finds it awake.
 *
 * Who was signalled wants the mutex next. One thread is made ready: it runs when
 * the caller lets go of the CPU, which mostly has unlocked by then. A pthread
 * outside would run at once, and of many only one can have the mutex: these go
 * from this queue into the mutex's, asleep; each unlock wakes the next.
 *
 * A time-out and a signal both claim (waitq.h): a waiter that was signalled does
 * not time out, however long it then waits for the mutex; one that timed out
 * has not used up a signal.
 *
 * The heir. When a thread signals and then waits itself, the one it signalled is
 * mostly what its worker runs next, and would take the mutex that the first has
 * just unlocked. Then it gets it as it is, locked, without an atomic instruction.
 * signal leaves a note in the (plain) mutex: whom it has made ready. The hook of
 * wait runs on the stack of the next thread; if that is the heir, it has not gone
 * on anywhere since it was signalled, and does not before the hook is over. The
 * note points into the heir's frame, which is there as long as the note: it takes
 * it away itself, before it returns, when it has the mutex. Only when nobody waits
 * for the mutex: two who pass it to and fro must not keep off the others.
 *
 * Ordering: as the mutex's. Progress: as waitq.h's; signal and broadcast do not
 * take the lock when nobody waits.
 */
#include "core/sched/waitq_turn.h"
#include "core/sync/mutex.h"

#include "rseq/inject.h"

static int check(const perch_cond_t *c)
{
	return c && waitq_is(&c->queue, PERCH_COND_MAGIC) ? 0 : -EINVAL;
}

int perch_cond_init(perch_cond_t *c, const void *nothing)
{
	if (!c || nothing)
		return -EINVAL;
	*c = (perch_cond_t)PERCH_COND_INIT;
	return 0;
}

int perch_cond_destroy(perch_cond_t *c)
{
	int r = check(c);

	if (r)
		return r;
	waitq_lock(&c->queue);
	return object_end(&c->queue, false);
}

/* ---- the heir: struct wait, or NULL ---- */

static void name_heir(perch_mutex_t *m, struct wait *wait)
{
	if (m->kind == PERCH_MUTEX_PLAIN)
		__atomic_store_n(&m->owner, wait, __ATOMIC_RELEASE);
}

/* By the heir, which has the mutex now. Another's note that comes between the two
 * may be lost: it then locks as everybody does. */
static void forget_heir(perch_mutex_t *m, struct wait *wait)
{
	if (m->kind == PERCH_MUTEX_PLAIN && __atomic_load_n(&m->owner, __ATOMIC_RELAXED) == wait)
		__atomic_store_n(&m->owner, NULL, __ATOMIC_RELAXED);
}

/* The mutex is the caller's to leave. True: the heir, which goes on here, has it. */
static bool bequeath(perch_mutex_t *m)
{
	struct worker *worker = worker_self();
	struct wait *heir;

	if (m->kind != PERCH_MUTEX_PLAIN || !worker)
		return false;
	heir = __atomic_load_n(&m->owner, __ATOMIC_ACQUIRE);
	if (!heir || heir->thread != worker->current || heir->result != MUTEX_AGAIN || mutex_wanted(m))
		return false;
	heir->result = MUTEX_YOURS;
	return true;
}

struct letting_go {
	perch_cond_t *cond;
	perch_mutex_t *mutex;
};

/* The stack has been left. Its frame, `arg` included, stays until the queue's
 * lock is let go of: even one that times out at once must take it first. */
static void let_go(void *arg)
{
	struct letting_go *l = arg;
	perch_cond_t *c = l->cond;
	struct waiter *chosen = NULL;

	if (!bequeath(l->mutex))
		mutex_release(l->mutex, &chosen);
	waitq_unlock(&c->queue);
	mutex_wake(chosen);
}

static int wait_until(perch_cond_t *c, perch_mutex_t *m, uint64_t deadline)
{
	struct letting_go l = {c, m};
	struct waiter w = {.data = m};
	struct wait wait;
	uint32_t depth;
	const void *left;
	int r = mutex_check_owner(m);

	if (r)
		return r;
	/* a time that has passed is waited for all the same: the mutex is to be free in between */
	if (sched_check() == -EPERM)
		return -EPERM;
	depth = mutex_disown(m);
	wait_begin_turn(&wait, deadline);
	w.wait = &wait;
	waitq_lock(&c->queue);
	waitq_append(&c->queue, &w);
	r = waitq_sleep_turn(&c->queue, &w, PARK_COND, c, deadline, let_go, &l, &left);
	if (r != MUTEX_YOURS) {
		wait.result = MUTEX_YOURS; /* no longer to be given it so */
		mutex_wait(m, CLOCK_NEVER, r == MUTEX_TRY ? MUTEX_TRY : MUTEX_AGAIN);
	}
	forget_heir(m, &wait);
	mutex_own(m, depth);
	return switch_return(left, r < 0 ? r : 0);
}

int perch_cond_wait(perch_cond_t *c, perch_mutex_t *m)
{
	return check(c) || mutex_check(m) ? -EINVAL : wait_until(c, m, CLOCK_NEVER);
}

int perch_cond_timedwait(perch_cond_t *c, perch_mutex_t *m, const struct timespec *abstime)
{
	uint64_t deadline;

	if (check(c) || mutex_check(m) || clock_deadline(abstime, &deadline))
		return -EINVAL;
	return wait_until(c, m, deadline);
}

/* The first, and those behind it who wait with the same mutex, go to that. */
static void move_run(struct claimed *all)
{
	struct claimed run = {NULL, NULL};
	perch_mutex_t *m = all->first->data;

	while (all->first && all->first->data == m) {
		struct waiter *w = all->first;

		all->first = w->next;
		claimed_add(&run, w);
	}
	mutex_adopt(m, run);
}

int perch_cond_signal(perch_cond_t *c)
{
	struct waiter *w;
	int r = check(c);

	if (r || waitq_seems_empty(&c->queue))
		return r;
	waitq_lock(&c->queue);
	w = waitq_claim(&c->queue);
	waitq_unlock(&c->queue);
	inject();
	if (!w)
		return 0;
	if (w->wait->thread->flags & THREAD_FOREIGN) {
		w->next = NULL;
		mutex_adopt(w->data, (struct claimed){w, w});
	} else {
		name_heir(w->data, w->wait);
		waitq_wake(w, MUTEX_AGAIN);
	}
	return 0;
}

int perch_cond_broadcast(perch_cond_t *c)
{
	struct claimed all = {NULL, NULL};
	struct waiter *w;
	int r = check(c);

	if (r || waitq_seems_empty(&c->queue))
		return r;
	waitq_lock(&c->queue);
	while ((w = waitq_claim(&c->queue)))
		claimed_add(&all, w);
	waitq_unlock(&c->queue);
	inject();
	while (all.first)
		move_run(&all);
	return 0;
}
