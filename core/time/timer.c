/* SPDX-License-Identifier: MIT */
/*
 * timer.c - perch_timer_*: a timer of the scheduler, whose firing makes a thread.
 *
 *	            start   stop   destroy   fire   a call's end
 *	start         L       L        L       L         L      (L: the object's lock,
 *	stop          L       L        L       L         L       held for a few instructions,
 *	destroy       L       L        X       L         L       outside the wheel's; X: the
 *	fire          L       L        L       L         L       second is -EINVAL)
 *	a call's end  L       L        L       L         -
 *
 * ARMED says whether a call is to come; start and stop change it under the lock. fire()
 * begins outside of it, as TIMER_FIRING: whoever sees that under the lock knows
 * that fire() is still to take it, and will look: without ARMED it was stopped, with
 * AGAIN it was started anew, and arms itself for timer.when, which then is the
 * owner's, since the timer is in no wheel.
 *
 * `on` is set from when a call is to be made until it has ended, so there is one
 * thread at most, and the object cannot be destroyed.
 *
 * Ordering: what happened before perch_timer_start() is visible in the call, and
 * what the call did, after perch_timer_destroy(). Progress: lock-free but for the lock.
 */
#include "core/time/timer.h"

#include <errno.h>
#include <stddef.h>

#include <perch/time.h>

#include "core/sched/clock.h"
#include "core/sched/park.h"
#include "core/sched/sched.h"
#include "core/sched/spin.h"
#include "core/sched/timers.h"
#include "core/sched/turn.h"
#include "core/thread/stack.h"
#include "rseq/inject.h"

#define TIMER_MAGIC 0x7469u

enum {
	ARMED = 1 << 0,
	FIRST = 1 << 1,   /* the next call is the first since it was started */
	AGAIN = 1 << 2,   /* started anew while fire() was on the way */
	PENDING = 1 << 3, /* a first call that waits for the end of the one before */
	DYING = 1 << 4,   /* being destroyed */
};

struct object {
	struct timer timer;
	uint32_t lock; /* these three beside the timer: all that a stop touches */
	uint16_t magic;
	uint16_t flags;
	void (*fn)(void *);
	void *arg;
	uint64_t period; /* 0: none */
	uint64_t overruns;
	struct stack *on;      /* what the call runs on; MAKING; NULL: none */
	struct thread *waiter; /* destroys it */
};

_Static_assert(sizeof(struct object) == sizeof(perch_timer_t), "perch/time.h");
_Static_assert(_Alignof(struct object) <= _Alignof(perch_timer_t), "perch/time.h");

#define MAKING ((struct stack *)1)

static uint64_t calls_begun, calls_ended;
static bool periods_end;

uint64_t timer_calls_begun(void)
{
	return __atomic_load_n(&calls_begun, __ATOMIC_SEQ_CST);
}

uint64_t timer_calls_ended(void)
{
	return __atomic_load_n(&calls_ended, __ATOMIC_SEQ_CST);
}

void timer_periods_end(bool end)
{
	__atomic_store_n(&periods_end, end, __ATOMIC_RELAXED);
}

static struct object *object_of(const perch_timer_t *t)
{
	struct object *o = (struct object *)(uintptr_t)t;

	return o && o->magic == TIMER_MAGIC ? o : NULL;
}

static void unlock(void *arg)
{
	spin_unlock(&((struct object *)arg)->lock);
}

/* Locked; read without. */
static void leave_out(struct object *o, uint64_t calls)
{
	__atomic_store_n(&o->overruns, o->overruns + calls, __ATOMIC_RELAXED);
}

/* ---- calls ---- */

static void make_call(struct object *o);

/* `on` is over. Locked; unlocked on return, and the object may be gone. */
static void call_over(struct object *o)
{
	struct thread *waiter = o->waiter;

	o->on = NULL;
	unlock(o);
	if (waiter)
		wake(waiter);
}

/* In the call's thread, which has nothing else to do any more. */
static void call_ends(void *arg)
{
	struct object *o = arg;
	bool again;

	spin_lock(&o->lock);
	again = o->flags & PENDING;
	if (again) {
		o->flags &= (uint16_t)~PENDING;
		o->on = MAKING;
		unlock(o);
		make_call(o);
	} else {
		call_over(o);
	}
	__atomic_add_fetch(&calls_ended, 1, __ATOMIC_SEQ_CST);
}

static void call(void *arg)
{
	struct object *o = arg;

	o->fn(o->arg);
}

/* With its stack, so that it cannot fail later, unheard by us. */
static struct thread *call_thread(struct object *o)
{
	struct thread *t = thread_new(worker_kept(worker_self()));

	if (!t)
		return NULL;
	t->stack_class = (uint8_t)sched.default_class;
	t->stack = stack_get(t->stack_class);
	if (!t->stack) {
		thread_free(t, worker_kept(worker_self()));
		return NULL;
	}
	t->stack->at_end = call_ends;
	t->stack->at_end_arg = o;
	t->fn = (void *(*)(void *))(uintptr_t)call;
	t->arg = o;
	t->joiner = JOIN_DETACHED;
	thread_set_flag(t, THREAD_PLAIN | THREAD_AT_END);
	return t;
}

/* A worker, in the scheduler or in a thread; `on` is MAKING, and the lock not held. */
static void make_call(struct object *o)
{
	struct thread *t = call_thread(o);

	inject();
	if (!t) {
		spin_lock(&o->lock);
		leave_out(o, o->flags & PENDING ? 2 : 1);
		o->flags &= (uint16_t)~PENDING;
		call_over(o);
		return;
	}
	spin_lock(&o->lock);
	o->on = t->stack;
	unlock(o);
	stat_add(&worker_self()->stats.spawned, 1);
	__atomic_add_fetch(&calls_begun, 1, __ATOMIC_SEQ_CST);
	sched_ready(t);
}

/* ---- firing ---- */

/* It is due; the lock is held. True: a call is to be made. */
static bool due(struct object *o, uint64_t now)
{
	bool make = !o->on;

	if (make)
		o->on = MAKING;
	else if (o->flags & FIRST && !(o->flags & PENDING))
		o->flags |= PENDING;
	else
		leave_out(o, 1);
	o->flags &= (uint16_t)~FIRST;
	if (o->period && !__atomic_load_n(&periods_end, __ATOMIC_RELAXED)) {
		uint64_t behind = now - o->timer.when, missed = behind / o->period;
		uint64_t past = missed * o->period;

		leave_out(o, missed);
		timer_arm(&o->timer, o->period < CLOCK_NEVER - 1 - o->timer.when - past
					     ? o->timer.when + past + o->period
					     : CLOCK_NEVER - 1);
	} else {
		o->flags &= (uint16_t)~ARMED;
		timer_done(&o->timer);
	}
	return make;
}

/* In the scheduler. */
static void fire(struct timer *timer)
{
	struct object *o = (struct object *)((char *)timer - offsetof(struct object, timer));
	uint64_t now = clock_ns();
	bool make = false, again;

	inject();
	spin_lock(&o->lock);
	again = o->flags & AGAIN;
	o->flags &= (uint16_t)~AGAIN;
	if (!(o->flags & ARMED))
		timer_done(timer);
	else if (again)
		timer_arm(timer, timer->when);
	else
		make = due(o, now);
	unlock(o);
	if (make)
		make_call(o);
}

/* ---- the calls of perch/time.h ---- */

int perch_timer_init(perch_timer_t *t, void (*fn)(void *), void *arg)
{
	struct object *o = (struct object *)t;

	if (!t || !fn)
		return -EINVAL;
	*o = (struct object){.fn = fn, .arg = arg, .magic = TIMER_MAGIC};
	timer_init(&o->timer, fire);
	return 0;
}

int perch_timer_start(perch_timer_t *t, uint64_t first_ns, uint64_t period_ns)
{
	struct object *o = object_of(t);
	uint64_t now, when;
	int r;

	if (!o)
		return -EINVAL;
	r = sched_check();
	if (r)
		return r;
	now = clock_ns();
	when = first_ns < CLOCK_NEVER - 1 - now ? now + first_ns : CLOCK_NEVER - 1;
	spin_lock(&o->lock);
	if (o->flags & DYING) {
		unlock(o);
		return -EINVAL;
	}
	o->period = period_ns;
	o->flags |= ARMED | FIRST;
	o->flags &= (uint16_t)~PENDING;
	if (timer_take(&o->timer) || __atomic_load_n(&o->timer.state, __ATOMIC_ACQUIRE) == TIMER_IDLE) {
		timer_arm(&o->timer, when);
	} else {
		o->flags |= AGAIN;
		o->timer.when = when;
	}
	unlock(o);
	return 0;
}

/* The lock is held. Was a call to come? */
static bool disarm(struct object *o)
{
	/* idle, though ARMED: the runtime was stopped meanwhile */
	bool was = o->flags & PENDING ||
		   (o->flags & ARMED && __atomic_load_n(&o->timer.state, __ATOMIC_ACQUIRE) != TIMER_IDLE);

	timer_take(&o->timer);
	o->flags &= (uint16_t) ~(ARMED | PENDING);
	return was;
}

int perch_timer_stop(perch_timer_t *t)
{
	struct object *o = object_of(t);
	int was;

	if (!o)
		return -EINVAL;
	if (sched_check() == -EPERM)
		return -EPERM; /* its wheel is locked for ever, perhaps */
	spin_lock(&o->lock);
	was = disarm(o);
	unlock(o);
	return was;
}

int perch_timer_destroy(perch_timer_t *t)
{
	struct object *o = object_of(t);
	struct worker *w = worker_self();
	unsigned spins = 0;
	bool inside;

	if (!o)
		return -EINVAL;
	if (sched_check() == -EPERM)
		return -EPERM;
	spin_lock(&o->lock);
	/* a thread that runs on the call's stack is one that the call waits for */
	inside = o->on && w && o->on == w->current->stack;
	if (inside || o->flags & DYING) {
		unlock(o);
		return inside ? -EDEADLK : -EINVAL;
	}
	disarm(o);
	o->flags |= DYING;
	/* one that is on the way finds that it is not ARMED */
	while (__atomic_load_n(&o->timer.state, __ATOMIC_ACQUIRE) != TIMER_IDLE) {
		unlock(o);
		percpu_wait(&spins);
		spin_lock(&o->lock);
	}
	if (o->on) {
		o->waiter = sched_self();
		park_with(o->waiter, PARK_TIMER, o, unlock, o);
	} else {
		unlock(o);
	}
	o->magic = 0;
	return 0;
}

uint64_t perch_timer_overruns(const perch_timer_t *t)
{
	struct object *o = object_of(t);

	return o ? __atomic_load_n(&o->overruns, __ATOMIC_RELAXED) : 0;
}
