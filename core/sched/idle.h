/* SPDX-License-Identifier: MIT */
/*
 * idle.h - sleeping workers, and waking just enough of them.
 *
 * The cost of "does anybody sleep?" is on the sleeper's side: a push looks at one word, the
 * request on its own CPU's line, and has no fence; the last searcher, before it sleeps, looks at
 * every queue once more (look.h).
 *
 * Rules (those of Go's scheduler, with requests in place of its fence)
 *   A. While a worker searches, nobody need be woken: it will look everywhere
 *      before it sleeps.
 *   B. A searcher that finds something, and was the last, wakes another; or, when all
 *      others sleep, looks everywhere once more, as one does before it sleeps, and
 *      wakes another only if there is more.
 *   C. Whoever takes a request off a CPU's line publishes and calls
 *      idle_notify(). A request that is not answered stays. A wake may leave one while
 *      somebody searches (rule A), if that is so behind its push as well.
 *   D. Whoever posts to an inbox or an overflow queue (they have a full fence)
 *      calls idle_notify_at() or idle_notify() afterwards.
 *   E. A worker that has set its bit looks at its home's inbox: who posts there to
 *      aim at that processor looks at the bit afterwards (aim.h).
 *
 * Who may not take everything (numa/policy.h) must not be relied on for everything. So
 * workers are of domains, and the rules hold within each: "a worker" is one of that domain,
 * the last searcher is the last of its domain, and leaves requests at its CPUs and looks at
 * those. Within a domain everybody may take everything, now or after a while.
 *
 *	policy              domains
 *	near-first, flat    one
 *	node-only           each node
 *	none                each processor
 *
 *	what lies, or is due,                may be taken by         tell by
 *	at a CPU in use: ring, fair queue    its domain              idle_answer() (rule C)
 *	at a CPU in use: inbox               its domain              idle_notify_at() (D)
 *	in overflow queues; at CPUs out      all: a searcher of any  idle_notify() (D)
 *	of use; timers, I/O                  domain looks there
 *	pinned                               its worker              idle_wake()
 *
 * A searcher that finds something, or loses its seat, passes on what it was woken for: to its
 * own domain; and if nobody of that sleeps, what is for all, to all. A CPU that goes out of use
 * comes to be for all first, and then all are told (resize.c).
 *
 *	               sleep  notify  search
 *	sleep            -      -       -       (atomics on masks and the count)
 *
 * A woken worker counts as a searcher from the moment it was chosen.
 *
 * Threads pinned to a worker lie in its own queue, which rules A to D do not
 * cover: a push there is followed by a look at that worker's bit, and a worker
 * that has set its bit looks at its queue, both sequentially consistent.
 *
 * Timers: one of the sleepers wakes by itself for the earliest (idle.until). It
 * counts as a searcher then; and it keeps its watch until it is awake, so that
 * while any sleeps there is a watch, or somebody who searches and will keep one.
 */
#ifndef PERCH_SCHED_IDLE_H
#define PERCH_SCHED_IDLE_H

#include <stdbool.h>

#include "core/sched/worker.h"

int idle_start(unsigned workers);
void idle_stop(void);

/* There is something that anybody may take, or see to: wake one sleeper if there is one
 * and nobody searches. */
void idle_notify(void);
/* Something was left for this processor. Its own worker is woken rather than another of
 * another node. */
void idle_notify_at(struct processor *p);
/* The caller has taken a request off its CPU's line, and published (rule C). */
void idle_answer(void);
/* Something lies where only this worker looks (a full fence comes before): wake it
 * if it sleeps. True when it did. */
bool idle_wake(struct worker *w);
/* The same for what lies where those who hold a seat of that processor look first: one of them. */
bool idle_wake_holder(struct processor *p);
/* A timer is due at `when`: see to it that a sleeper is awake by then. */
void idle_timer(uint64_t when);
/* It holds this seat, sleeps, and nobody has chosen it: make it a spare, without
 * waking it, so that another has its duty (handoff.h). */
bool idle_dismiss(struct worker *w, uint32_t seat);
/* The seat is a spare's from now on: wake it. It counts as a searcher. */
void idle_call_to_duty(struct worker *w, uint32_t seat);
/* Wake a spare, which does not count as a searcher. */
void idle_rouse(struct worker *w);
/* Wake everybody (to stop). */
void idle_wake_all(void);

/*
 * Called when the last worker is about to sleep, and when a waker rests while
 * all of them sleep: by any pthread, without a lock. NULL: nobody wants to know.
 */
extern void (*idle_asleep)(void);
void idle_tell(void);
/* All workers sleep, at this moment, and none has been chosen to wake. */
bool idle_all_asleep(void);
/* This one does. */
bool idle_asleep_one(unsigned worker);

/* Become a searcher, unless half as many search as are busy. */
bool idle_search_begin(struct worker *w);
/* No longer one. found: rule B. */
void idle_search_end(struct worker *w, bool found);

/*
 * Sleep until there may be something to do. searching: the caller counts as a
 * searcher, and stops being one. Returns true when it counts as one afterwards.
 */
bool idle_sleep(struct worker *w, bool searching);

/*
 * I/O: what the floor above sets, so that a sleeper waits in the kernel for it too,
 * and busy workers look. Of those who sleep while threads wait for I/O, one keeps
 * watch: it sleeps in idle_io->sleep() instead of on its futex.
 *
 *	             begin   end   watch        (atomics on two words)
 *	begin/end      -      -      -
 *	watch          -      -      one at a time
 *
 * Who begins to wait counts itself, then looks for a watch, and notifies if there
 * is none; who goes to sleep sets its bit, then reads the count; both sequentially
 * consistent. And a watch is kept until its worker is awake: so while any worker
 * sleeps and any thread waits for I/O, there is a watch, or somebody who is awake,
 * and will keep one or look. If that one computes instead, the monitor sees that nobody
 * has looked for 1 ms, looks, and wakes a sleeper for the watch. Without a monitor
 * somebody is woken for it at once.
 */
struct idle_io {
	/* Sleep until there is something, `until` (clock_ns), or interrupt(). True but for
	 * the last. Only the one that keeps watch. */
	bool (*sleep)(uint64_t until);
	void (*interrupt)(void);
	/* Make ready what the last sleep() found. The same one. */
	void (*deliver)(void);
	/* Without sleeping, unless somebody is just looking, or has within `gap` ns of
	 * `now`: make ready whoever can go on. True when there was one. */
	bool (*look)(uint64_t now, uint64_t gap);
	/* Nobody has looked within `gap` ns of `now`. */
	bool (*overdue)(uint64_t now, uint64_t gap);
};
extern const struct idle_io *idle_io; /* set before any worker starts */
extern uint32_t idle_io_waiters, idle_io_watched;
extern bool idle_io_monitored; /* the monitor calls idle_io_check() while anybody is awake */
void idle_io_check(uint64_t now);

/* A thread, or a foreign pthread, begins to wait for I/O: before it does what
 * makes the kernel tell of it, and after there is something to sleep in. */
void idle_io_begin(void);
static inline void idle_io_end(void)
{
	__atomic_sub_fetch(&idle_io_waiters, 1, __ATOMIC_RELAXED);
}

/* Somebody waits for I/O, and nobody sleeps in the kernel for it. */
static inline bool idle_io_unwatched(void)
{
	return __builtin_expect(__atomic_load_n(&idle_io_waiters, __ATOMIC_SEQ_CST) != 0, 0) &&
	       !__atomic_load_n(&idle_io_watched, __ATOMIC_SEQ_CST);
}

static inline bool idle_io_look(uint64_t now, uint64_t gap)
{
	return idle_io_unwatched() && idle_io->look(now, gap);
}

#endif
