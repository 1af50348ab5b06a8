/* SPDX-License-Identifier: MIT */
/*
 * bias.h - words that lean on one CPU: there they are changed by a section,
 * without a locked instruction; everywhere else the lean is taken off first, by
 * a membarrier, and from then on the word is changed by CAS. What is used from
 * one CPU only, which is most of what threads share when they are scheduled near
 * each other, so costs what it would cost without other CPUs.
 *
 * word:   bits 0-15 the value, bit 0 of which is HELD; bit 31 LEANS, and then bits
 *         16-30 the CPU, and bit 15 LEAVING (somebody takes the lean off).
 * lean:   the CPU that took it last by a CAS (bits 0-14), and how often in a row
 *         (bits 15-30); bit 31: a lean was taken off once. Written by the holder, and
 *         while the word leans, by the one who takes that off.
 *
 *	             cas here   cas elsewhere
 *	cas here         s            B         s: sections on one CPU
 *	cas elsewhere    B            C         B: LEAVING and the barrier; C: CAS
 *
 * Why it is right
 *   A. While a word leans, it is changed by sections of that CPU only, which
 *      compare the whole word; but for LEAVING, which is set by a CAS.
 *   B. A section that had read the word before LEAVING was set either commits
 *      before the barrier returns, and wipes LEAVING out: then who set it begins
 *      again; or it starts over, and sees LEAVING. So if LEAVING is still there
 *      behind the barrier, no section can change the word any more, and nobody
 *      else does: who set it takes it off, and the lean with it.
 *      Only one does that at a time (`leaving`): with two, the first could take the
 *      second's LEAVING for its own, set after a section of which its own
 *      barrier knew nothing (the model's seed TWO_LEAVE).
 *   C. What was done before a change is visible after the next: on one CPU by
 *      the program's order, whichever pthreads run there; across CPUs by the
 *      barrier, or by release and acquire on the word.
 *
 * bias_cas() is all that, in the shape of a CAS. bias_lock() and bias_unlock() are
 * a spin lock on it; there LEAVING is set in free words only, so that unlock can
 * be a plain store.
 *
 * A lock begins to lean when one CPU has taken it LEAN_AFTER times in a row by
 * CAS; LEAN_AGAIN times once a lean had to be taken off, which interrupts a CPU
 * (4-10 us): so what that costs is a small part of what was done before it.
 * Without sections (percpu_locked) no lock ever begins to lean.
 *
 * Progress: bias_cas is lock-free but for the one who takes a lean off, for whom
 * others wait; a CPU may change the word again and again while another tries to
 * take its lean off, but only by commits within the barriers.
 *
 * Sources: biased locking (Dice, Moir, Scherer, "Quickly reacquirable locks",
 * 2003), with a restartable sequence and membarrier in the place of safepoints.
 */
#ifndef PERCH_RSEQ_BIAS_H
#define PERCH_RSEQ_BIAS_H

#include <stdbool.h>
#include <stdint.h>

#include "rseq/inject.h"
#include "rseq/percpu.h"

#define BIAS_HELD 1u
#define BIAS_LEAVING 0x8000u
#define BIAS_VALUE 0x7fffu
#define BIAS_LEANS 0x80000000u
#define BIAS_CPU_SHIFT 16
#define BIAS_CPUS 0x8000u
#define LEAN_COUNT_SHIFT 15
#define LEAN_TAKEN_OFF 0x80000000u
#ifndef LEAN_AFTER /* smaller in the stress test */
#define LEAN_AFTER 2048u
#define LEAN_AGAIN 32768u
#endif

struct bias_lock {
	uint32_t word;
	uint32_t lean;
	uint32_t leaving; /* held by the one who takes the lean off */
};

void bias_lock_slow(struct bias_lock *l);
bool bias_cas_elsewhere(struct bias_lock *l, uint32_t old);

static inline uint32_t bias_cpu(uint32_t word)
{
	return word >> BIAS_CPU_SHIFT & (BIAS_CPUS - 1);
}

/*
 * Change l->word from old to next, which leans as old does (or begins to lean,
 * bias_unlocked()). False: it was not old, or leant on another CPU: read it anew.
 * A full fence but when it leans; then only who changes this word next sees what
 * was done before.
 */
static inline bool bias_cas(struct bias_lock *l, uint32_t old, uint32_t next)
{
	if (old & BIAS_LEANS)
		return (!(old & BIAS_LEAVING) &&
			__builtin_expect(section_cas(&l->word, old, next, bias_cpu(old)) == SECTION_DONE, 1)) ||
		       bias_cas_elsewhere(l, old);
	return __atomic_compare_exchange_n(&l->word, &old, next, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* The holder, who got it by a CAS, notes from where. */
static inline void bias_count(struct bias_lock *l)
{
	uint32_t cpu;

	if (percpu_locked)
		return;
	cpu = percpu_cpu_hint();
	if ((l->lean & (BIAS_CPUS - 1)) == cpu) {
		/* no further than it is asked for: a word that is never free of waiters never leans, and the
		 * count would run over into LEAN_TAKEN_OFF */
		if ((l->lean & ~LEAN_TAKEN_OFF) < LEAN_AGAIN << LEAN_COUNT_SHIFT)
			l->lean += 1u << LEAN_COUNT_SHIFT;
	} else if (cpu < BIAS_CPUS)
		l->lean = (l->lean & LEAN_TAKEN_OFF) | cpu;
}

/* Taken, without a call, if it is free and leans here, if at all; else it is bias_lock_slow()'s. */
static inline bool bias_take(struct bias_lock *l)
{
	uint32_t word = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

	if (word & BIAS_LEANS) {
		if (!(word & (BIAS_HELD | BIAS_LEAVING)) &&
		    __builtin_expect(section_cas(&l->word, word, word | BIAS_HELD, bias_cpu(word)) == SECTION_DONE,
				     1)) {
			inject();
			return true;
		}
	} else if (!word && __builtin_expect(__atomic_compare_exchange_n(&l->word, &word, BIAS_HELD, false,
									 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
					     1)) {
		bias_count(l);
		inject();
		return true;
	}
	return false;
}

static inline void bias_lock(struct bias_lock *l)
{
	if (__builtin_expect(!bias_take(l), 0))
		bias_lock_slow(l);
}

/* Nobody has it, or is on the way. A signal handler that sees this may take it: whoever it has
 * interrupted does not have it, nor what a lean is taken off by. */
static inline bool bias_is_free(const struct bias_lock *l)
{
	return !(__atomic_load_n(&l->word, __ATOMIC_RELAXED) & (BIAS_HELD | BIAS_LEAVING)) &&
	       !__atomic_load_n(&l->leaving, __ATOMIC_RELAXED);
}

uint32_t bias_begin(struct bias_lock *l);

/* The holder: the word to let go of it with, when nothing but HELD is in it. */
static inline uint32_t bias_unlocked(struct bias_lock *l, uint32_t word)
{
	uint32_t next = word & ~BIAS_HELD;

	if (!next && __builtin_expect((l->lean & ~LEAN_TAKEN_OFF) >> LEAN_COUNT_SHIFT >= LEAN_AFTER, 0))
		next = bias_begin(l);
	return next;
}

static inline void bias_unlock(struct bias_lock *l)
{
	uint32_t next = bias_unlocked(l, __atomic_load_n(&l->word, __ATOMIC_RELAXED));

	inject();
	__atomic_store_n(&l->word, next, __ATOMIC_RELEASE);
}

#endif
