/* SPDX-License-Identifier: MIT */
#include "core/sched/handoff.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "core/sched/idle.h"
#include "core/sched/monitor.h"
#include "core/sched/sched.h"
#include "core/sched/turn.h"
#include "rseq/inject.h"

/* The spares, those that slept last first: their stacks are still warm. */
static struct {
	pthread_mutex_t lock;
	struct worker *first;
	uint32_t lost; /* workers that run a thread without a seat */
} spares = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct handoff_stats handoff_stats;

void handoff_start(void)
{
	spares.first = NULL;
	spares.lost = 0;
	memset(&handoff_stats, 0, sizeof(handoff_stats));
}

static void count(uint64_t *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

bool handoff_any_lost(void)
{
	return __atomic_load_n(&spares.lost, __ATOMIC_SEQ_CST) != 0;
}

static void lost(struct worker *w, int n)
{
	__atomic_add_fetch(&w->home->lost, (uint32_t)n, __ATOMIC_SEQ_CST);
	if (!__atomic_add_fetch(&spares.lost, (uint32_t)n, __ATOMIC_SEQ_CST))
		idle_tell(); /* it was the last that could have woken somebody */
}

/* It notices that it has lost its seat. */
static void no_longer_lost(struct worker *w, enum worker_duty duty)
{
	uint32_t seat = __atomic_load_n(&w->duty, __ATOMIC_RELAXED) >> DUTY_SEAT_SHIFT, old;

	old = __atomic_exchange_n(&w->duty, duty_word(duty, seat), __ATOMIC_SEQ_CST);
	if ((old & DUTY_KIND) == DUTY_LOST_BUSY)
		__atomic_sub_fetch(&w->home->computing, 1, __ATOMIC_RELAXED);
	lost(w, -1);
}

/* ---- the list ---- */

static void unlink_spare(struct worker *w)
{
	if (w->spare_prev)
		w->spare_prev->spare_next = w->spare_next;
	else
		spares.first = w->spare_next;
	if (w->spare_next)
		w->spare_next->spare_prev = w->spare_prev;
	w->listed = false;
}

/* Unless another has been put there. */
static bool stand_by(struct processor *p, struct worker *w)
{
	struct worker *none = NULL;

	return __atomic_compare_exchange_n(&p->standby, &none, w, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Where it is found when it is needed. */
static void put_by(struct worker *w)
{
	struct processor *p = w->home;

	if (__atomic_load_n(&p->watched, __ATOMIC_RELAXED) && stand_by(p, w))
		return;
	pthread_mutex_lock(&spares.lock);
	w->spare_prev = NULL;
	w->spare_next = spares.first;
	if (spares.first)
		spares.first->spare_prev = w;
	spares.first = w;
	w->listed = true;
	pthread_mutex_unlock(&spares.lock);
}

struct worker *handoff_spare(struct processor *p)
{
	struct worker *w;

	pthread_mutex_lock(&spares.lock);
	for (w = spares.first; w && w->home != p; w = w->spare_next)
		;
	if (w)
		unlink_spare(w);
	pthread_mutex_unlock(&spares.lock);
	/* the lookout's is better than none: what it would take it for may never come */
	return w ? w : __atomic_exchange_n(&p->standby, NULL, __ATOMIC_SEQ_CST);
}

/* It may have been looked for by a pinned thread while it was nowhere. */
void handoff_spare_back(struct worker *spare)
{
	put_by(spare);
	if (__atomic_load_n(&spare->pinned, __ATOMIC_SEQ_CST))
		idle_rouse(spare);
}

/* By itself, to run what is pinned to it. False: somebody calls it to duty. */
static bool leave_spares(struct worker *w)
{
	struct worker *self = w;
	bool left;

	pthread_mutex_lock(&spares.lock);
	left = w->listed;
	if (left)
		unlink_spare(w);
	pthread_mutex_unlock(&spares.lock);
	return left ||
	       __atomic_compare_exchange_n(&w->home->standby, &self, NULL, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

bool handoff_stand_by(struct processor *p)
{
	struct worker *w;

	if (__atomic_load_n(&p->standby, __ATOMIC_ACQUIRE))
		return true;
	w = handoff_spare(p);
	if (w)
		handoff_spare_back(w);
	return w != NULL;
}

/* ---- taking ---- */

/* The seat is the caller's to give, when this is true. */
static bool unseat(struct worker *w, uint32_t seat, enum worker_duty becomes)
{
	uint32_t holds = duty_word(DUTY_HOLDS, seat);

	/* counted first: it may find that it has lost the seat as soon as it has */
	lost(w, 1);
	if (__atomic_compare_exchange_n(&w->duty, &holds, duty_word(becomes, seat), false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		return true;
	lost(w, -1);
	return false;
}

static bool take(struct worker *w, struct worker *spare, bool computing)
{
	struct processor *p = w->home;
	uint32_t duty = __atomic_load_n(&w->duty, __ATOMIC_SEQ_CST), seat = duty >> DUTY_SEAT_SHIFT;

	if ((duty & DUTY_KIND) != DUTY_HOLDS)
		return false;
	inject();
	if (!unseat(w, seat, computing ? DUTY_LOST_BUSY : DUTY_LOST))
		return false;
	if (computing)
		__atomic_add_fetch(&p->computing, 1, __ATOMIC_RELAXED);
	inject();
	__atomic_store_n(&p->seat[seat].holder, spare, __ATOMIC_SEQ_CST);
	inject();
	idle_call_to_duty(spare, seat);
	count(&handoff_stats.taken);
	/* it was found stuck; but if it went to sleep just now, it is to notice */
	idle_wake(w);
	return true;
}

bool handoff_take(struct worker *w, struct worker *spare, bool computing)
{
	if (take(w, spare, computing))
		return true;
	handoff_spare_back(spare);
	return false;
}

static bool take_standby(struct worker *w, struct processor *p)
{
	struct worker *spare = __atomic_exchange_n(&p->standby, NULL, __ATOMIC_SEQ_CST);

	if (!spare)
		return false;
	if (take(w, spare, false))
		return true;
	/* without the list's lock, if nobody has put another there meanwhile */
	if (!stand_by(p, spare))
		handoff_spare_back(spare);
	else if (__atomic_load_n(&spare->pinned, __ATOMIC_SEQ_CST))
		idle_rouse(spare);
	return false;
}

bool handoff_take_standby(struct worker *w)
{
	struct processor *p = __atomic_load_n(&w->home, __ATOMIC_SEQ_CST);
	bool taken;

	__atomic_add_fetch(&p->taking, 1, __ATOMIC_SEQ_CST);
	taken = __atomic_load_n(&w->home, __ATOMIC_SEQ_CST) == p && take_standby(w, p);
	__atomic_sub_fetch(&p->taking, 1, __ATOMIC_SEQ_CST);
	return taken;
}

/* ---- processors that are put out of use ---- */

bool handoff_empty_seat(struct processor *p, unsigned seat, struct worker **was)
{
	struct worker *w = *was = seat_holder(p, seat);

	if (!w)
		return true;
	inject();
	if (idle_dismiss(w, seat)) {
		__atomic_store_n(&p->seat[seat].holder, NULL, __ATOMIC_SEQ_CST);
		handoff_spare_back(w);
		return true;
	}
	if (!unseat(w, seat, DUTY_LOST))
		return false;
	inject();
	__atomic_store_n(&p->seat[seat].holder, NULL, __ATOMIC_SEQ_CST);
	idle_wake(w); /* if it went to sleep just now */
	return true;
}

void handoff_no_standby(struct processor *p)
{
	struct worker *spare = __atomic_exchange_n(&p->standby, NULL, __ATOMIC_SEQ_CST);

	if (spare)
		handoff_spare_back(spare);
}

/*
 * Whoever takes a seat reads who holds it, then that one's duty word: which in
 * between must not become the word of a seat elsewhere. They are counted
 * (`taking`) before they read; one who is counted later finds the seat empty.
 */
struct worker *handoff_move_spare(struct processor *from, struct processor *to)
{
	struct worker *w;

	if (__atomic_load_n(&from->taking, __ATOMIC_SEQ_CST))
		return NULL;
	w = handoff_spare(from);
	if (w)
		__atomic_store_n(&w->home, to, __ATOMIC_SEQ_CST);
	return w;
}

/* ---- returning ---- */

/*
 * Take the seat back from who holds it, if that one has nothing to run: it
 * sleeps, or searches. One that searches sees it in its next turn; a thread that
 * it finds at this moment it runs without a seat.
 */
static bool regain_from(struct worker *w, struct processor *p)
{
	uint32_t seat = __atomic_load_n(&w->duty, __ATOMIC_RELAXED) >> DUTY_SEAT_SHIFT;
	struct worker *holder = seat_holder(p, seat);

	inject();
	if (!holder)
		return false;
	if (idle_dismiss(holder, seat)) {
		handoff_spare_back(holder);
	} else if (!idle_asleep_one(holder->index) && worker_current(holder) == &holder->base) {
		if (!unseat(holder, seat, DUTY_LOST))
			return false;
		idle_wake(holder);
	} else {
		return false;
	}
	inject();
	__atomic_store_n(&p->seat[seat].holder, w, __ATOMIC_SEQ_CST);
	no_longer_lost(w, DUTY_HOLDS);
	/* instead of one that slept, and had let the monitor sleep, there is one now that is awake */
	monitor_active();
	count(&handoff_stats.regained);
	return true;
}

static bool regain(struct worker *w)
{
	struct processor *p = w->home;
	bool regained;

	__atomic_add_fetch(&p->taking, 1, __ATOMIC_SEQ_CST);
	inject();
	regained = regain_from(w, p);
	__atomic_sub_fetch(&p->taking, 1, __ATOMIC_SEQ_CST);
	return regained;
}

static void sleep_among_spares(struct worker *w)
{
	urcu_qsbr_thread_offline();
	while (!__atomic_exchange_n(&w->wake, 0, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &w->wake, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	urcu_qsbr_thread_online();
}

struct thread *handoff_return(struct worker *w, bool *searching)
{
	for (;;) {
		struct thread *t;

		inject();
		switch (worker_duty(w)) {
		case DUTY_HOLDS:
			*searching |= worker_was_counted(w);
			return NULL;
		case DUTY_LOST:
		case DUTY_LOST_BUSY:
			if (*searching | worker_was_counted(w)) /* called, and lost it again at once */
				idle_search_end(w, true);
			*searching = false;
			t = sched_next_pinned(w);
			if (t)
				return t;
			__atomic_store_n(&w->wake, 0, __ATOMIC_SEQ_CST);
			no_longer_lost(w, DUTY_SPARE);
			put_by(w);
			worker_give_back(w);
			break;
		default:
			if (worker_has_pinned(w) && leave_spares(w)) {
				lost(w, 1);
				__atomic_store_n(&w->duty, duty_word(DUTY_LOST, 0), __ATOMIC_SEQ_CST);
				break;
			}
			if (sched_ends())
				return NULL;
			sleep_among_spares(w);
		}
	}
}

void handoff_wake_spare(struct worker *w)
{
	if (worker_duty(w) == DUTY_SPARE)
		idle_rouse(w);
}

/* ---- a thread that goes on ---- */

/* Hook: its stack has been left. */
static void queue_returned(void *arg)
{
	struct thread *t = arg;
	struct processor *p;

	if (goes_apart(t)) {
		sched_ready(t);
		return;
	}
	/* behind those that wait already, but where any worker finds it */
	p = worker_self()->home;
	if (processor_retired(p))
		p = set_choose(0);
	processor_post(p, t);
	idle_notify_at(p);
}

void handoff_go_on(void)
{
	struct worker *w = worker_self();
	struct thread *t = w->current;
	int saved = errno;

	/* one that is pinned can go on nowhere else */
	if (!regain(w) && !(t->flags & THREAD_PINNED)) {
		count(&handoff_stats.queued);
		switch_to(w, t, &w->base, queue_returned, t);
	}
	sched_set_errno(saved);
}
