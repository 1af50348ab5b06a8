/* SPDX-License-Identifier: MIT */
#include "core/sched/timers.h"

#include <stddef.h>

#include "core/sched/clock.h"
#include "core/sched/idle.h"
#include "core/sched/sched.h"
#include "core/sched/spin.h"
#include "rseq/inject.h"

/* Batches that one call of timers_run() sorts without firing any: then the worker's
 * threads have their turn. */
#define SORTS 8

static bool held;

/* Something was taken out. What was a bound is one still. The later of the two: of
 * one that is earlier than before nobody is told, nor of a timer armed between them. */
static void note_next(struct timers *s)
{
	uint64_t next = wheel_next(&s->wheel);

	if (next > s->next)
		__atomic_store_n(&s->next, next, __ATOMIC_SEQ_CST);
}

/* ---- one timer ---- */

static struct processor *processor_for_timer(struct worker *w)
{
	static uint32_t turn;

	if (w && !processor_retired(w->home))
		return w->home;
	return set_choose(__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED));
}

void timer_arm(struct timer *t, uint64_t when)
{
	struct worker *w = worker_self();
	struct processor *p = processor_for_timer(w);
	struct timers *s = &p->timers;
	bool first;

	t->when = when;
	t->cpu = p->cpu;
	inject();
	bias_lock(&s->lock);
	__atomic_store_n(&t->state, TIMER_ARMED, __ATOMIC_RELAXED);
	wheel_put(&s->wheel, t);
	first = when < s->next;
	if (first)
		__atomic_store_n(&s->next, when, __ATOMIC_SEQ_CST);
	bias_unlock(&s->lock);
	if (!first)
		return;
	if (w)
		w->rounds = 1; /* to take note of it */
	idle_timer(when);
}

bool timer_take(struct timer *t)
{
	struct timers *s;
	bool armed;

	if (__atomic_load_n(&t->state, __ATOMIC_ACQUIRE) == TIMER_IDLE)
		return false;
	s = &area_processor(percpu_of(t->cpu))->timers;
	inject();
	bias_lock(&s->lock);
	armed = __atomic_load_n(&t->state, __ATOMIC_RELAXED) == TIMER_ARMED;
	if (armed) {
		if (wheel_remove(&s->wheel, t) || t->when <= s->next)
			note_next(s);
		__atomic_store_n(&t->state, TIMER_IDLE, __ATOMIC_RELAXED);
	}
	bias_unlock(&s->lock);
	return armed;
}

bool timer_cancel(struct timer *t)
{
	unsigned spins = 0;

	if (timer_take(t))
		return true;
	while (__atomic_load_n(&t->state, __ATOMIC_ACQUIRE) != TIMER_IDLE)
		percpu_wait(&spins);
	return false;
}

/* ---- all of a processor ---- */

void timers_start(struct timers *s)
{
	s->lock = (struct bias_lock){0};
	s->firing = 0;
	s->next = CLOCK_NEVER;
	wheel_start(&s->wheel, clock_ns());
}

void timers_stop(struct timers *s)
{
	struct timer *t;

	bias_lock(&s->lock);
	while ((t = wheel_any(&s->wheel))) {
		wheel_remove(&s->wheel, t);
		__atomic_store_n(&t->state, TIMER_IDLE, __ATOMIC_RELEASE);
	}
	note_next(s);
	bias_unlock(&s->lock);
}

/* A cancel may have to wait for all of them. */
static struct timer *take_due(struct timers *s, uint64_t now)
{
	struct timer *due = NULL;

	bias_lock(&s->lock);
	if (!__atomic_load_n(&held, __ATOMIC_RELAXED)) {
		due = wheel_take(&s->wheel, now);
		for (struct timer *t = due; t; t = t->next)
			__atomic_store_n(&t->state, TIMER_FIRING, __ATOMIC_RELAXED);
		note_next(s);
	}
	if (due)
		__atomic_add_fetch(&s->firing, 1, __ATOMIC_RELAXED);
	bias_unlock(&s->lock);
	return due;
}

/* Of several that are due, the latest is fired first: who is woken first is at
 * the bottom of the ring, and runs last. */
bool timers_run(struct timers *s, uint64_t now)
{
	bool fired = false;

	for (unsigned sorts = 0; timers_next(s) <= now && sorts < SORTS;) {
		struct timer *due, *t;

		inject();
		due = take_due(s, now);
		if (!due) {
			if (__atomic_load_n(&held, __ATOMIC_RELAXED))
				break;
			sorts++;
			continue;
		}
		while ((t = due)) {
			due = t->next;
			inject();
			t->fire(t);
		}
		__atomic_sub_fetch(&s->firing, 1, __ATOMIC_RELEASE);
		fired = true;
	}
	return fired;
}

bool timers_run_all(uint64_t now)
{
	struct processor_set *set = sched_set();
	bool fired = false;

	for (unsigned i = 0; i < set->count; i++)
		fired |= timers_run(&set->processor[i]->timers, now);
	return fired;
}

void timers_run_retired(uint64_t now)
{
	struct processor_set *set = sched_set();

	for (unsigned i = 0; i < set->count; i++)
		if (processor_retired(set->processor[i]))
			timers_run(&set->processor[i]->timers, now);
}

void timers_hold(bool hold)
{
	struct processor_set *set = sched_set();

	__atomic_store_n(&held, hold, __ATOMIC_RELAXED);
	for (unsigned i = 0; hold && i < set->count; i++) {
		struct timers *s = &set->processor[i]->timers;
		unsigned spins = 0;

		/* who takes the lock after this sees `held` */
		bias_lock(&s->lock);
		bias_unlock(&s->lock);
		while (__atomic_load_n(&s->firing, __ATOMIC_ACQUIRE))
			percpu_wait(&spins);
	}
}

uint64_t timers_earliest(void)
{
	struct processor_set *set = sched_set();
	uint64_t earliest = CLOCK_NEVER;

	for (unsigned i = 0; i < set->count; i++) {
		uint64_t next = timers_next(&set->processor[i]->timers);

		if (next < earliest)
			earliest = next;
	}
	return earliest;
}
