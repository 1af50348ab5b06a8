/* SPDX-License-Identifier: MIT */
/*
 * select.c - one of several sends and receives.
 *
 * Under the locks of all channels it looks which cases are ready, and tries
 * those in a random order: so that each has the same chance. When none is, it
 * puts a waiter for each case into the queues, all with the same wait, and
 * sleeps; whoever comes first claims that wait (waitq.h). It is in no queue
 * while it looks for a partner, so it does not find itself, and two selects
 * that meet are always one that sleeps and one that looks.
 *
 * The hook that lets go of the locks reads this frame until the last is free,
 * though the sleeper may be woken after the first. It does not return before:
 * on its way out it takes the lock of every channel but that of the claimed
 * waiter, which the claimer had, and the hook unlocks in the same order.
 *
 * (After Go's runtime/select.go.)
 */
#include "core/chan/chan.h"

#include <limits.h>

#include <perch/alloc.h>

#include "core/sched/waitq_turn.h"

#define FEW 16

/* A case that has a channel. */
struct place {
	perch_chan_t *chan;
	uint32_t at; /* its index among the cases */
};

struct selection {
	perch_select_case_t *cases;
	struct place *places; /* by ascending address of the channel */
	uint32_t count;       /* of places */
	uint32_t *ready;      /* of cases: room for all */
	struct waiter *waiters;
};

/* ---- by address ---- */

static void sift(struct place *p, size_t root, size_t n)
{
	struct place down = p[root];
	size_t child;

	while ((child = 2 * root + 1) < n) {
		if (child + 1 < n && p[child].chan < p[child + 1].chan)
			child++;
		if (down.chan >= p[child].chan)
			break;
		p[root] = p[child];
		root = child;
	}
	p[root] = down;
}

static void sort_many(struct place *p, size_t n)
{
	for (size_t i = n / 2; i--;)
		sift(p, i, n);
	for (size_t last = n; --last;) {
		struct place largest = p[0];

		p[0] = p[last];
		p[last] = largest;
		sift(p, 0, last);
	}
}

static void sort_few(struct place *p, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct place this = p[i];
		size_t to = i;

		for (; to && p[to - 1].chan > this.chan; to--)
			p[to] = p[to - 1];
		p[to] = this;
	}
}

/* -EINVAL: a case makes no sense. */
static int place_cases(struct selection *s, size_t n)
{
	s->count = 0;
	for (size_t i = 0; i < n; i++) {
		const perch_select_case_t *k = &s->cases[i];

		if ((k->op != PERCH_SEND && k->op != PERCH_RECV) ||
		    (k->op == PERCH_SEND && k->chan && k->chan->element && !k->value))
			return -EINVAL;
		if (k->chan)
			s->places[s->count++] = (struct place){k->chan, (uint32_t)i};
	}
	if (s->count <= FEW)
		sort_few(s->places, s->count);
	else
		sort_many(s->places, s->count);
	return 0;
}

/* ---- all locks ---- */

/* The first place behind `i` that has another channel. */
static inline uint32_t next_channel(const struct place *p, uint32_t i, uint32_t count)
{
	const perch_chan_t *c = p[i].chan;

	do
		i++;
	while (i < count && p[i].chan == c);
	return i;
}

static void lock_all(const struct selection *s)
{
	for (uint32_t i = 0; i < s->count; i = next_channel(s->places, i, s->count))
		chan_lock(s->places[i].chan);
}

/* Reads nothing of the selection after it has let go of the last lock. */
static void unlock_all(void *arg)
{
	const struct selection *s = arg;
	const struct place *p = s->places;
	uint32_t count = s->count;

	for (uint32_t i = 0; i < count;) {
		perch_chan_t *c = p[i].chan;

		i = next_channel(p, i, count);
		chan_unlock(c);
	}
}

/* ---- chance ---- */

/* Below n, which is small. A function of its own: the address of `state` must
 * not be kept across a switch. */
static __attribute__((noinline)) uint32_t chance(uint32_t n)
{
	static __thread uint64_t state;
	struct worker *w = worker_self();
	uint64_t x;

	if (w) {
		x = worker_random(w);
	} else {
		x = state ? state : (clock_ns() << 1 | 1) ^ (uintptr_t)&state << 16;
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		state = x;
	}
	return (uint32_t)(((x * 0x2545f4914f6cdd1du) >> 32) * n >> 32);
}

/* ---- select ---- */

/* Do one that is ready: its index; -EAGAIN: none is. All locks are held, and
 * free afterwards only if one was done. */
static int do_ready(struct selection *s)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->count; i++) {
		const perch_chan_t *c = s->places[i].chan;
		uint32_t at = s->places[i].at;

		if (s->cases[at].op == PERCH_SEND ? chan_can_send(c) : chan_can_receive(c))
			s->ready[count++] = at;
	}
	/* who waits there may be just a waiter that was claimed elsewhere: not ready, then */
	while (count) {
		uint32_t pick = count > 1 ? chance(count) : 0;
		uint32_t at = s->ready[pick];
		perch_select_case_t *k = &s->cases[at];
		bool buffered = k->chan->capacity, sends = k->op == PERCH_SEND;
		size_t element = k->chan->element;
		struct chan_deal d;
		int r;

		r = sends ? chan_send_deal(k->chan, k->value, &d) : chan_receive_deal(k->chan, k->value, &d);
		if (r == -EAGAIN) {
			s->ready[pick] = s->ready[--count];
			continue;
		}
		unlock_all(s);
		k->result = r;
		if (!sends)
			chan_received(&d, r, k->value, element, buffered);
		else if (!r)
			chan_sent(&d, k->value, element);
		return (int)at;
	}
	return -EAGAIN;
}

static inline perch_waitq_t *queue_of(const perch_select_case_t *k)
{
	return k->op == PERCH_SEND ? &k->chan->senders : &k->chan->receivers;
}

/* Take out the waiters that were not claimed. */
static void leave(const struct selection *s, const struct waiter *claimed)
{
	for (uint32_t i = 0, end; i < s->count; i = end) {
		perch_chan_t *c = s->places[i].chan;

		end = next_channel(s->places, i, s->count);
		if (end == i + 1 && &s->waiters[s->places[i].at] == claimed)
			continue;
		inject();
		chan_lock(c);
		for (uint32_t k = i; k < end; k++) {
			struct waiter *w = &s->waiters[s->places[k].at];

			if (w != claimed)
				chan_leave(c, queue_of(&s->cases[s->places[k].at]), w);
		}
		chan_unlock(c);
	}
}

/* Where several cases have one channel, whoever comes there takes the first in its queue: so
 * that none of them is always first, each may be. */
static void mix_same_channel(const struct selection *s)
{
	for (uint32_t i = 0, end; i < s->count; i = end) {
		end = next_channel(s->places, i, s->count);
		for (uint32_t n = end - i; n > 1; n--) {
			struct place *last = &s->places[i + n - 1], *other = &s->places[i + chance(n)], kept = *last;

			*last = *other;
			*other = kept;
		}
	}
}

/* All locks are held; they are free afterwards. Apart, as it is not the last thing that all callers do. */
static __attribute__((noinline)) int wait_for_one(struct selection *s, uint64_t deadline)
{
	const void *left;
	struct wait wait;
	int r = chan_may_wait();

	if (!r && !clock_before(deadline))
		r = -ETIMEDOUT;
	if (r) {
		unlock_all(s);
		return r;
	}
	wait_begin(&wait, true);
	mix_same_channel(s);
	for (uint32_t i = 0; i < s->count; i++) {
		perch_select_case_t *k = &s->cases[s->places[i].at];

		chan_append(k->chan, queue_of(k), &s->waiters[s->places[i].at], &wait, k->value);
	}
	r = wait_sleep_turn(&wait, PARK_SELECT, s->cases, deadline, unlock_all, s, &left);
	leave(s, wait.by);
	if (wait.by) {
		s->cases[wait.by - s->waiters].result = r;
		r = (int)(wait.by - s->waiters);
	}
	return switch_return(left, r);
}

static int select_in(struct selection *s, size_t n, bool wait, uint64_t deadline)
{
	int r = place_cases(s, n);

	if (r)
		return r;
	if (!s->count) /* and no lock that would keep us here until the hook is through */
		return wait ? chan_wait_for_nothing(PARK_SELECT, deadline) : -EAGAIN;
	lock_all(s);
	r = do_ready(s);
	if (r != -EAGAIN)
		return r;
	if (wait)
		return wait_for_one(s, deadline);
	unlock_all(s);
	return r;
}

static __attribute__((noinline)) int select_many(perch_select_case_t *cases, size_t n, bool wait, uint64_t deadline)
{
	struct selection s = {.cases = cases};
	int r;

	if (n > INT_MAX)
		return -ENOMEM;
	/* one piece, by descending alignment */
	s.waiters = perch_alloc(n * (sizeof(*s.waiters) + sizeof(*s.places) + sizeof(*s.ready)));
	if (!s.waiters)
		return -ENOMEM;
	s.places = (struct place *)(s.waiters + n);
	s.ready = (uint32_t *)(s.places + n);
	r = select_in(&s, n, wait, deadline);
	perch_free(s.waiters);
	return r;
}

static int do_select(perch_select_case_t *cases, size_t n, bool wait, uint64_t deadline)
{
	struct waiter waiters[FEW];
	struct place places[FEW];
	uint32_t ready[FEW];
	struct selection s = {cases, places, 0, ready, waiters};

	if (!cases && n)
		return -EINVAL;
	return n > FEW ? select_many(cases, n, wait, deadline) : select_in(&s, n, wait, deadline);
}

int perch_select(perch_select_case_t *cases, size_t n)
{
	return do_select(cases, n, true, CLOCK_NEVER);
}

int perch_tryselect(perch_select_case_t *cases, size_t n)
{
	return do_select(cases, n, false, 0);
}

int perch_timedselect(perch_select_case_t *cases, size_t n, const struct timespec *abstime)
{
	uint64_t deadline;
	int r = clock_deadline(abstime, &deadline);

	return r ? r : do_select(cases, n, true, deadline);
}
