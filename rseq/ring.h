/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the run queue of one CPU: a ring whose newest part is private to
 * the CPU and whose oldest part may be stolen, and beside it a fair queue.
 *
 *	   head ........ split ........ tail
 *	   | shared: any CPU | private: this CPU |
 *
 * {head, split, version} is one 64-bit word. `tail` is 32 bits, its low 16 are
 * compared with head and split. Items are non-zero words that mean nothing here.
 *
 * Who may do what beside whom ("-": freely; "F": freezing keeps them apart;
 * "A": the area is either active or not; "C": the CAS on the one word decides; "s": both are sections on one CPU, so
 * the kernel keeps them apart):
 *
 *	              push/pop  publish  take_back  steal  force  inherit
 *	push/pop         s         s         -        -      F       A
 *	publish          s         s         -        -      F       A
 *	take_back        -         -         C        C      C       C
 *	steal            -         -         C        C      C       C
 *	force            F         F         C        C      F       A
 *	inherit          A         A         C        C      A       F
 *
 * Sections run on the CPU that owns the ring; take_back too, but a worker that
 * was moved away in the middle of it does no harm: it can only make the shared
 * part smaller. steal and force run anywhere.
 *
 * Why it is right
 *   A. Only sections change tail and store split alone; head moves, and split
 *      falls, by a CAS of the whole word, which also adds one to version. So
 *      if a thief's CAS succeeds, no slot it had read was given back, popped
 *      and filled anew meanwhile (without the version it could be: the same
 *      head and split can come again).
 *   B. A slot below split is not written until head has passed it: push checks
 *      the room against head.
 *   C. publish stores split after the slots (a plain store on x86-64, a release
 *      on aarch64); a thief loads the word with acquire before the slots.
 *   D. After freezing and the barrier, no section can commit on a view from
 *      before; so tail and the fair queue stand still for the one who froze.
 *
 * Progress: the sections are wait-free but for being cut (bounded, then slow).
 * steal and take_back are lock-free. An owner who finds its queue frozen waits
 * for a bounded time, then says RING_FROZEN; force waits for nobody: it fails
 * if another has frozen the queue.
 *
 * Sources: the split deque is that of Lace (van Dijk, van de Pol, 2014); the
 * request flag is from private deques (Acar, Chargueraud, Rainey, 2013); the
 * per-CPU sections are in the manner of tcmalloc and librseq.
 */
#ifndef PERCH_RSEQ_RING_H
#define PERCH_RSEQ_RING_H

#include "rseq/percpu.h"

enum ring_result {
	RING_DONE = 0,
	RING_EMPTY,    /* nothing there (pop_if: the top is another item) */
	RING_FULL,     /* push only */
	RING_FROZEN,   /* a thief is at it and takes long */
	RING_NOT_HERE, /* no processor on this CPU */
	/* Beside any of them: a request was taken off a CPU's line. Whoever left it
	 * may sleep by now, so the caller must see to it that somebody looks for
	 * work, after it has put its own item where it can be found. */
	RING_ASKED = 8,
};

/* The slow ways; the inlined ones below try the section first. */
unsigned ring_push_slow(uintptr_t item);
unsigned ring_pop_slow(uintptr_t *item, uintptr_t wanted);
unsigned ring_fair_push_slow(uintptr_t item);
enum ring_result ring_fair_pop_slow(uintptr_t *item);

/* Push, and leave a request where it is: somebody is known to look here before he relies on it.
 * False: not done, for any reason. */
bool ring_push_quietly(uintptr_t item);

/* On this CPU: put an item on top. DONE, FULL, FROZEN, NOT_HERE; ASKED. */
static inline unsigned ring_push(uintptr_t item)
{
	if (__builtin_expect(section_push(item) == SECTION_DONE, 1))
		return RING_DONE;
	return ring_push_slow(item);
}

/* On this CPU: take the top item. DONE, EMPTY, FROZEN, NOT_HERE; ASKED. */
static inline unsigned ring_pop(uintptr_t *item)
{
	if (__builtin_expect(section_pop(item) == SECTION_DONE, 1))
		return RING_DONE;
	return ring_pop_slow(item, 0);
}

/* On this CPU: take the top item if it is `item`. As ring_pop. */
static inline unsigned ring_pop_if(uintptr_t item)
{
	if (__builtin_expect(section_pop_if(item) == SECTION_DONE, 1))
		return RING_DONE;
	return ring_pop_slow(&item, item);
}

/*
 * On this CPU, first in, first out. A full fair queue is FULL. With a request
 * on the line it is FULL | ASKED, the request taken: the item is the answer to
 * it, and shall be put where others reach it (the fair queue is private).
 */
static inline unsigned ring_fair_push(uintptr_t item)
{
	if (__builtin_expect(section_fair_push(item) == SECTION_DONE, 1))
		return RING_DONE;
	return ring_fair_push_slow(item);
}

static inline enum ring_result ring_fair_pop(uintptr_t *item)
{
	if (__builtin_expect(section_fair_pop(item) == SECTION_DONE, 1))
		return RING_DONE;
	return ring_fair_pop_slow(item);
}

/* On this CPU: share the older half (rounded up) of the private part.
 * True when something was shared. */
bool ring_publish(void);

/* On the CPU of `a`: make the newer half (rounded up) of the shared part
 * private again. True when there was something. */
bool ring_take_back(struct percpu *a);

/* Any CPU: take up to `max`, at most half (rounded up) of the shared part, the
 * oldest first. Returns how many were stored in out. */
unsigned ring_steal(struct percpu *victim, uintptr_t *out, unsigned max);

/* Kinds of requests: a thief's; one that stands (below); and one that is to stand, of somebody by a number. */
enum { REQUEST_ASKED = 1, REQUEST_STANDS, REQUEST_OF };

/* Any CPU: leave a request. True when there was none before. */
bool ring_ask(struct percpu *victim);

/*
 * A request *stands* when no push can be under way that has not seen it: it was left with a number
 * of one's own, the rseq membarrier was issued, and it is there still; or it was left by a section
 * on that CPU. It stands until it is taken off.
 */
static inline void ring_leave_request(struct percpu *a, unsigned number)
{
	__atomic_store_n(&a->request, REQUEST_OF + number, __ATOMIC_SEQ_CST);
}

/* After the barrier. */
static inline void ring_let_stand(struct percpu *a, unsigned number)
{
	uint32_t mine = REQUEST_OF + number;

	__atomic_compare_exchange_n(&a->request, &mine, REQUEST_STANDS, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static inline bool ring_request_stands(const struct percpu *a)
{
	return __atomic_load_n(&a->request, __ATOMIC_SEQ_CST) == REQUEST_STANDS;
}

/* Leave one that stands, if this is the CPU of `a`. False: it is not, or somebody changed
 * it meanwhile; or nothing is done by sections. */
bool ring_request_here(struct percpu *a);

/* Whoever takes one off answers for it (RING_ASKED). False: there is none. */
static inline bool ring_take_request(struct percpu *a)
{
	return __atomic_load_n(&a->request, __ATOMIC_RELAXED) && __atomic_exchange_n(&a->request, 0, __ATOMIC_SEQ_CST);
}

/*
 * Any CPU: share half of the victim's private part without its help; if its
 * ring has nothing private, take up to `max` items, at most half (rounded up),
 * from the old end of its fair queue. Interrupts the victim's CPU.
 * Returns how many items were stored in out, 0 when the reveal was in the
 * ring, -EBUSY when another is at it (or no processor is there), -EAGAIN when
 * there was nothing.
 */
int ring_force(struct percpu *victim, uintptr_t *out, unsigned max);

/*
 * Any CPU: the same with an area whose processor was taken away, whole, and without
 * an interrupt (percpu_deactivate() has seen to it that no section is under way): share
 * all that is private, or else take up to `max` from the fair queue's old end. -EBUSY:
 * another is at it, or a processor is there.
 */
int ring_inherit(struct percpu *gone, uintptr_t *out, unsigned max);

/* Neither a private nor a shared item, as far as one look tells. */
static inline bool ring_empty(const struct percpu *a)
{
	return (uint16_t)__atomic_load_n(&a->split, __ATOMIC_ACQUIRE) ==
	       (uint16_t)__atomic_load_n(&a->tail, __ATOMIC_ACQUIRE);
}

static inline bool ring_fair_empty(const struct percpu *a)
{
	return __atomic_load_n(&a->fair_head, __ATOMIC_ACQUIRE) == __atomic_load_n(&a->fair_tail, __ATOMIC_ACQUIRE);
}

/* Estimates, from any CPU. */
unsigned ring_private(const struct percpu *a);
unsigned ring_shared(const struct percpu *a);
unsigned ring_fair_length(const struct percpu *a);

#endif
