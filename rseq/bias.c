/* SPDX-License-Identifier: MIT */
#include "rseq/bias.h"

#include <sched.h>

#include "rseq/barrier.h"
#include "rseq/section_lock.h"

/* Set LEAVING in a word that leans, and turn it into `next`. False: it changed
 * meanwhile, by a section or before. */
static bool take_off(struct bias_lock *l, uint32_t word, uint32_t next)
{
	uint32_t old = word, leaving = word | BIAS_LEAVING;
	unsigned spins = 0;
	bool done = false;

#ifndef PERCH_SEED_BIAS_TWO_LEAVE
	while (__atomic_exchange_n(&l->leaving, 1, __ATOMIC_ACQUIRE))
		percpu_wait(&spins);
#endif
	inject();
	if (__atomic_compare_exchange_n(&l->word, &old, leaving, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
		inject();
#ifndef PERCH_SEED_BIAS_NO_BARRIER
		barrier_cpu((int)bias_cpu(word));
#endif
		inject();
		l->lean = LEAN_TAKEN_OFF; /* nobody else's while the word leans */
		done = __atomic_compare_exchange_n(&l->word, &leaving, next, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&l->leaving, 0, __ATOMIC_RELEASE);
	(void)spins;
	return done;
}

bool bias_cas_elsewhere(struct bias_lock *l, uint32_t old)
{
	unsigned spins = 0;

	while (__atomic_load_n(&l->word, __ATOMIC_RELAXED) & BIAS_LEAVING)
		percpu_wait(&spins);
	if (!(old & BIAS_LEAVING) && __atomic_load_n(&l->word, __ATOMIC_RELAXED) == old)
		take_off(l, old, old & BIAS_VALUE);
	return false;
}

/* The longest pause, in relaxes of 10-50 ns each; and after how many the CPU is given away once. */
#ifndef PAUSE_MOST /* shorter in the stress test */
#define PAUSE_MOST 32
#endif
#define YIELD_AFTER 128

/*
 * The lock is held: twice as long as before, until the next look. Each look takes the line from the owner, and
 * one that comes just when the lock is free makes it go to and fro between two CPUs at each use, at 200 ns
 * each time. (Exponential back-off: T. Anderson, "The performance of spin lock alternatives", 1990.)
 */
static void back_off(unsigned *pause, unsigned *paused)
{
	for (unsigned i = 0; i < *pause; i++)
		percpu_relax();
	*paused += *pause;
	if (*pause < PAUSE_MOST)
		*pause *= 2;
	if (*paused >= YIELD_AFTER) { /* its owner is preempted, perhaps on this very CPU */
		*paused = 0;
		sched_yield();
	}
}

void bias_lock_slow(struct bias_lock *l)
{
	unsigned pause = 1, paused = 0;

	for (;;) {
		uint32_t word = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

		if (word & (BIAS_HELD | BIAS_LEAVING)) {
			back_off(&pause, &paused);
		} else if (word & BIAS_LEANS) {
			if (section_cas(&l->word, word, word | BIAS_HELD, bias_cpu(word)) == SECTION_DONE)
				return;
			if (take_off(l, word, BIAS_HELD))
				return;
		} else if (__atomic_compare_exchange_n(&l->word, &word, BIAS_HELD, false, __ATOMIC_ACQUIRE,
						       __ATOMIC_RELAXED)) {
			bias_count(l);
			return;
		}
	}
}

/* It has been taken often enough, from one CPU; or it must be more often. */
uint32_t bias_begin(struct bias_lock *l)
{
	uint32_t cpu = l->lean & (BIAS_CPUS - 1), taken_off = l->lean & LEAN_TAKEN_OFF;

	if (taken_off && (l->lean & ~LEAN_TAKEN_OFF) >> LEAN_COUNT_SHIFT < LEAN_AGAIN)
		return 0;
	l->lean = taken_off | cpu;
	return BIAS_LEANS | cpu << BIAS_CPU_SHIFT;
}
