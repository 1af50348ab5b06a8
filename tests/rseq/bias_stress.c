/* SPDX-License-Identifier: MIT */
#include "tests/rseq/bias_stress.h"

#include <pthread.h>
#include <stdlib.h>

#include "rseq/bias.h"
#include "rseq/percpu.h"
#include "rseq/section_lock.h"
#include "tests/harness/harness.h"
#include "tests/rseq/area.h"

#define LOCKS 3
#define WAITERS 2u /* a bit of the word's value, for the form by bias_cas() */

/* What a lock covers is changed by plain loads and stores, so that two holders
 * at once show as a count that is short. */
static struct guarded {
	struct bias_lock lock, word;
	volatile uint64_t by_lock, by_word, flags;
	char pad[64];
} guarded[LOCKS] __attribute__((aligned(64)));

static struct {
	uint64_t until;
	int cpus[2], cpu_count;
	uint64_t done_lock[LOCKS], done_word[LOCKS], done_flags[LOCKS], leant;
} all;

static void lock_word(struct bias_lock *l)
{
	for (;;) {
		uint32_t word = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

		if (word & BIAS_HELD)
			sched_yield();
		else if (bias_cas(l, word, word | BIAS_HELD))
			break;
	}
	if (!(__atomic_load_n(&l->word, __ATOMIC_RELAXED) & BIAS_LEANS))
		bias_count(l);
}

/* WAITERS is taken off by the holder, and counted: whoever set it must find it was. */
static void unlock_word(struct guarded *g)
{
	for (;;) {
		uint32_t word = __atomic_load_n(&g->word.word, __ATOMIC_RELAXED);
		uint32_t next = word & ~(BIAS_HELD | WAITERS);

		if (!(word & WAITERS))
			next = bias_unlocked(&g->word, word);
		if (word & WAITERS)
			g->flags++; /* still ours */
		if (bias_cas(&g->word, word, next))
			return;
		if (word & WAITERS)
			g->flags--;
	}
}

/* Once, while somebody holds it. */
static bool set_waiters(struct bias_lock *l)
{
	uint32_t word = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

	return (word & (BIAS_HELD | WAITERS | BIAS_LEAVING)) == BIAS_HELD && bias_cas(l, word, word | WAITERS);
}

static void *work(void *arg)
{
	size_t me = (size_t)arg;
	int mine = all.cpus[me % (size_t)all.cpu_count];
	uint64_t done_lock[LOCKS] = {0}, done_word[LOCKS] = {0}, done_flags[LOCKS] = {0}, leant = 0;

	area_pin(mine);
	while (harness_now() < all.until) {
		/* mostly the lock of this CPU, for long; the last is everybody's */
		size_t at = harness_random_below(16) ? me % (size_t)all.cpu_count : harness_random_below(LOCKS);
		struct guarded *g = &guarded[at];
		bool migrate = harness_random_below(64) == 0;

#ifdef PERCH_SECTION_DELAY
		__atomic_store_n(&perch_section_delay, harness_random_below(4) ? 0 : harness_random_below(2000),
				 __ATOMIC_RELAXED);
#endif

		for (unsigned n = harness_random_below(200); n; n--) {
			bias_lock(&g->lock);
			leant += __atomic_load_n(&g->lock.word, __ATOMIC_RELAXED) >> 31;
			if (migrate && n == 1) /* to let go of it from elsewhere */
				area_pin(all.cpus[harness_random_below((unsigned)all.cpu_count)]);
			g->by_lock++;
			done_lock[at]++;
			bias_unlock(&g->lock);
			done_flags[at] += set_waiters(&g->word);
			lock_word(&g->word);
			g->by_word++;
			done_word[at]++;
			unlock_word(g);
		}
		if (migrate)
			area_pin(mine);
	}
	for (int i = 0; i < LOCKS; i++) {
		__atomic_fetch_add(&all.done_lock[i], done_lock[i], __ATOMIC_RELAXED);
		__atomic_fetch_add(&all.done_word[i], done_word[i], __ATOMIC_RELAXED);
		__atomic_fetch_add(&all.done_flags[i], done_flags[i], __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&all.leant, leant, __ATOMIC_RELAXED);
	return NULL;
}

struct bias_result bias_stress(double seconds, unsigned pthreads)
{
	struct bias_result r = {0};
	pthread_t t[16];

	area_start();
	all.cpu_count = area_cpus(all.cpus, 2);
	all.until = harness_now() + (uint64_t)(seconds * 1e9);
	for (size_t i = 0; i < pthreads; i++)
		if (pthread_create(&t[i], NULL, work, (void *)i))
			abort();
	for (size_t i = 0; i < pthreads; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < LOCKS; i++) {
		r.done += all.done_lock[i] + all.done_word[i];
		r.lost += all.done_lock[i] != guarded[i].by_lock;
		r.lost += all.done_word[i] != guarded[i].by_word;
		r.lost += all.done_flags[i] != guarded[i].flags;
	}
	r.leant = all.leant;
	return r;
}
