/* SPDX-License-Identifier: MIT */
/* chan.c - the calls on one channel; how they go about it is said in chan.h. */
#include "core/chan/chan.h"

#include <perch/alloc.h>

#include "core/sched/waitq_turn.h"

#define CHAN_APART static __attribute__((noinline))

/* ---- making one ---- */

/* The struct, the slots, the turns. False: more than there are addresses. */
static bool layout(size_t element, size_t capacity, size_t *turns_at, size_t *bytes)
{
	size_t slots, turns = 0;

	if (capacity > SIZE_MAX / 2 || __builtin_mul_overflow(element, capacity, &slots))
		return false;
	if (element >= CHAN_LARGE && __builtin_mul_overflow(sizeof(uint32_t), capacity, &turns))
		return false;
	if (slots > SIZE_MAX / 4 || turns > SIZE_MAX / 4)
		return false;
	*turns_at = offsetof(struct perch_chan, slots) + (slots + 63) / 64 * 64;
	*bytes = *turns_at + (turns + 63) / 64 * 64;
	return true;
}

int perch_chan_create(perch_chan_t **channel, size_t element, size_t capacity)
{
	size_t turns_at, bytes;
	perch_chan_t *c;

	if (!channel || element > PERCH_CHAN_ELEMENT_MAX)
		return -EINVAL;
	if (!layout(element, capacity, &turns_at, &bytes))
		return -ENOMEM;
	c = perch_aligned_alloc(64, bytes);
	if (!c)
		return -ENOMEM;
	*c = (perch_chan_t){
		.receivers = PERCH_WAITQ_INIT(CHAN_MAGIC),
		.senders = PERCH_WAITQ_INIT(CHAN_MAGIC),
		.element = (uint32_t)element,
		.capacity = capacity,
		.words = element % 8 || element > (size_t)8 * CHAN_WORDS ? CHAN_ANY : (uint32_t)element / 8,
	};
	if (element >= CHAN_LARGE && capacity) {
		c->turns = (uint32_t *)((char *)c + turns_at);
		memset(c->turns, 0, capacity * sizeof(*c->turns));
	}
	*channel = c;
	return 0;
}

/* Whoever has a place in the ring has copied. */
static void await_copies(perch_chan_t *c)
{
	for (size_t i = 0; c->turns && i < c->capacity; i++) {
		/* how far slot i is behind the head, and on which lap that is */
		size_t behind = i >= c->head ? i - c->head : i + c->capacity - c->head;
		uint32_t lap = c->lap + (i < c->head);
		struct chan_deal d = {.turn = &c->turns[i], .ticket = 2 * lap + (behind < c->length)};

		chan_await_turn(&d);
	}
}

int perch_chan_destroy(perch_chan_t *c)
{
	uint32_t waiting;

	if (!c)
		return -EINVAL;
	chan_lock(c);
	waiting = c->waiting;
	chan_unlock(c);
	if (waiting)
		return -EBUSY;
	await_copies(c);
	perch_free(c);
	return 0;
}

/* ---- waiting ---- */

static void unlock(void *c)
{
	chan_unlock(c);
}

static void nothing(void *arg)
{
	(void)arg;
}

/* For ever: no time-out, so no claim by CAS and no timer. */
CHAN_INLINE int wait_for_ever(perch_chan_t *c, perch_waitq_t *q, void *value, enum park_reason reason)
{
	struct waiter w;
	struct wait wait;
	const void *left;

	wait_begin_turn(&wait, CLOCK_NEVER);
	chan_append(c, q, &w, &wait, value);
	left = park_with(wait.thread, reason, c, unlock, c);
	return switch_return(left, wait.result);
}

CHAN_APART int wait_until(perch_chan_t *c, perch_waitq_t *q, void *value, enum park_reason reason, uint64_t deadline)
{
	struct waiter w;
	struct wait wait;
	int r;

	wait_begin(&wait, true);
	chan_append(c, q, &w, &wait, value);
	r = wait_sleep(&wait, reason, c, deadline, unlock, c);
	if (!wait.by) {
		chan_lock(c);
		chan_leave(c, q, &w);
		chan_unlock(c);
	}
	return r;
}

/* The lock is held; it is let go of here. */
CHAN_APART int wait_in(perch_chan_t *c, perch_waitq_t *q, void *value, enum park_reason reason, uint64_t deadline)
{
	int r = chan_may_wait();

	if (!r && !clock_before(deadline))
		r = -ETIMEDOUT;
	if (r) {
		chan_unlock(c);
		return r;
	}
	if (deadline == CLOCK_NEVER)
		return wait_for_ever(c, q, value, reason);
	return wait_until(c, q, value, reason, deadline);
}

int chan_wait_for_nothing(enum park_reason reason, uint64_t deadline)
{
	struct wait wait;
	int r = chan_may_wait();

	if (r)
		return r;
	wait_begin(&wait, deadline != CLOCK_NEVER);
	return wait_sleep(&wait, reason, NULL, deadline, nothing, NULL);
}

/* ---- send ---- */

/*
 * The calls have a short way, for a lock that is free, a buffered channel at which
 * nobody waits and elements of a few words: no call, no register saved. All the
 * rest is here. The lock is held, and let go of.
 */
CHAN_APART int send_slowly(perch_chan_t *c, const void *value, bool wait, uint64_t deadline)
{
	size_t element = c->element;
	struct chan_deal d;
	int r = chan_send_deal(c, value, &d);

	if (wait && r == -EAGAIN)
		return wait_in(c, &c->senders, (void *)(uintptr_t)value, PARK_SEND, deadline);
	chan_unlock(c);
	if (!r)
		chan_sent(&d, value, element);
	return r;
}

/* The lock is held; as the rest. */
CHAN_INLINE int send_locked(perch_chan_t *c, const void *value, bool wait, uint64_t deadline)
{
	size_t at, length = c->length;

	if (c->receivers.first || c->closed || length >= c->capacity || c->words > CHAN_WORDS)
		return send_slowly(c, value, wait, deadline);
	at = c->head + length;
	if (at >= c->capacity)
		at -= c->capacity;
	chan_put_length(c, length + 1);
	chan_copy_words(chan_slot(c, at), value, c->words);
	chan_unlock(c);
	return 0;
}

CHAN_APART int send_contended(perch_chan_t *c, const void *value, bool wait, uint64_t deadline)
{
	chan_lock_slowly(c);
	return send_locked(c, value, wait, deadline);
}

CHAN_INLINE int do_send(perch_chan_t *c, const void *value, bool wait, uint64_t deadline)
{
	if (CHAN_RARELY(!c))
		return wait ? chan_wait_for_nothing(PARK_SEND, deadline) : -EAGAIN;
	if (CHAN_RARELY(!value) && c->element)
		return -EINVAL;
	if (CHAN_RARELY(!chan_lock_at_once(c)))
		return send_contended(c, value, wait, deadline);
	return send_locked(c, value, wait, deadline);
}

int perch_chan_send(perch_chan_t *c, const void *value)
{
	return do_send(c, value, true, CLOCK_NEVER);
}

int perch_chan_trysend(perch_chan_t *c, const void *value)
{
	return do_send(c, value, false, 0);
}

int perch_chan_timedsend(perch_chan_t *c, const void *value, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : do_send(c, value, true, deadline);
}

/* ---- receive ---- */

CHAN_APART int receive_slowly(perch_chan_t *c, void *value, bool wait, uint64_t deadline)
{
	size_t element = c->element;
	bool buffered = c->capacity;
	struct chan_deal d;
	int r = chan_receive_deal(c, value, &d);

	if (r < 0 && wait)
		return wait_in(c, &c->receivers, value, PARK_RECEIVE, deadline);
	chan_unlock(c);
	if (r >= 0)
		chan_received(&d, r, value, element, buffered);
	return r;
}

CHAN_INLINE int receive_locked(perch_chan_t *c, void *value, bool wait, uint64_t deadline)
{
	size_t at, length = c->length;

	if (c->senders.first || !length || c->words > CHAN_WORDS)
		return receive_slowly(c, value, wait, deadline);
	at = c->head;
	c->head = at + 1 == c->capacity ? 0 : at + 1;
	chan_put_length(c, length - 1);
	if (value)
		chan_copy_words(value, chan_slot(c, at), c->words);
	chan_unlock(c);
	return 1;
}

CHAN_APART int receive_contended(perch_chan_t *c, void *value, bool wait, uint64_t deadline)
{
	chan_lock_slowly(c);
	return receive_locked(c, value, wait, deadline);
}

CHAN_INLINE int do_receive(perch_chan_t *c, void *value, bool wait, uint64_t deadline)
{
	if (CHAN_RARELY(!c))
		return wait ? chan_wait_for_nothing(PARK_RECEIVE, deadline) : -EAGAIN;
	if (CHAN_RARELY(!chan_lock_at_once(c)))
		return receive_contended(c, value, wait, deadline);
	return receive_locked(c, value, wait, deadline);
}

int perch_chan_recv(perch_chan_t *c, void *value)
{
	return do_receive(c, value, true, CLOCK_NEVER);
}

int perch_chan_tryrecv(perch_chan_t *c, void *value)
{
	return do_receive(c, value, false, 0);
}

int perch_chan_timedrecv(perch_chan_t *c, void *value, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : do_receive(c, value, true, deadline);
}

/* ---- close, and what it looks like ---- */

/* All who can be claimed, the last first, linked by next: woken so, they run in order. */
static struct waiter *claim_all(perch_chan_t *c, perch_waitq_t *q)
{
	struct waiter *all = NULL, *w;

	while ((w = chan_claim(c, q))) {
		w->next = all;
		all = w;
	}
	return all;
}

int perch_chan_close(perch_chan_t *c)
{
	struct waiter *receivers, *senders, *w;
	size_t element;

	if (!c)
		return -EINVAL;
	chan_lock(c);
	if (c->closed) {
		chan_unlock(c);
		return -EALREADY;
	}
	c->closed = 1;
	element = c->element;
	receivers = claim_all(c, &c->receivers);
	senders = claim_all(c, &c->senders);
	chan_unlock(c);
	/* each frame is gone once its owner is awake */
	while ((w = receivers)) {
		receivers = w->next;
		if (w->data)
			memset(w->data, 0, element);
		waitq_wake(w, 0);
	}
	while ((w = senders)) {
		senders = w->next;
		waitq_wake(w, -EPIPE);
	}
	return 0;
}

size_t perch_chan_len(const perch_chan_t *c)
{
	return c ? __atomic_load_n(&c->length, __ATOMIC_RELAXED) : 0;
}

size_t perch_chan_cap(const perch_chan_t *c)
{
	return c ? c->capacity : 0;
}
