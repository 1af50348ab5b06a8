/* SPDX-License-Identifier: MIT */
/* loop.c - a worker's life: it runs what there is, searches, and sleeps. */
#include <sched.h>
#include <urcu-qsbr.h>

#include "core/sched/clock.h"
#include "core/sched/handoff.h"
#include "core/sched/next.h"
#include "core/sched/steal.h"
#include "core/sched/timers.h"
#include "rseq/section_lock.h"

#define IO_SEARCH_NS UINT64_C(2000) /* between looks of those who have nothing to do */
#define LINGER_NS 5000

/* While threads wait for I/O, and nobody sleeps in the kernel for them, this one had better do so:
 * what it would search for comes from there, and from pthreads that may want this CPU for it. */
static uint64_t search_ns(const struct worker *w)
{
	return idle_io_unwatched() ? LINGER_NS : w->spin_ns;
}

/* From the moment that it is no searcher any more it is in nobody's way (steal.h). */
static void leave_search(struct worker *w, struct policy_search *s, bool searching, bool found)
{
	policy_search_end(s);
	if (searching)
		idle_search_end(w, found);
}

/*
 * One that may not search, as enough others do, looks at what comes to its own
 * CPU for LINGER_NS: who hands over to another worker's thread and waits for the
 * answer would else go to sleep in the kernel each time, while that other one,
 * just found, still counts as a searcher.
 */
static uintptr_t search(struct worker *w, bool searching)
{
	struct policy_search s = {0};

	for (;;) {
		uint64_t until = clock_ns() + (searching ? search_ns(w) : LINGER_NS);
		uintptr_t item;

		do {
			if (__builtin_expect(!worker_on_duty(w), 0)) {
				leave_search(w, &s, searching, true); /* what it was woken for is left to others */
				return 0;
			}
			/* called to duty while it was woken for something else */
			if (!searching)
				searching = worker_was_counted(w);
			if (!searching && (searching = idle_search_begin(w)))
				until = clock_ns() + search_ns(w);
			item = next_item(w);
			if (!item && searching && timers_run_all(clock_ns()))
				item = next_item(w);
			if (!item && searching && idle_io_look(clock_ns(), IO_SEARCH_NS))
				item = next_item(w);
			if (!item && searching)
				item = steal_round(w, &s);
			if (item) {
				leave_search(w, &s, searching, true);
				return item;
			}
			if (sched_ends()) {
				leave_search(w, &s, searching, false);
				return 0;
			}
			urcu_qsbr_quiescent_state();
			if (__atomic_load_n(&sched.crowded, __ATOMIC_RELAXED) ||
			    __atomic_load_n(&w->home->lost, __ATOMIC_RELAXED))
				sched_yield();
			else
				/* each look takes lines from who works, and what is left alone (steal.c) is so
				 * for a while */
				for (int i = 0; i < (w->watches ? 48 : 16); i++)
					percpu_relax();
		} while (clock_ns() < until || (searching && policy_waits(&sched.policy, &s)));
		policy_search_end(&s);
		searching = idle_sleep(w, searching);
	}
}

void sched_loop(struct worker *w)
{
	bool searching = worker_was_counted(w); /* called to duty, to look for work */

	for (;;) {
		struct thread *t = NULL;

		if (w->brought) {
			uintptr_t item = w->brought;

			w->brought = 0;
			t = sched_admit(item);
		} else if (__builtin_expect(!worker_on_duty(w), 0)) {
			if (searching) { /* what it was called for is left to others */
				searching = false;
				idle_search_end(w, true);
			}
			t = handoff_return(w, &searching);
			if (!t && sched_ends())
				return;
		} else if (!searching && !(searching = worker_was_counted(w))) {
			t = sched_next(w);
		}
		if (!t && worker_on_duty(w)) {
			uintptr_t item = search(w, searching);

			searching = false;
			if (!item && sched_ends())
				return;
			t = item ? sched_admit(item) : NULL;
		}
		if (!t)
			continue;
		urcu_qsbr_quiescent_state();
		sched_switch(w, &w->base, t, NULL, NULL);
	}
}
