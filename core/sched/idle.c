/* SPDX-License-Identifier: MIT */
#include "core/sched/idle.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "core/sched/clock.h"
#include "core/sched/sched.h"
#include "rseq/barrier.h"
#include "rseq/inject.h"
#include "rseq/section_lock.h"

#define SPIN_LEAST_NS 20000
#define SPIN_MOST_NS 400000
/* A sleep shorter than this was not worth its wake-up. */
#define SHORT_SLEEP_NS 100000

static struct {
	uint32_t searching __attribute__((aligned(64)));
	uint32_t sleeping;
	unsigned words;
	uint64_t *mask; /* a bit per worker: sleeps, and nobody has chosen it yet */
} idle;

int idle_start(unsigned workers)
{
	idle.words = (workers + 63) / 64;
	idle.mask = calloc(idle.words, sizeof(*idle.mask));
	idle.searching = idle.sleeping = 0;
	return idle.mask ? 0 : -ENOMEM;
}

void idle_stop(void)
{
	free(idle.mask);
	idle.mask = NULL;
}

static bool mask_clear(unsigned worker)
{
	uint64_t bit = (uint64_t)1 << worker % 64;

	return __atomic_fetch_and(&idle.mask[worker / 64], ~bit, __ATOMIC_SEQ_CST) & bit;
}

static void wake(struct worker *w)
{
	__atomic_store_n(&w->wake, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &w->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static bool anybody(void)
{
	for (unsigned i = 0; i < idle.words; i++)
		if (__atomic_load_n(&idle.mask[i], __ATOMIC_SEQ_CST))
			return true;
	return false;
}

/* Choose a sleeper, first in the word of the caller; NULL: nobody sleeps. */
static struct worker *choose(void)
{
	struct worker *self = worker_self();
	unsigned first = self ? self->index / 64 : 0;

	for (unsigned i = 0; i < idle.words; i++) {
		unsigned at = (first + i) % idle.words;
		uint64_t bits;

		while ((bits = __atomic_load_n(&idle.mask[at], __ATOMIC_SEQ_CST))) {
			unsigned worker = at * 64 + (unsigned)__builtin_ctzll(bits);

			inject();
			if (mask_clear(worker))
				return &sched.workers[worker];
		}
	}
	return NULL;
}

void idle_notify(void)
{
	struct worker *self, *w;
	uint32_t none = 0;

	inject();
	while (__atomic_load_n(&idle.sleeping, __ATOMIC_SEQ_CST)) {
		/* rule A; and of several that notify at once, one is enough */
		none = 0;
		if (!__atomic_compare_exchange_n(&idle.searching, &none, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return;
		w = choose();
		if (w) {
			self = worker_self();
			if (self)
				stat_add(&self->stats.wakes, 1);
			wake(w);
			return;
		}
		/*
		 * All who sleep have been chosen already. But one that went to sleep
		 * while we counted as a searcher relied on us: it set its bit before
		 * it read the count, so having lowered that we look for bits again.
		 */
		__atomic_sub_fetch(&idle.searching, 1, __ATOMIC_SEQ_CST);
		if (!anybody())
			return;
	}
}

void idle_wake_all(void)
{
	for (unsigned i = 0; i < sched.worker_count; i++) {
		if (mask_clear(i))
			__atomic_add_fetch(&idle.searching, 1, __ATOMIC_SEQ_CST);
		wake(&sched.workers[i]);
	}
}

bool idle_search_begin(void)
{
	uint32_t searching = __atomic_load_n(&idle.searching, __ATOMIC_RELAXED);
	uint32_t busy = sched.worker_count - __atomic_load_n(&idle.sleeping, __ATOMIC_RELAXED);

	/* `busy` counts the searchers, and the caller */
	if (busy > searching)
		busy -= searching;
	if (2 * searching >= busy && searching)
		return false;
	__atomic_add_fetch(&idle.searching, 1, __ATOMIC_SEQ_CST);
	return true;
}

void idle_search_end(bool found)
{
	if (__atomic_sub_fetch(&idle.searching, 1, __ATOMIC_SEQ_CST) == 0 && found)
		idle_notify();
}

static bool anything(void)
{
	struct processor_set *set = rcu_dereference(sched.set);

	for (unsigned i = 0; i < set->count; i++)
		if (processor_has_work(set->processor[i]))
			return true;
	return !spill_empty();
}

/* The last searcher's duty: rule A's other half. True: something is there. */
static bool last_look(struct worker *w)
{
	struct processor_set *set = rcu_dereference(sched.set);

	for (unsigned i = 0; i < set->count; i++)
		__atomic_store_n(&processor_area(set->processor[i])->request, 1, __ATOMIC_SEQ_CST);
	inject();
	/* in the fallback the areas' locks order the request before the next push */
	if (percpu_locked)
		for (unsigned i = 0; i < set->count; i++)
			percpu_pass_lock(processor_area(set->processor[i]));
	else
		barrier_all();
	stat_add(&w->stats.barriers, 1);
	return anything();
}

bool idle_sleep(struct worker *w, bool searching)
{
	uint64_t since;
	bool last;

	__atomic_store_n(&w->wake, 0, __ATOMIC_RELAXED);
	__atomic_add_fetch(&idle.sleeping, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&idle.mask[w->index / 64], (uint64_t)1 << w->index % 64, __ATOMIC_SEQ_CST);
	inject();
	if (searching)
		last = __atomic_sub_fetch(&idle.searching, 1, __ATOMIC_SEQ_CST) == 0;
	else
		last = __atomic_load_n(&idle.searching, __ATOMIC_SEQ_CST) == 0;
	/* not the last: the one that still searches will look */
	if (((last && last_look(w)) || __atomic_load_n(&sched.quitting, __ATOMIC_SEQ_CST)) && mask_clear(w->index)) {
		__atomic_add_fetch(&idle.searching, 1, __ATOMIC_SEQ_CST);
		__atomic_sub_fetch(&idle.sleeping, 1, __ATOMIC_SEQ_CST);
		return true;
	}
	/* else somebody has chosen us meanwhile, and its wake is on the way */
	since = clock_ns();
	urcu_qsbr_thread_offline();
	stat_add(&w->stats.sleeps, 1);
	while (!__atomic_load_n(&w->wake, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &w->wake, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	urcu_qsbr_thread_online();
	__atomic_sub_fetch(&idle.sleeping, 1, __ATOMIC_SEQ_CST);
	if (clock_ns() - since < SHORT_SLEEP_NS)
		w->spin_ns = w->spin_ns * 2 < SPIN_MOST_NS ? w->spin_ns * 2 : SPIN_MOST_NS;
	else
		w->spin_ns = w->spin_ns / 2 > SPIN_LEAST_NS ? w->spin_ns / 2 : SPIN_LEAST_NS;
	return true;
}
