/* SPDX-License-Identifier: MIT */
#include "rseq/ring.h"

#include <errno.h>

#include "rseq/barrier.h"
#include "rseq/inject.h"
#include "rseq/section_lock.h"

/* How long an owner waits for a thief that has frozen its queue. Of a forced
 * reveal, what is left after the interrupt has come is well under this. */
#define FROZEN_SPINS 256

static inline uint16_t word_head(uint64_t word)
{
	return (uint16_t)word;
}

static inline uint16_t word_split(uint64_t word)
{
	return (uint16_t)(word >> 16);
}

/* Every change by CAS takes the next version. */
static inline uint64_t word_next(uint64_t word, uint16_t head, uint16_t split)
{
#ifdef PERCH_SEED_NO_VERSION /* a bug that the stress test must find */
	const uint64_t step = 0;
#else
	const uint64_t step = 1;
#endif
	return ((word >> 32) + step) << 32 | (uint64_t)split << 16 | head;
}

static inline uint64_t word_load(const struct percpu *a)
{
	return __atomic_load_n(&a->split, __ATOMIC_ACQUIRE);
}

static inline bool word_cas(struct percpu *a, uint64_t *word, uint64_t next)
{
	return __atomic_compare_exchange_n(&a->split, word, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static inline uint32_t tail_load(const struct percpu *a)
{
	return __atomic_load_n(&a->tail, __ATOMIC_ACQUIRE);
}

/* ---- on this CPU ---- */

/* mind: leave by the slow exit when there is a request. */
static int try_push(uintptr_t item, bool mind)
{
	if (percpu_locked)
		return lock_push(item, mind);
	return mind ? section_push(item) : section_push_raw(item);
}

static int raw_pop(uintptr_t *item, uintptr_t wanted)
{
	if (percpu_locked)
		return lock_pop(item, wanted);
	return wanted ? section_pop_if_raw(wanted) : section_pop_raw(item);
}

enum { LOOK_AGAIN = -1 };

/* Why a section said SLOW, as far as the flags tell: RING_DONE when they do
 * not; LOOK_AGAIN when the queue is frozen, but not yet for long. */
static int look_at_flags(struct percpu **area, unsigned *spins)
{
	struct percpu *a = *area = percpu_here();

	if (!a)
		return RING_NOT_HERE;
	if (__atomic_load_n(&a->flags, __ATOMIC_ACQUIRE) & PERCPU_FROZEN) {
		percpu_relax();
		return ++*spins > FROZEN_SPINS ? RING_FROZEN : LOOK_AGAIN;
	}
	return RING_DONE;
}

bool ring_push_quietly(uintptr_t item)
{
	return try_push(item, false) == SECTION_DONE;
}

unsigned ring_push_slow(uintptr_t item)
{
	struct percpu *a = percpu_here();
	unsigned spins = 0, asked = 0;
	int r;

	for (;;) {
		uint64_t word;

		/*
		 * A push that does not mind requests is made only by one who has
		 * taken a request and will answer for it. Any other must see one that
		 * is left while it is under way: a worker may be going to sleep on it.
		 * (If we were moved between the look and the exchange, it is another
		 * CPU's request that we answer for: as good.)
		 */
		inject();
		if (!asked && a && ring_take_request(a))
			asked = RING_ASKED;
		inject();
		if (try_push(item, !asked) == SECTION_DONE) {
			if (asked)
				ring_publish();
			return RING_DONE | asked;
		}
		r = look_at_flags(&a, &spins);
		if (r == LOOK_AGAIN)
			continue;
		if (r != RING_DONE)
			return (unsigned)r | asked;
		word = word_load(a);
		if ((uint16_t)(tail_load(a) - word_head(word)) >= RING_CAPACITY)
			return RING_FULL | asked;
		/* a request came, or there is room by now; or it is cut each time (a
		 * debugger that single-steps), and then there must be another way */
		if (++spins > FROZEN_SPINS)
			return RING_FROZEN | asked;
	}
}

unsigned ring_pop_slow(uintptr_t *item, uintptr_t wanted)
{
	struct percpu *a = percpu_here();
	unsigned spins = 0, asked = 0;
	int r;

	/* the common reason is that it is empty: say so at once */
	if (a && ring_empty(a))
		return RING_EMPTY;
	/* A request is answered only if something is left after what we take;
	 * else it stays for the next push, so that none is lost. */
	inject();
	if (a && __atomic_load_n(&a->request, __ATOMIC_RELAXED) && ring_private(a) >= 2 &&
	    __atomic_exchange_n(&a->request, 0, __ATOMIC_SEQ_CST)) {
		asked = RING_ASKED;
		ring_publish();
	}
	for (;;) {
		uint64_t word;
		uint32_t tail;

		inject();
		if (raw_pop(item, wanted) == SECTION_DONE)
			return RING_DONE | asked;
		r = look_at_flags(&a, &spins);
		if (r == LOOK_AGAIN)
			continue;
		if (r != RING_DONE)
			return (unsigned)r | asked;
		word = word_load(a);
		tail = tail_load(a);
		if ((uint16_t)tail != word_split(word)) {
			/* something is private: either it is not what was wanted, or
			 * it came (or we did) since the section looked */
			uintptr_t top = __atomic_load_n(&a->slot[(tail - 1) % RING_CAPACITY], __ATOMIC_RELAXED);

			if (wanted && top != wanted)
				return RING_EMPTY | asked;
			if (++spins > FROZEN_SPINS)
				return RING_FROZEN | asked;
			continue;
		}
		if (word_head(word) == word_split(word))
			return RING_EMPTY | asked;
		if (wanted && __atomic_load_n(&a->slot[(uint16_t)(word_split(word) - 1) % RING_CAPACITY],
					      __ATOMIC_RELAXED) != wanted)
			return RING_EMPTY | asked; /* the newest shared one is not it either */
		ring_take_back(a);
	}
}

static unsigned fair_slow(uintptr_t *item, bool push)
{
	unsigned spins = 0;

	for (;;) {
		struct percpu *a;
		int r, done;

		inject();
		if (percpu_locked)
			done = push ? lock_fair_push(*item) : lock_fair_pop(item);
		else
			done = push ? section_fair_push(*item) : section_fair_pop(item);
		if (done == SECTION_DONE)
			return RING_DONE;
		r = look_at_flags(&a, &spins);
		if (r == LOOK_AGAIN)
			continue;
		if (r != RING_DONE)
			return (unsigned)r;
		if (push && ring_take_request(a)) /* it may come at any time */
			return RING_FULL | RING_ASKED;
		if (push && ring_fair_length(a) >= FAIR_CAPACITY)
			return RING_FULL;
		if (!push && !ring_fair_length(a))
			return RING_EMPTY;
		if (++spins > SECTION_RETRIES)
			return push ? RING_FULL : RING_EMPTY;
	}
}

unsigned ring_fair_push_slow(uintptr_t item)
{
	struct percpu *a = percpu_here();

	if (a && ring_take_request(a))
		return RING_FULL | RING_ASKED;
	return fair_slow(&item, true);
}

enum ring_result ring_fair_pop_slow(uintptr_t *item)
{
	/* the common reason is that it is empty: say so at once */
	struct percpu *a = percpu_here();

	if (a && !ring_fair_length(a))
		return RING_EMPTY;
	return (enum ring_result)fair_slow(item, false);
}

/* Raise split by half of the private part, or all of it; the caller keeps sections away. */
static bool raise_split(struct percpu *a, bool whole)
{
	uint64_t word = word_load(a);

	for (;;) {
		uint16_t n = (uint16_t)(tail_load(a) - word_split(word));

		if (!n)
			return false;
		if (!whole)
			n = (n + 1) / 2;
		inject();
		if (word_cas(a, &word, word_next(word, word_head(word), (uint16_t)(word_split(word) + n))))
			return true;
	}
}

bool ring_publish(void)
{
	struct percpu *a;
	bool done;

	inject();
	if (!percpu_locked)
		return section_publish() == SECTION_DONE;
	a = lock_here();
	if (!a)
		return false;
	done = raise_split(a, false);
	unlock_area(a);
	return done;
}

bool ring_take_back(struct percpu *a)
{
	uint64_t word = word_load(a);

	for (;;) {
		uint16_t n = (uint16_t)(word_split(word) - word_head(word));

		if (!n)
			return false;
		inject();
		if (word_cas(a, &word, word_next(word, word_head(word), (uint16_t)(word_head(word) + n / 2))))
			return true;
	}
}

/* ---- any CPU ---- */

unsigned ring_steal(struct percpu *victim, uintptr_t *out, unsigned max)
{
	uint64_t word = word_load(victim);

	for (;;) {
		uint16_t head = word_head(word);
		unsigned n = (uint16_t)(word_split(word) - head);

		if (!n)
			return 0;
		n = (n + 1) / 2;
		if (n > max)
			n = max;
		for (unsigned i = 0; i < n; i++)
			out[i] = __atomic_load_n(&victim->slot[(head + i) % RING_CAPACITY], __ATOMIC_RELAXED);
		inject();
		if (word_cas(victim, &word, word_next(word, (uint16_t)(head + n), word_split(word))))
			return n;
	}
}

bool ring_ask(struct percpu *victim)
{
	/* read first: an asked owner's line need not be fetched for writing again */
	return !__atomic_load_n(&victim->request, __ATOMIC_RELAXED) &&
	       !__atomic_exchange_n(&victim->request, REQUEST_ASKED, __ATOMIC_ACQ_REL);
}

bool ring_request_here(struct percpu *a)
{
	uint32_t old;

	if (percpu_locked)
		return false;
	inject();
	old = __atomic_load_n(&a->request, __ATOMIC_SEQ_CST);
	return old == REQUEST_STANDS || section_cas(&a->request, old, REQUEST_STANDS, a->cpu) == SECTION_DONE;
}

/* What one who has frozen the area does: share of the ring, or else take of the
 * fair queue; half, or as much as goes. */
static int open_up(struct percpu *a, uintptr_t *out, unsigned max, bool whole)
{
	uint32_t head;
	unsigned n;

	inject();
	if (raise_split(a, whole))
		return 0;
	head = __atomic_load_n(&a->fair_head, __ATOMIC_RELAXED);
	n = __atomic_load_n(&a->fair_tail, __ATOMIC_RELAXED) - head;
	if (!whole)
		n = (n + 1) / 2;
	if (n > max)
		n = max;
	for (unsigned i = 0; i < n; i++)
		out[i] = __atomic_load_n(&a->fair_slot[(head + i) % FAIR_CAPACITY], __ATOMIC_RELAXED);
	__atomic_store_n(&a->fair_head, head + n, __ATOMIC_RELAXED);
	return n ? (int)n : -EAGAIN;
}

int ring_force(struct percpu *victim, uintptr_t *out, unsigned max)
{
	int taken;

	if (!percpu_freeze(victim, percpu_locked ? PERCPU_BY_LOCK : PERCPU_ACTIVE))
		return -EBUSY;
	if (!percpu_locked) {
		inject();
		barrier_cpu((int)victim->cpu);
	}
	taken = open_up(victim, out, max, false);
	percpu_thaw(victim);
	return taken;
}

int ring_inherit(struct percpu *gone, uintptr_t *out, unsigned max)
{
	int taken;

	if (!percpu_freeze(gone, 0))
		return -EBUSY;
	taken = open_up(gone, out, max, true);
	percpu_thaw(gone);
	return taken;
}

unsigned ring_private(const struct percpu *a)
{
	uint64_t word = word_load(a);
	uint16_t n = (uint16_t)(tail_load(a) - word_split(word));

	/* the two were not read at once: a tail that was seen to fall behind is none */
	return n <= RING_CAPACITY ? n : 0;
}

unsigned ring_shared(const struct percpu *a)
{
	uint64_t word = word_load(a);

	return (uint16_t)(word_split(word) - word_head(word));
}

unsigned ring_fair_length(const struct percpu *a)
{
	uint32_t head = __atomic_load_n(&a->fair_head, __ATOMIC_ACQUIRE);
	uint32_t n = __atomic_load_n(&a->fair_tail, __ATOMIC_ACQUIRE) - head;

	return n <= FAIR_CAPACITY ? n : FAIR_CAPACITY;
}
