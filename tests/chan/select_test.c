/* SPDX-License-Identifier: MIT */
/* select_test.c - one of several sends and receives. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rseq/sanitizer.h"
#include "tests/chan/crew.h"

#define MS 1000000u
#define UNTOUCHED 4242

static perch_select_case_t to_send(perch_chan_t *c, void *value)
{
	return (perch_select_case_t){c, PERCH_SEND, value, UNTOUCHED};
}

static perch_select_case_t to_receive(perch_chan_t *c, void *value)
{
	return (perch_select_case_t){c, PERCH_RECV, value, UNTOUCHED};
}

static bool untouched_but(const perch_select_case_t *k, unsigned n, unsigned chosen)
{
	for (unsigned i = 0; i < n; i++)
		if (i != chosen && k[i].result != UNTOUCHED)
			return false;
	return true;
}

TEST(arguments)
{
	struct timespec past = {0, 0}, bad = {0, -1};
	perch_chan_t *c = make_chan(8, 1);
	uint64_t v = 1, begun;
	perch_select_case_t k[2] = {to_receive(c, &v), {c, 0, &v, UNTOUCHED}};
	struct timespec soon;

	EXPECT_EQ(perch_select(NULL, 1), -EINVAL);
	EXPECT_EQ(perch_tryselect(NULL, 1), -EINVAL);
	EXPECT_EQ(perch_timedselect(NULL, 1, &past), -EINVAL);
	EXPECT_EQ(perch_select(k, 2), -EINVAL);
	k[1].op = 3;
	EXPECT_EQ(perch_select(k, 2), -EINVAL);
	k[1] = to_send(c, NULL);
	EXPECT_EQ(perch_select(k, 2), -EINVAL);
	k[1] = to_send(NULL, NULL);
	EXPECT_EQ(perch_timedselect(k, 2, NULL), -EINVAL);
	EXPECT_EQ(perch_timedselect(k, 2, &bad), -EINVAL);
	EXPECT_EQ(perch_tryselect(k, SIZE_MAX), -ENOMEM);
	EXPECT_EQ(perch_tryselect(k, 2), -EAGAIN);
	EXPECT_EQ(perch_tryselect(k + 1, 1), -EAGAIN);
	EXPECT_EQ(perch_tryselect(NULL, 0), -EAGAIN);
	EXPECT_EQ(perch_timedselect(k, 2, &past), -ETIMEDOUT);
	EXPECT_EQ(perch_timedselect(NULL, 0, &past), -ETIMEDOUT);
	begun = harness_now();
	soon = from_now(5 * MS);
	EXPECT_EQ(perch_timedselect(NULL, 0, &soon), -ETIMEDOUT);
	EXPECT_EQ(perch_timedselect(k + 1, 1, &soon), -ETIMEDOUT);
	EXPECT_GE(harness_now() - begun, 5 * MS);
	EXPECT_TRUE(untouched_but(k, 2, 2));
	EXPECT_EQ(v, 1);
	EXPECT_EQ(perch_chan_destroy(c), 0);
}

/* What one case that is ready does, in each form; the others are not. */
static int select_in_turn(perch_select_case_t *k, size_t n, unsigned turn)
{
	struct timespec past = {0, 0};

	switch (turn % 3) {
	case 0:
		return perch_select(k, n);
	case 1:
		return perch_tryselect(k, n);
	default:
		return perch_timedselect(k, n, &past);
	}
}

TEST(what_is_ready_is_done)
{
	perch_chan_t *empty = make_chan(8, 2), *full = make_chan(8, 1), *rendezvous = make_chan(8, 0);
	perch_chan_t *closed = make_chan(8, 0), *c;
	uint64_t v[6], in;

	ASSERT_EQ(perch_chan_close(closed), 0);
	ASSERT_EQ(perch_chan_send(full, &(uint64_t){9}), 0);
	for (unsigned turn = 0; turn < 30; turn++) {
		perch_select_case_t k[6] = {
			to_send(NULL, &v[0]), to_receive(NULL, &v[1]),       to_receive(empty, &v[2]),
			to_send(full, &v[3]), to_receive(rendezvous, &v[4]), to_send(rendezvous, &v[5]),
		};
		unsigned at = turn % 6;

		for (unsigned i = 0; i < 6; i++)
			v[i] = 50 + i;
		EXPECT_EQ(perch_tryselect(k, 6), -EAGAIN);
		EXPECT_TRUE(untouched_but(k, 6, 6));

		/* a send with room */
		c = make_chan(8, 1);
		k[at] = to_send(c, &v[at]);
		EXPECT_EQ(select_in_turn(k, 6, turn), at);
		EXPECT_EQ(k[at].result, 0);
		EXPECT_TRUE(untouched_but(k, 6, at));
		EXPECT_EQ(perch_chan_len(c), 1);
		/* a receive */
		v[at] = 0;
		k[at] = to_receive(c, &v[at]);
		EXPECT_EQ(select_in_turn(k, 6, turn), at);
		EXPECT_EQ(k[at].result, 1);
		EXPECT_EQ(v[at], 50 + at);
		EXPECT_TRUE(untouched_but(k, 6, at));
		/* an element of a closed one, dropped; then none */
		in = 7;
		EXPECT_EQ(perch_chan_send(c, &in), 0);
		EXPECT_EQ(perch_chan_close(c), 0);
		k[at] = to_receive(c, NULL);
		EXPECT_EQ(select_in_turn(k, 6, turn), at);
		EXPECT_EQ(k[at].result, 1);
		k[at] = to_receive(c, &v[at]);
		EXPECT_EQ(select_in_turn(k, 6, turn), at);
		EXPECT_EQ(k[at].result, 0);
		EXPECT_EQ(v[at], 0);
		/* closed: a send */
		k[at] = to_send(closed, &v[at]);
		EXPECT_EQ(select_in_turn(k, 6, turn), at);
		EXPECT_EQ(k[at].result, -EPIPE);
		EXPECT_TRUE(untouched_but(k, 6, at));
		EXPECT_EQ(perch_chan_destroy(c), 0);
	}
	EXPECT_EQ(perch_chan_len(full), 1);
	EXPECT_EQ(perch_chan_destroy(empty), 0);
	EXPECT_EQ(perch_chan_destroy(full), 0);
	EXPECT_EQ(perch_chan_destroy(rendezvous), 0);
	EXPECT_EQ(perch_chan_destroy(closed), 0);
}

/* ---- fair ---- */

/*
 * Of n cases those in `ready` are; a case twice counts twice. With p = 1/k of
 * 30,000 tries the bound is 7 standard deviations: one run in 10^11 fails by chance.
 */
static void *fair(void *arg)
{
	enum { N = 20, TRIES = 30000 };
	static const unsigned ready[] = {0, 3, 4, 11, 17, 19};
	enum { READY = sizeof(ready) / sizeof(ready[0]) };

	for (unsigned few = 0; few < 2; few++) {
		perch_chan_t *never = make_chan(1, 0), *c = make_chan(1, 2), *closed = make_chan(1, 0);
		unsigned n = few ? 12 : N, k_ready = few ? 4 : READY, counted[N] = {0};
		perch_select_case_t k[N];
		double expected, sigma7;
		char v = 0;

		EXPECT_EQ(perch_chan_close(closed), 0);
		EXPECT_EQ(perch_chan_send(c, &v), 0);
		for (unsigned i = 0; i < n; i++)
			k[i] = i % 2 ? to_send(never, &v) : to_receive(i % 4 ? NULL : never, &v);
		/* some of one channel, sends and receives (one slot of two is always full), some closed */
		for (unsigned i = 0; i < k_ready; i++)
			k[ready[i]] = i % 3 == 2 ? to_receive(closed, &v) : i % 3 ? to_send(c, &v) : to_receive(c, &v);
		for (unsigned i = 0; i < TRIES; i++) {
			int chosen = i % 2 ? perch_select(k, n) : perch_tryselect(k, n);

			ASSERT_GE(chosen, 0);
			counted[chosen]++;
			while (perch_chan_len(c) > 1)
				perch_chan_recv(c, &v);
			if (!perch_chan_len(c))
				perch_chan_send(c, &v);
		}
		expected = TRIES / (double)k_ready;
		sigma7 = 7 * 7 * TRIES * (1.0 / k_ready) * (1 - 1.0 / k_ready);
		for (unsigned i = 0, r = 0; i < n; i++) {
			double off = counted[i] - expected;

			if (r == k_ready || i != ready[r]) {
				EXPECT_EQ(counted[i], 0);
				continue;
			}
			r++;
			if (off * off > sigma7)
				harness_log("case %u of %u: %u times, not about %.0f", i, n, counted[i], expected);
			EXPECT_TRUE(off * off <= sigma7);
		}
		EXPECT_EQ(perch_chan_destroy(never), 0);
		EXPECT_EQ(perch_chan_destroy(c), 0);
		EXPECT_EQ(perch_chan_destroy(closed), 0);
	}
	return arg;
}

TEST(fair_in_a_pthread)
{
	fair(NULL);
}

FIXTURE(select)
{
	int unused;
};
FIXTURE_VARIANT(select)
{
	struct perch_config config;
};
/* Some wait already for pthreads that have not made a call yet: no deadlock. */
FIXTURE_VARIANT_ADD(select, all_cpus){{.deadlock = PERCH_DEADLOCK_OFF}};
FIXTURE_VARIANT_ADD(select, alone){{.workers = 1, .deadlock = PERCH_DEADLOCK_OFF}};
FIXTURE_VARIANT_ADD(select, crowded){{.workers = 6, .deadlock = PERCH_DEADLOCK_OFF}};

FIXTURE_SETUP(select)
{
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(select)
{
	EXPECT_EQ(perch_stop(), 0);
}

TEST_F(select, fair)
{
	crew_run(fair, NULL);
}

/* ---- woken ---- */

enum { MANY = 200 };

struct sleeper {
	perch_select_case_t *k;
	unsigned n;
	uint32_t here;
	int chosen;
	bool timed;
};

static void *sleep_in_select(void *arg)
{
	struct sleeper *s = arg;
	struct timespec late = from_now(3600ull * 1000 * MS);

	count_up(&s->here);
	s->chosen = s->timed ? perch_timedselect(s->k, s->n, &late) : perch_select(s->k, s->n);
	return NULL;
}

enum { BY_SEND, BY_RECEIVE, BY_CLOSE_OF_SEND, BY_CLOSE_OF_RECEIVE, WAYS };

/* A select of n cases is woken through the one at `at`. */
static void wake_through(unsigned n, unsigned at, unsigned way, bool foreign, bool timed, bool asleep)
{
	bool sends = way == BY_RECEIVE || way == BY_CLOSE_OF_SEND;
	struct crew crew = {0};
	perch_chan_t *c[MANY];
	perch_select_case_t k[MANY];
	uint64_t v[MANY], got = 0;
	struct sleeper s = {k, n, 0, -1, timed};

	for (unsigned i = 0; i < n; i++) {
		v[i] = 1000 + i;
		c[i] = i % 5 == 4 && i != at ? NULL : make_chan(8, 0);
		k[i] = (i == at ? sends : i % 2) ? to_send(c[i], &v[i]) : to_receive(c[i], &v[i]);
	}
	crew_add(&crew, foreign, sleep_in_select, &s);
	ASSERT_TRUE(gather(&s.here, 1, 20));
	if (asleep)
		harness_delay(MS);
	switch (way) {
	case BY_SEND:
		got = 77;
		EXPECT_EQ(perch_chan_send(c[at], &got), 0);
		break;
	case BY_RECEIVE:
		EXPECT_EQ(perch_chan_recv(c[at], &got), 1);
		EXPECT_EQ(got, 1000 + at);
		break;
	default:
		EXPECT_EQ(perch_chan_close(c[at]), 0);
	}
	crew_join(&crew);
	EXPECT_EQ(s.chosen, at);
	EXPECT_EQ(k[at].result, way == BY_SEND ? 1 : way == BY_CLOSE_OF_SEND ? -EPIPE : 0);
	EXPECT_EQ(v[at], way == BY_SEND ? 77 : way == BY_CLOSE_OF_RECEIVE ? 0 : 1000 + at);
	EXPECT_TRUE(untouched_but(k, n, at));
	for (unsigned i = 0; i < n; i++) {
		EXPECT_TRUE(i == at || v[i] == 1000 + i);
		if (c[i] && i != at) {
			/* nobody is left in its queues */
			EXPECT_EQ(perch_chan_trysend(c[i], &got), -EAGAIN);
			EXPECT_EQ(perch_chan_tryrecv(c[i], &got), -EAGAIN);
		}
		if (c[i])
			EXPECT_EQ(perch_chan_destroy(c[i]), 0);
	}
}

TEST_F(select, woken_through_any_of_its_cases)
{
	static const unsigned sizes[] = {1, 2, 3, 8, 16, 17, 64, MANY};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (unsigned way = 0; way < WAYS; way++)
			for (unsigned round = 0; round < 8; round++) {
				unsigned n = sizes[i], at = (unsigned)harness_random_below(n);

				wake_through(n,
					     round == 0   ? 0
					     : round == 1 ? n - 1
							  : at,
					     way, round % 4 == 3, round % 2, round < 4);
			}
}

/* Several sends and receives of one channel in one select: it does not find
 * itself, and is not left behind in any queue. */
/* ---- one channel in several cases, when it had to wait ---- */

#define TURNS (SANITIZER_THREAD ? 200u : 600u)

/* Sends or receives TURNS times, each time once the other side waits. */
struct peer {
	perch_chan_t *chan;
	bool sends;
	unsigned taken[3]; /* by the value that came */
};

static void *deal_late(void *arg)
{
	struct peer *p = arg;
	uint64_t v = 0;

	for (unsigned i = 0; i < TURNS; i++) {
		perch_yield();
		if (p->sends) {
			ASSERT_EQ(perch_chan_send(p->chan, &v), 0);
		} else {
			ASSERT_EQ(perch_chan_recv(p->chan, &v), 1);
			p->taken[v]++;
		}
	}
	return NULL;
}

static void *select_among_three(void *arg)
{
	struct peer *p = arg;
	unsigned chosen[3] = {0};
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, deal_late, p), 0);
	for (unsigned i = 0; i < TURNS; i++) {
		uint64_t v[3] = {0, 1, 2};
		perch_select_case_t k[3];
		int which;

		for (int n = 0; n < 3; n++)
			k[n] = p->sends ? to_receive(p->chan, &v[n]) : to_send(p->chan, &v[n]);
		which = perch_select(k, 3);
		ASSERT_GE(which, 0);
		chosen[which]++;
	}
	ASSERT_EQ(perch_join(t, NULL), 0);
	for (int n = 0; n < 3; n++) {
		harness_log("case %d: %u of %u", n, chosen[n], TURNS);
		/* a third each; nine standard deviations and more */
		EXPECT_GT(chosen[n], TURNS / 3 - TURNS / 6);
		if (!p->sends)
			EXPECT_EQ(p->taken[n], chosen[n]);
	}
	return NULL;
}

TEST_F(select, each_case_of_one_channel_has_its_turn)
{
	perch_t t;

	(void)self;
	(void)variant;
	for (int sends = 0; sends < 2; sends++) {
		struct peer p = {make_chan(8, 0), sends, {0}};

		ASSERT_EQ(perch_create(&t, NULL, select_among_three, &p), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		ASSERT_EQ(perch_chan_destroy(p.chan), 0);
	}
}

TEST_F(select, a_channel_in_several_cases)
{
	for (unsigned way = 0; way < WAYS; way++)
		for (unsigned round = 0; round < 20; round++) {
			perch_chan_t *c = make_chan(8, 0), *d = make_chan(8, 0);
			uint64_t v[6] = {10, 11, 12, 13, 14, 15}, got = 0;
			perch_select_case_t k[6] = {
				to_receive(c, &v[0]), to_send(c, &v[1]), to_receive(d, &v[2]),
				to_receive(c, &v[3]), to_send(c, &v[4]), to_send(d, &v[5]),
			};
			struct sleeper s = {k, 6, 0, -1, round % 2};
			struct crew crew = {0};
			struct timespec soon = from_now(20000);

			EXPECT_EQ(perch_tryselect(k, 6), -EAGAIN);
			EXPECT_EQ(perch_timedselect(k, 6, &soon), -ETIMEDOUT);
			crew_add(&crew, round % 4 == 3, sleep_in_select, &s);
			ASSERT_TRUE(gather(&s.here, 1, 20));
			if (round < 10)
				harness_delay(MS);
			switch (way) {
			case BY_SEND:
				EXPECT_EQ(perch_chan_send(c, &(uint64_t){77}), 0);
				break;
			case BY_RECEIVE:
				EXPECT_EQ(perch_chan_recv(c, &got), 1);
				break;
			default:
				EXPECT_EQ(perch_chan_close(c), 0);
			}
			crew_join(&crew);
			ASSERT_TRUE(s.chosen >= 0 && s.chosen < 6 && k[s.chosen].chan == c);
			EXPECT_TRUE(untouched_but(k, 6, (unsigned)s.chosen));
			if (way == BY_SEND) {
				EXPECT_EQ(k[s.chosen].op, PERCH_RECV);
				EXPECT_EQ(k[s.chosen].result, 1);
				EXPECT_EQ(v[s.chosen], 77);
			} else if (way == BY_RECEIVE) {
				EXPECT_EQ(k[s.chosen].op, PERCH_SEND);
				EXPECT_EQ(k[s.chosen].result, 0);
				EXPECT_EQ(got, 10 + s.chosen);
			} else {
				EXPECT_EQ(k[s.chosen].result, k[s.chosen].op == PERCH_SEND ? -EPIPE : 0);
			}
			EXPECT_EQ(perch_chan_trysend(d, &got), -EAGAIN);
			EXPECT_EQ(perch_chan_tryrecv(d, &got), -EAGAIN);
			EXPECT_EQ(perch_chan_destroy(c), 0);
			EXPECT_EQ(perch_chan_destroy(d), 0);
		}
}

/* A select that was claimed through one channel is passed over in the others'
 * queues, for the next in line. Runs on one worker, so it has not woken yet. */
static void *passed_over(void *arg)
{
	perch_chan_t *a = make_chan(8, 0), *b = make_chan(8, 0);
	uint64_t v[4] = {0}, one = 1, two = 2;
	perch_select_case_t k[2] = {to_receive(a, &v[0]), to_receive(b, &v[1])}, only = to_receive(b, &v[2]);
	struct sleeper s = {k, 2, 0, -1, false}, next = {&only, 1, 0, -1, false};
	struct crew crew = {0};

	crew_add(&crew, false, sleep_in_select, &s);
	yield_until(&s.here, 1);
	crew_add(&crew, false, sleep_in_select, &next);
	yield_until(&next.here, 1);
	EXPECT_EQ(perch_chan_trysend(a, &one), 0);
	EXPECT_EQ(perch_chan_trysend(b, &two), 0);
	EXPECT_EQ(perch_chan_trysend(b, &two), -EAGAIN);
	/* it is in no queue any more, but it will come back to b's */
	EXPECT_EQ(perch_chan_destroy(b), -EBUSY);
	crew_join(&crew);
	EXPECT_EQ(s.chosen, 0);
	EXPECT_EQ(v[0], 1);
	EXPECT_EQ(v[1], 0);
	EXPECT_EQ(next.chosen, 0);
	EXPECT_EQ(v[2], 2);
	EXPECT_EQ(perch_chan_destroy(a), 0);
	EXPECT_EQ(perch_chan_destroy(b), 0);
	return arg;
}

TEST(claimed_elsewhere_is_passed_over)
{
	struct perch_config alone = {.workers = 1};

	ASSERT_EQ(perch_start(&alone), 0);
	crew_run(passed_over, NULL);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- two selects that face each other ---- */

struct face {
	perch_chan_t *a, *b;
	uint64_t sent, received, sum_sent, sum_received;
	uint32_t here;
	bool timed;
};

/* Sends on one and receives from the other, whichever comes: all do the same. */
static void *face_others(void *arg)
{
	struct face *f = arg;
	uint64_t sent = 0, received = 0, sum_sent = 0, sum_received = 0, out, in;
	int r = 0;

	for (uint64_t i = 1; r >= 0; i++) {
		bool swap = harness_random_below(2);
		perch_select_case_t k[4] = {
			to_send(swap ? f->a : f->b, &out),
			to_receive(swap ? f->b : f->a, &in),
			to_send(swap ? f->b : f->a, &out),
			to_receive(swap ? f->a : f->b, &in),
		};
		struct timespec t = from_now(harness_random_below(30000));

		in = 0;
		out = i;
		r = f->timed && i % 2 ? perch_timedselect(k, 4, &t) : perch_select(k, 4);
		if (r == -ETIMEDOUT) {
			r = 0;
			continue;
		}
		ASSERT_GE(r, 0);
		ASSERT_TRUE(untouched_but(k, 4, (unsigned)r));
		if (k[r].op == PERCH_SEND && k[r].result == 0) {
			sent++;
			sum_sent += out;
		} else if (k[r].op == PERCH_RECV && k[r].result == 1) {
			received++;
			sum_received += in;
		} else {
			ASSERT_EQ(k[r].result, k[r].op == PERCH_SEND ? -EPIPE : 0);
			break;
		}
		if (i == 2000)
			count_up(&f->here);
	}
	__atomic_add_fetch(&f->sent, sent, __ATOMIC_RELAXED);
	__atomic_add_fetch(&f->received, received, __ATOMIC_RELAXED);
	__atomic_add_fetch(&f->sum_sent, sum_sent, __ATOMIC_RELAXED);
	__atomic_add_fetch(&f->sum_received, sum_received, __ATOMIC_RELAXED);
	return NULL;
}

TEST_F_TIMEOUT(select, two_that_face_each_other, 120)
{
	for (unsigned round = 0; round < 8; round++) {
		struct face f = {.a = make_chan(8, 0), .b = make_chan(8, round / 4), .timed = round % 2};
		unsigned n = round % 4 < 2 ? 2 : 5;
		struct crew crew = {0};

		for (unsigned i = 0; i < n; i++)
			crew_add(&crew, i == 1, face_others, &f);
		ASSERT_TRUE(gather(&f.here, 1, 60));
		EXPECT_EQ(perch_chan_close(f.a), 0);
		crew_join(&crew);
		while (perch_chan_len(f.b)) {
			uint64_t in;

			EXPECT_EQ(perch_chan_recv(f.b, &in), 1);
			f.received++;
			f.sum_received += in;
		}
		EXPECT_EQ(f.sent, f.received);
		EXPECT_EQ(f.sum_sent, f.sum_received);
		EXPECT_GT(f.sent, 900);
		EXPECT_EQ(perch_chan_destroy(f.a), 0);
		EXPECT_EQ(perch_chan_destroy(f.b), 0);
	}
}

/* ---- closes that race with all of it ---- */

enum { PIPES = 4 };

struct storm {
	perch_chan_t *c[PIPES];
	uint64_t in, out; /* sums of what was sent, and received */
	uint32_t closed;
	size_t size;
};

/* An element's first word is its value, the last a check of it. */
static void put(uint64_t *e, size_t size, uint64_t v)
{
	e[0] = v;
	e[size / 8 - 1] = size > 8 ? ~v : v;
}

static uint64_t value_of(const uint64_t *e, size_t size)
{
	EXPECT_EQ(e[size / 8 - 1], size > 8 ? ~e[0] : e[0]);
	return e[0];
}

static void *storm(void *arg)
{
	struct storm *s = arg;
	uint64_t *in = malloc(s->size), *out = malloc(s->size), sum_in = 0, sum_out = 0;

	memset(in, 0, s->size);
	memset(out, 0, s->size);
	while (__atomic_load_n(&s->closed, __ATOMIC_ACQUIRE) < PIPES) {
		struct timespec t = from_now(harness_random_below(20000));
		uint64_t v = harness_random_below(1u << 20) + 1;
		perch_select_case_t k[40] = {{0}};
		/* some with more cases than fit on the stack, of few channels */
		unsigned n = 1 + (unsigned)harness_random_below(harness_random_below(4) ? 5 : 40);
		int r;

		put(out, s->size, v);
		for (unsigned i = 0; i < n; i++) {
			perch_chan_t *c = s->c[harness_random_below(PIPES)];

			k[i] = harness_random_below(2) ? to_send(c, out) : to_receive(c, in);
		}
		switch (harness_random_below(6)) {
		case 0:
			r = perch_select(k, n);
			break;
		case 1:
			r = perch_timedselect(k, n, &t);
			break;
		case 2:
			r = perch_tryselect(k, n);
			break;
		case 3:
			r = 0;
			k[0].result = k[0].op == PERCH_SEND ? perch_chan_send(k[0].chan, out)
							    : perch_chan_recv(k[0].chan, in);
			break;
		case 4:
			r = 0;
			k[0].result = k[0].op == PERCH_SEND ? perch_chan_timedsend(k[0].chan, out, &t)
							    : perch_chan_timedrecv(k[0].chan, in, &t);
			break;
		default:
			r = 0;
			k[0].result = k[0].op == PERCH_SEND ? perch_chan_trysend(k[0].chan, out)
							    : perch_chan_tryrecv(k[0].chan, in);
		}
		if (r >= 0 && k[r].op == PERCH_SEND && k[r].result == 0)
			sum_in += v;
		else if (r >= 0 && k[r].op == PERCH_RECV && k[r].result == 1)
			sum_out += value_of(in, s->size);
		else if (r < 0)
			ASSERT_TRUE(r == -EAGAIN || r == -ETIMEDOUT);
		if (harness_random_below(4) == 0)
			perch_yield();
	}
	free(in);
	free(out);
	__atomic_add_fetch(&s->in, sum_in, __ATOMIC_RELAXED);
	__atomic_add_fetch(&s->out, sum_out, __ATOMIC_RELAXED);
	return NULL;
}

TEST_F_TIMEOUT(select, closes_race_with_everything, 120)
{
	static const size_t element[] = {8, 16, 600, 4096};

	for (unsigned round = 0; round < 24; round++) {
		struct storm s = {.size = element[round % 4]};
		struct crew crew = {0};
		uint64_t *e = malloc(s.size);

		for (unsigned i = 0; i < PIPES; i++)
			s.c[i] = make_chan(s.size, (round + i) % 3);
		for (unsigned i = 0; i < 8; i++)
			crew_add(&crew, i % 4 == 3, storm, &s);
		for (unsigned i = 0; i < PIPES; i++) {
			harness_delay(10 * MS);
			EXPECT_EQ(perch_chan_close(s.c[i]), 0);
			count_up(&s.closed);
		}
		crew_join(&crew);
		for (unsigned i = 0; i < PIPES; i++) {
			while (perch_chan_recv(s.c[i], e) == 1)
				s.out += value_of(e, s.size);
			EXPECT_EQ(perch_chan_destroy(s.c[i]), 0);
		}
		EXPECT_EQ(s.in, s.out);
		free(e);
	}
}
