/* SPDX-License-Identifier: MIT */
/*
 * core/chan/chan.h - a channel: a ring of elements, and two queues of those
 * who wait, under one lock. What send, receive and select share.
 *
 *	           send   receive   close   select   len, cap
 *	send        L        L        L       L         -
 *	receive     L        L        L       L         -      L: the channel's lock;
 *	close       L        L        L       L         -      select takes those of
 *	select      L        L        L       L         -      all its channels, by
 *	len, cap    -        -        -       -         -      ascending address
 *
 * A call looks for its partner under the lock, and makes the deal there: it
 * claims a waiter of the other side, or takes a place in the ring. Then it lets
 * go of the lock and keeps its part (chan_sent(), chan_received()): copies, and
 * wakes the partner. Until then the partner sleeps, so its memory stays where
 * it is, and no lock is held while 64 KiB are copied.
 *
 * Elements in the ring are copied under the lock when they are small. Large ones
 * (CHAN_LARGE) have a turn for each slot: 2k until the k-th element has been put
 * there, 2k+1 until it has been taken out. Under the lock only the place is
 * given away; who has it waits, spinning, until it is his turn, copies, and
 * passes the turn on. So only the next user of the same slot ever waits for a
 * copy, as he would for a lock: for one that runs, or that the kernel preempted.
 *
 * Invariants under the lock: a receiver that can be claimed waits only while
 * the ring is empty, a sender only while it is full; both only while the channel
 * is open. A closed channel has no waiters that can be claimed.
 *
 * Ordering: what was done before a send is visible after the receive of its
 * element; before a close, after a receive that returns 0. With an unbuffered
 * channel also what was done before a receive, after its send.
 * Progress: as of waitq.h; a select holds n locks, for O(n) steps.
 */
#ifndef PERCH_CHAN_CHAN_H
#define PERCH_CHAN_CHAN_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <perch/chan.h>

#include "core/sched/sched.h"
#include "core/sched/waitq.h"
#include "rseq/inject.h"

#define CHAN_MAGIC 0x6368616eu
/* From this size on a copy takes longer than the rest of the call. */
#define CHAN_LARGE 512
/* Up to this many words of 8 bytes are copied without a call. */
#define CHAN_WORDS 8u
#define CHAN_ANY UINT32_MAX

struct perch_chan {
	perch_waitq_t receivers; /* its lock is the channel's */
	perch_waitq_t senders;
	uint32_t element;
	uint32_t closed;
	uint32_t waiting; /* waiters in the queues, or passed over there and not awake yet */
	uint32_t lap;     /* of head: how often it has gone round */
	size_t capacity, length;
	size_t head;     /* the slot of the oldest element */
	uint32_t *turns; /* NULL: elements are small, or there is no ring */
	uint32_t words;  /* of an element that is copied word by word; else CHAN_ANY */
	unsigned char slots[] __attribute__((aligned(64)));
};

/* What is left to do when the lock is free again. */
struct chan_deal {
	struct waiter *peer; /* claimed: to be woken */
	unsigned char *slot; /* of a large element */
	uint32_t *turn;
	uint32_t ticket; /* the turn to wait for */
};

#define CHAN_INLINE static inline __attribute__((always_inline))
#define CHAN_RARELY(x) __builtin_expect(!!(x), 0)

CHAN_INLINE bool chan_lock_at_once(perch_chan_t *c)
{
	/* the other line, while the lock's is on its way from another CPU */
	__builtin_prefetch(&c->element, 1);
	return waitq_lock_at_once(&c->receivers);
}

CHAN_INLINE void chan_lock_slowly(perch_chan_t *c)
{
	waitq_lock_slowly(&c->receivers);
}

CHAN_INLINE void chan_lock(perch_chan_t *c)
{
	if (CHAN_RARELY(!chan_lock_at_once(c)))
		chan_lock_slowly(c);
}

CHAN_INLINE void chan_unlock(perch_chan_t *c)
{
	waitq_unlock(&c->receivers);
}

CHAN_INLINE void chan_copy(void *to, const void *from, size_t n)
{
	if (__builtin_expect(n == 8, 1))
		memcpy(to, from, 8); /* two instructions */
	else if (n)
		memcpy(to, from, n);
}

CHAN_INLINE void chan_copy_words(void *to, const void *from, uint32_t words)
{
	if (__builtin_expect(words == 1, 1)) {
		memcpy(to, from, 8);
		return;
	}
	for (size_t i = 0; i < words; i++)
		memcpy((char *)to + 8 * i, (const char *)from + 8 * i, 8);
}

CHAN_INLINE void chan_put_length(perch_chan_t *c, size_t length)
{
	__atomic_store_n(&c->length, length, __ATOMIC_RELAXED); /* perch_chan_len() reads it */
}

/* chan_claim - the first waiter of a queue that can be claimed, off the queue. */
static inline struct waiter *chan_claim(perch_chan_t *c, perch_waitq_t *q)
{
	struct waiter *w = waitq_claim(q);

	if (w)
		c->waiting--;
	return w;
}

static inline void chan_append(perch_chan_t *c, perch_waitq_t *q, struct waiter *w, struct wait *wait, void *value)
{
	w->wait = wait;
	w->data = value;
	waitq_append(q, w);
	c->waiting++;
}

/* The lock is held: this waiter was not claimed, and goes away. */
static inline void chan_leave(perch_chan_t *c, perch_waitq_t *q, struct waiter *w)
{
	if (w->queued)
		waitq_remove(q, w);
	c->waiting--;
}

/* ---- under the lock: make a deal ---- */

CHAN_INLINE bool chan_can_send(const perch_chan_t *c)
{
	return c->length < c->capacity || c->receivers.first || c->closed;
}

CHAN_INLINE bool chan_can_receive(const perch_chan_t *c)
{
	return c->length || c->senders.first || c->closed;
}

CHAN_INLINE unsigned char *chan_slot(perch_chan_t *c, size_t at)
{
	return c->slots + at * c->element;
}

static inline void chan_large(perch_chan_t *c, struct chan_deal *d, size_t at, uint32_t ticket)
{
	d->slot = chan_slot(c, at);
	d->turn = &c->turns[at];
	d->ticket = ticket;
}

/* 0; -EPIPE; -EAGAIN: nobody to deal with. */
CHAN_INLINE int chan_send_deal(perch_chan_t *c, const void *value, struct chan_deal *d)
{
	*d = (struct chan_deal){NULL, NULL, NULL, 0};
	if (CHAN_RARELY(c->closed))
		return -EPIPE;
	if (c->receivers.first && (d->peer = chan_claim(c, &c->receivers)))
		return 0;
	if (c->length < c->capacity) {
		size_t at = c->head + c->length;
		bool wraps = at >= c->capacity;

		if (wraps)
			at -= c->capacity;
		if (CHAN_RARELY(c->turns != NULL))
			chan_large(c, d, at, 2 * (c->lap + wraps));
		else
			chan_copy(chan_slot(c, at), value, c->element);
		chan_put_length(c, c->length + 1);
		return 0;
	}
	return -EAGAIN;
}

/* The oldest element leaves; the sender d->peer, if there is one, has waited
 * for its slot, which is that of the newest then. */
CHAN_INLINE void chan_take_oldest(perch_chan_t *c, void *value, struct chan_deal *d)
{
	size_t at = c->head;

	if (CHAN_RARELY(c->turns != NULL)) {
		chan_large(c, d, at, 2 * c->lap + 1);
	} else {
		if (value)
			chan_copy(value, chan_slot(c, at), c->element);
		if (d->peer)
			chan_copy(chan_slot(c, at), d->peer->data, c->element);
	}
	if (++at == c->capacity) {
		at = 0;
		c->lap++;
	}
	c->head = at;
	if (!d->peer)
		chan_put_length(c, c->length - 1);
}

/* 1; 0: closed; -EAGAIN: nobody to deal with. */
CHAN_INLINE int chan_receive_deal(perch_chan_t *c, void *value, struct chan_deal *d)
{
	*d = (struct chan_deal){NULL, NULL, NULL, 0};
	if (c->senders.first)
		d->peer = chan_claim(c, &c->senders);
	if (c->length) {
		chan_take_oldest(c, value, d);
		return 1;
	}
	if (d->peer)
		return 1;
	return CHAN_RARELY(c->closed) ? 0 : -EAGAIN;
}

/* ---- without the lock: keep it ---- */

static inline void chan_await_turn(const struct chan_deal *d)
{
	unsigned spins = 0;

	inject();
	while (__atomic_load_n(d->turn, __ATOMIC_ACQUIRE) != d->ticket)
		percpu_wait(&spins);
	inject();
}

static inline void chan_pass_turn(const struct chan_deal *d, uint32_t steps)
{
	inject();
	__atomic_store_n(d->turn, d->ticket + steps, __ATOMIC_RELEASE);
}

/* After chan_send_deal() was 0. The channel may be gone once the turn has been
 * passed on or the peer woken. */
CHAN_INLINE void chan_sent(const struct chan_deal *d, const void *value, size_t element)
{
	if (d->peer) {
		inject();
		if (d->peer->data)
			chan_copy(d->peer->data, value, element);
		waitq_wake(d->peer, 1);
	} else if (CHAN_RARELY(d->turn != NULL)) {
		chan_await_turn(d);
		memcpy(d->slot, value, element);
		chan_pass_turn(d, 1);
	}
}

/* After chan_receive_deal() was `result`, 0 or 1. */
CHAN_INLINE void chan_received(const struct chan_deal *d, int result, void *value, size_t element, bool buffered)
{
	if (CHAN_RARELY(!result)) {
		if (value)
			memset(value, 0, element);
		return;
	}
	if (CHAN_RARELY(d->turn != NULL)) {
		chan_await_turn(d);
		if (value)
			memcpy(value, d->slot, element);
		if (d->peer)
			memcpy(d->slot, d->peer->data, element);
		chan_pass_turn(d, d->peer ? 2 : 1);
	}
	if (d->peer) {
		inject();
		if (!buffered && value)
			chan_copy(value, d->peer->data, element);
		waitq_wake(d->peer, 0);
	}
}

/* ---- waiting ---- */

/* -EPERM in the child of a fork(), where nobody is left who could come. */
static inline int chan_may_wait(void)
{
	if (CHAN_RARELY(__atomic_load_n(&sched.state, __ATOMIC_ACQUIRE) == SCHED_FORKED))
		return sched_check();
	return 0;
}

/* Wait for what never comes: -ETIMEDOUT when there is a deadline, or -EPERM. */
int chan_wait_for_nothing(enum park_reason reason, uint64_t deadline);

#endif
