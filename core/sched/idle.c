/* SPDX-License-Identifier: MIT */
#include "core/sched/idle.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "core/sched/clock.h"
#include "core/sched/handoff.h"
#include "core/sched/look.h"
#include "core/sched/monitor.h"
#include "core/sched/sched.h"
#include "core/sched/sleepers.h"
#include "rseq/inject.h"
#include "rseq/section_lock.h"

#define SPIN_LEAST_NS 20000
#define SPIN_MOST_NS 400000
/* A sleep shorter than this was not worth its wake-up. */
#define SHORT_SLEEP_NS 100000
#define IO_OVERDUE_NS 1000000

/* When a sleeper wakes by itself, for the earliest timer; CLOCK_NEVER: none does. */
static struct {
	uint64_t until;
} idle __attribute__((aligned(64)));

int idle_start(unsigned workers)
{
	idle.until = CLOCK_NEVER;
	return sleepers_start(workers);
}

void idle_stop(void)
{
	sleepers_stop();
}

/* By who has chosen it. */
static void wake(struct worker *w)
{
	if (__atomic_exchange_n(&w->wake, WAKE_CHOSEN, __ATOMIC_SEQ_CST) == WAKE_BY_IO) {
		idle_io->interrupt();
		return;
	}
	syscall(SYS_futex, &w->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void wake_spare(struct worker *w)
{
	uint32_t old = __atomic_load_n(&w->wake, __ATOMIC_SEQ_CST);

	while ((old == WAKE_NO || old == WAKE_BY_IO) &&
	       !__atomic_compare_exchange_n(&w->wake, &old, WAKE_SPARE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	if (old == WAKE_BY_IO) {
		idle_io->interrupt();
		return;
	}
	syscall(SYS_futex, &w->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* A worker that is awake comes by here, or looks, before long; if not, the monitor does
 * it: to wake another for the watch whenever one leaves it to run what has come would
 * cost a wake-up for each event. */
static bool needs_watch(void)
{
	return !__atomic_load_n(&idle_io_monitored, __ATOMIC_RELAXED) && idle_io_unwatched();
}

/* What anybody may take or has to see to, wherever he is. */
static bool anything_for_all(void)
{
	struct processor_set *set = sched_set();

	if (timers_earliest() < __atomic_load_n(&idle.until, __ATOMIC_SEQ_CST) || needs_watch() || !spill_empty())
		return true;
	for (unsigned i = 0; i < set->count; i++)
		if (processor_retired(set->processor[i]) && processor_has_work(set->processor[i]))
			return true;
	return false;
}

/*
 * True: one of that domain searches, or has been woken; false: none of it sleeps. *counted
 * is set if the caller counted as a searcher meanwhile, and does so no more: then somebody may
 * have relied on it for something else.
 */
static bool notify(unsigned domain, bool *counted)
{
	struct domain *d = &sleepers.domain[domain];
	struct worker *self, *w;
	uint32_t none = 0;

	inject();
	while (__atomic_load_n(&d->sleeping, __ATOMIC_SEQ_CST)) {
		/* rule A; and of several that notify at once, one is enough */
		none = 0;
		if (!__atomic_compare_exchange_n(&d->searching, &none, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
		w = sleepers_take_one(domain);
		if (w && domain_of(w) != d) { /* it has moved, and counts where it is at home now */
			__atomic_add_fetch(&domain_of(w)->searching, 1, __ATOMIC_SEQ_CST);
			wake(w);
		} else if (w) {
			self = worker_self();
			if (self)
				stat_add(&self->stats.wakes, 1);
			wake(w);
			return true;
		}
		/*
		 * All who sleep have been chosen already. But one that went to sleep
		 * while we counted as a searcher relied on us: it set its bit before
		 * it read the count, so having lowered that we look for bits again.
		 */
		__atomic_sub_fetch(&d->searching, 1, __ATOMIC_SEQ_CST);
		*counted = true;
		if (!sleepers_any(domain))
			return false;
	}
	return false;
}

static void notify_all_apart(void)
{
	unsigned first = sleepers_domain_here(), i;
	bool counted;

	do {
		/* whoever searches, in whichever domain, looks for it before he sleeps */
		if (sleepers_any_searches())
			return;
		counted = false;
		for (i = 0; i < sleepers.domains; i++)
			if (notify((first + i) % sleepers.domains, &counted))
				return;
		/* as in notify(), of all domains: one that was looked at before may sleep by now */
		for (i = 0; counted && i < sleepers.domains && !sleepers_any(i); i++)
			;
	} while (counted && i < sleepers.domains);
}

void idle_notify(void)
{
	bool counted;

	if (__builtin_expect(!sleepers_apart(), 1))
		notify(0, &counted);
	else
		notify_all_apart();
}

/* For what one domain may take. Who relied on us meanwhile, for what is for all, is not let down. */
static void notify_one(unsigned domain)
{
	bool counted = false;

	if (!notify(domain, &counted) && counted && sleepers_apart() && anything_for_all())
		idle_notify();
}

void idle_notify_at(struct processor *p)
{
	/* others would leave it to them for a while (POLICY_TAKE) */
	if (sleepers.rows > 1 && !sleepers_apart() && idle_wake_holder(p))
		return;
	if (!sleepers_apart() || processor_retired(p))
		idle_notify();
	else
		notify_one(p->domain);
}

/*
 * Where domains are apart, a domain that sleeps as a whole relies on the requests at its
 * CPUs. A pthread that is not pinned may have taken that of one CPU and pushed on another:
 * so whoever has lost his, or got something, is told.
 */
static void answer_apart(void)
{
	struct processor_set *set = sched_set();
	struct worker *self = worker_self();

	if (self && percpu_cpu() == self->home->cpu) {
		notify_one(self->home->domain);
		return;
	}
	for (unsigned i = 0; i < set->count; i++) {
		struct processor *p = set->processor[i];

		if (!processor_retired(p) &&
		    (processor_has_work(p) || !__atomic_load_n(&processor_area(p)->request, __ATOMIC_SEQ_CST)))
			notify_one(p->domain);
	}
}

void idle_answer(void)
{
	/* the push, which a section has done, before whether anybody searches (look.h) */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__builtin_expect(!sleepers_apart(), 1))
		idle_notify();
	else
		answer_apart();
}

bool idle_asleep_one(unsigned worker)
{
	return sleepers_has(&sched.workers[worker]);
}

bool idle_wake(struct worker *w)
{
	struct worker *self;

	inject();
	if (!idle_asleep_one(w->index) || !sleepers_choose(w))
		return false; /* awake, or chosen by another: it will look */
	inject();
	self = worker_self();
	if (self)
		stat_add(&self->stats.wakes, 1);
	wake(w);
	return true;
}

bool idle_wake_holder(struct processor *p)
{
	for (unsigned i = 0; i < p->seats; i++) {
		struct worker *w = seat_holder(p, i);

		if (w && idle_wake(w))
			return true;
	}
	return false;
}

void idle_timer(uint64_t when)
{
	if (when < __atomic_load_n(&idle.until, __ATOMIC_SEQ_CST))
		idle_notify();
}

/* No longer this one's watch. Whoever watches for an earlier time goes on. */
static void end_watch(uint64_t until)
{
	__atomic_compare_exchange_n(&idle.until, &until, CLOCK_NEVER, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void idle_wake_all(void)
{
	for (unsigned i = 0; i < sched_workers(); i++) {
		sleepers_choose(&sched.workers[i]);
		wake(&sched.workers[i]);
	}
}

void (*idle_asleep)(void);

/*
 * Of several that go to sleep, or rest, at once, the last sees the others: they
 * count themselves by sequentially consistent instructions before they look. One
 * who has been chosen to wake counts as searching, and will come by here again.
 */
void idle_tell(void)
{
	void (*tell)(void) = __atomic_load_n(&idle_asleep, __ATOMIC_ACQUIRE);
	unsigned seats = __atomic_load_n(&sched.seats, __ATOMIC_RELAXED);

	if (tell && seats && sleepers_count() == seats && !sleepers_any_searches())
		tell();
}

bool idle_all_asleep(void)
{
	struct processor_set *set = sched_set();

	if (sleepers_any_searches() || sleepers_count() != __atomic_load_n(&sched.seats, __ATOMIC_SEQ_CST))
		return false;
	for (unsigned i = 0; i < set->count; i++) {
		struct processor *p = set->processor[i];

		for (unsigned n = 0; n < p->seats; n++) {
			struct worker *w = seat_holder(p, n);

			if (w && !idle_asleep_one(w->index))
				return false;
		}
	}
	return true;
}

bool idle_search_begin(struct worker *w)
{
	struct domain *d = domain_of(w);
	uint32_t searching = __atomic_load_n(&d->searching, __ATOMIC_RELAXED);
	uint32_t busy = __atomic_load_n(&d->seats, __ATOMIC_RELAXED) - __atomic_load_n(&d->sleeping, __ATOMIC_RELAXED);

	/* `busy` counts the searchers, and the caller */
	if (busy > searching)
		busy -= searching;
	if (2 * searching >= busy && searching)
		return false;
	__atomic_add_fetch(&d->searching, 1, __ATOMIC_SEQ_CST);
	return true;
}

/* What its worker found, or was woken for, is left to others: of its domain, if one of them
 * sleeps; else, what is for all, to all. */
static void pass_on(unsigned domain)
{
	bool counted;

	if (!notify(domain, &counted) && sleepers_apart() && anything_for_all())
		idle_notify();
}

/*
 * Keep watch over the timers, if none who sleeps does so for as early a time:
 * the time until which this one is to sleep, or CLOCK_NEVER. One that is armed
 * between the two looks is earlier than what its arm() finds in `until`, so that
 * notifies; and this worker's bit is in the mask already. So nothing is read a
 * second time (tests/model/timers.pml).
 */
static uint64_t keep_watch(void)
{
	uint64_t earliest = timers_earliest(), until = __atomic_load_n(&idle.until, __ATOMIC_SEQ_CST);

	do {
		if (earliest >= until)
			return CLOCK_NEVER;
		inject();
	} while (
		!__atomic_compare_exchange_n(&idle.until, &until, earliest, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	return earliest;
}

/* ---- I/O ---- */

const struct idle_io *idle_io;
uint32_t idle_io_waiters __attribute__((aligned(64))), idle_io_watched;
bool idle_io_monitored;

void idle_io_begin(void)
{
	__atomic_add_fetch(&idle_io_waiters, 1, __ATOMIC_SEQ_CST);
	inject();
	if (!__atomic_load_n(&idle_io_watched, __ATOMIC_SEQ_CST) &&
	    !(__atomic_load_n(&idle_io_monitored, __ATOMIC_RELAXED) && worker_self()))
		idle_notify();
}

void idle_io_check(uint64_t now)
{
	if (!idle_io_unwatched() || !idle_io->overdue(now, IO_OVERDUE_NS))
		return;
	idle_io->look(now, IO_OVERDUE_NS);
	idle_notify(); /* a sleeper, if there is one, keeps watch from now on */
}

static bool keep_io_watch(void)
{
	return __atomic_load_n(&idle_io_waiters, __ATOMIC_SEQ_CST) &&
	       !__atomic_exchange_n(&idle_io_watched, 1, __ATOMIC_SEQ_CST);
}

/* It was chosen; or it is a spare, and was told something. */
static bool is_woken(struct worker *w)
{
	uint32_t told = WAKE_SPARE;

	if (__atomic_load_n(&w->wake, __ATOMIC_SEQ_CST) == WAKE_CHOSEN)
		return true;
	/* taken first: who dismisses it in this moment tells it again if need be */
	return __atomic_compare_exchange_n(&w->wake, &told, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&w->dismissed, __ATOMIC_SEQ_CST);
}

/* A timer that is due is as good as being chosen by somebody. */
static void sleep_on_futex(struct worker *w, uint64_t *until)
{
	while (!is_woken(w)) {
		struct timespec at = clock_timespec(*until);

		errno = 0;
		if (syscall(SYS_futex, &w->wake, FUTEX_WAIT_BITSET_PRIVATE, WAKE_NO, *until == CLOCK_NEVER ? NULL : &at,
			    NULL, FUTEX_BITSET_MATCH_ANY) &&
		    errno == ETIMEDOUT && sleepers_choose(w)) /* itself */
			break;
		/* timed out, but chosen meanwhile: the wake is on the way, or, when
		 * dismissed, may never come: then somebody else sees to the timers */
		if (errno == ETIMEDOUT && __atomic_load_n(&w->dismissed, __ATOMIC_ACQUIRE) && *until != CLOCK_NEVER) {
			end_watch(*until);
			*until = CLOCK_NEVER;
			idle_notify();
		}
	}
}

/* So is I/O that can go on: true when there is, or the time has come, and nobody has
 * chosen it before. */
static bool sleep_in_io(struct worker *w, uint64_t until)
{
	uint32_t wake = WAKE_NO;

	while (__atomic_compare_exchange_n(&w->wake, &wake, WAKE_BY_IO, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		bool something;

		inject();
		something = idle_io->sleep(until);
		wake = WAKE_BY_IO;
		__atomic_compare_exchange_n(&w->wake, &wake, WAKE_NO, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
		if (something)
			return sleepers_choose(w);
		wake = WAKE_NO;
	}
	return false;
}

/* Until its wake. */
static void sleep_until_woken(struct worker *w)
{
	uint64_t until = keep_watch();
	bool io = keep_io_watch(), chosen = false;

	urcu_qsbr_thread_offline();
	if (io) {
		chosen = sleep_in_io(w, until);
		/* If not, it has been chosen, and its wake is on the way; or was dismissed,
		 * and it may never come: what was found does not wait for that. */
		urcu_qsbr_thread_online();
		idle_io->deliver();
		__atomic_store_n(&idle_io_watched, 0, __ATOMIC_SEQ_CST);
		if (!chosen) {
			pass_on(w->home->domain);
			idle_notify();
		}
		urcu_qsbr_thread_offline();
	}
	if (!chosen)
		sleep_on_futex(w, &until);
	if (until != CLOCK_NEVER)
		end_watch(until);
	urcu_qsbr_thread_online();
}

/*
 * Rule B. When all others sleep, a last look is made instead of waking one of
 * them: mostly there is nothing, and what was found need not wait for an
 * interrupt on another CPU. Somebody is woken all the same when a timer is armed
 * for which no sleeper keeps watch, or when none does for I/O.
 */
void idle_search_end(struct worker *w, bool found)
{
	struct domain *d = domain_of(w);
	uint32_t sleeping;

	if (__atomic_sub_fetch(&d->searching, 1, __ATOMIC_SEQ_CST) != 0 || !found)
		return;
	sleeping = __atomic_load_n(&d->sleeping, __ATOMIC_SEQ_CST);
	if (sleeping && sleeping == __atomic_load_n(&d->seats, __ATOMIC_SEQ_CST) - 1 && !look_last(w) &&
	    timers_earliest() >= __atomic_load_n(&idle.until, __ATOMIC_SEQ_CST) && !needs_watch())
		return;
	pass_on(w->home->domain);
}

bool idle_sleep(struct worker *w, bool searching)
{
	struct domain *d = domain_of(w);
	uint64_t since, now;
	bool last, stay, dismissed;

	__atomic_store_n(&w->wake, WAKE_NO, __ATOMIC_RELAXED);
	__atomic_add_fetch(&d->sleeping, 1, __ATOMIC_SEQ_CST);
	sleepers_enter(w);
	inject();
	if (searching)
		last = __atomic_sub_fetch(&d->searching, 1, __ATOMIC_SEQ_CST) == 0;
	else
		last = __atomic_load_n(&d->searching, __ATOMIC_SEQ_CST) == 0;
	/* not the last: the one that still searches will look, but for what was aimed here: rule E */
	stay = (last && look_last(w)) || __atomic_load_n(&sched.quitting, __ATOMIC_SEQ_CST) || worker_called(w) ||
	       !processor_inbox_empty(w->home);
	if (stay && sleepers_choose(w)) {
		__atomic_sub_fetch(&d->sleeping, 1, __ATOMIC_SEQ_CST);
		return true;
	}
	/* Else somebody has chosen us meanwhile, and its wake is on the way; or has
	 * dismissed us, and does not look for what was seen here. */
	if (stay)
		pass_on(w->home->domain);
	worker_give_back(w);
	since = clock_ns();
	stat_add(&w->stats.sleeps, 1);
	idle_tell();
	sleep_until_woken(w);
	dismissed = __atomic_exchange_n(&w->dismissed, 0, __ATOMIC_SEQ_CST);
	if (!dismissed)
		__atomic_sub_fetch(&d->sleeping, 1, __ATOMIC_SEQ_CST);
	now = clock_ns();
	w->now_ms = sched_age_ms(now);
	if (now - since < SHORT_SLEEP_NS)
		w->spin_ns = w->spin_ns * 2 < SPIN_MOST_NS ? w->spin_ns * 2 : SPIN_MOST_NS;
	else
		w->spin_ns = w->spin_ns / 2 > SPIN_LEAST_NS ? w->spin_ns / 2 : SPIN_LEAST_NS;
	monitor_active();
	/* a spare is on duty again; or it is to end, or something is pinned to it (if it is
	 * called to duty just now, search() finds it) */
	return !dismissed || worker_was_counted(w);
}

/*
 * The bit is what says who deals with a sleeper. If it was handed off from in the
 * same moment, and perhaps has another seat by now, it has to notice: it is woken, as
 * a searcher, which passes that on.
 */
bool idle_dismiss(struct worker *w, uint32_t seat)
{
	uint32_t holds = duty_word(DUTY_HOLDS, seat);

	if (!idle_asleep_one(w->index) || !sleepers_take(w))
		return false;
	inject();
	if (!__atomic_compare_exchange_n(&w->duty, &holds, DUTY_SPARE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		__atomic_add_fetch(&domain_of(w)->searching, 1, __ATOMIC_SEQ_CST);
		wake(w);
		return false;
	}
	__atomic_sub_fetch(&domain_of(w)->sleeping, 1, __ATOMIC_SEQ_CST);
	inject();
	/* what it was told before, for a thread that is pinned to it, it did not take for
	 * its own: the caller looks for such threads now */
	__atomic_store_n(&w->dismissed, 1, __ATOMIC_SEQ_CST);
	return true;
}

void idle_call_to_duty(struct worker *w, uint32_t seat)
{
	__atomic_add_fetch(&domain_of(w)->searching, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&w->counted, 1, __ATOMIC_SEQ_CST);
	inject();
	__atomic_store_n(&w->duty, duty_word(DUTY_HOLDS, seat), __ATOMIC_SEQ_CST);
	wake_spare(w);
}

void idle_rouse(struct worker *w)
{
	wake_spare(w);
}
