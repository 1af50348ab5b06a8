/* SPDX-License-Identifier: MIT */
/*
 * chan_stress_test.c - elements go from channel to channel in every way there
 * is: sent and received, by select, with and without an end to the waiting,
 * while channels are closed under them. What was sent must have been received.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stress/rounds.h"

enum { PIPES = 5, THREADS = 8, PTHREADS = 3 };

/* So large that it goes by turns (core/chan/chan.h), and so small that it does not. */
static const uint8_t words[] = {1, 3, 100};

struct net {
	perch_chan_t *pipe[PIPES];
	uint32_t words;
	uint32_t open; /* so many: nobody waits for ever once it is zero */
	uint64_t sent, received, sum_sent, sum_received;
};

struct tally {
	uint64_t sent, received, sum_sent, sum_received;
};

static struct timespec soon(void)
{
	uint64_t at = harness_now() + harness_random_below(30000);

	return (struct timespec){(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
}

static void put(uint64_t *e, uint32_t n, uint64_t value)
{
	for (uint32_t i = 0; i < n; i++)
		e[i] = value + i;
}

static void check(const uint64_t *e, uint32_t n, uint64_t value)
{
	for (uint32_t i = 0; i < n; i++)
		ASSERT_EQ(e[i], value ? value + i : 0);
}

static int one_call(perch_select_case_t *k)
{
	struct timespec t = soon();
	bool send = k->op == PERCH_SEND;

	switch (harness_random_below(3)) {
	case 0:
		return send ? perch_chan_send(k->chan, k->value) : perch_chan_recv(k->chan, k->value);
	case 1:
		return send ? perch_chan_timedsend(k->chan, k->value, &t) : perch_chan_timedrecv(k->chan, k->value, &t);
	default:
		return send ? perch_chan_trysend(k->chan, k->value) : perch_chan_tryrecv(k->chan, k->value);
	}
}

static int one_select(perch_select_case_t *k, unsigned n)
{
	struct timespec t = soon();

	switch (harness_random_below(3)) {
	case 0:
		return perch_select(k, n);
	case 1:
		return perch_timedselect(k, n, &t);
	default:
		return perch_tryselect(k, n);
	}
}

static void one_step(struct net *net, uint64_t *in, uint64_t *out, struct tally *tally)
{
	unsigned n = 1 + (unsigned)harness_random_below(harness_random_below(8) ? 4 : 20);
	uint64_t value = 1 + harness_random_below(1u << 30);
	perch_select_case_t k[20] = {{0}};
	int chosen = 0;

	put(out, net->words, value);
	memset(in, 0x11, net->words * sizeof(*in));
	for (unsigned i = 0; i < n; i++)
		k[i] = (perch_select_case_t){
			.chan = net->pipe[harness_random_below(PIPES)],
			.op = harness_random_below(2) ? PERCH_SEND : PERCH_RECV,
		};
	for (unsigned i = 0; i < n; i++)
		k[i].value = k[i].op == PERCH_SEND ? out : in;
	if (harness_random_below(2))
		k[0].result = one_call(&k[0]);
	else
		chosen = one_select(k, n);
	if (chosen < 0) {
		ASSERT_TRUE(chosen == -EAGAIN || chosen == -ETIMEDOUT);
		check(out, net->words, value);
		return;
	}
	check(out, net->words, value);
	if (k[chosen].op == PERCH_SEND) {
		if (k[chosen].result == 0) {
			tally->sent++;
			tally->sum_sent += value;
			moved();
		} else {
			ASSERT_TRUE(k[chosen].result == -EPIPE || k[chosen].result == -EAGAIN ||
				    k[chosen].result == -ETIMEDOUT);
		}
	} else if (k[chosen].result == 1) {
		tally->received++;
		tally->sum_received += in[0];
		check(in, net->words, in[0]);
		moved();
	} else if (k[chosen].result == 0) {
		check(in, net->words, 0);
	} else {
		ASSERT_TRUE(k[chosen].result == -EAGAIN || k[chosen].result == -ETIMEDOUT);
	}
}

static void add(uint64_t *to, uint64_t n)
{
	__atomic_add_fetch(to, n, __ATOMIC_RELAXED);
}

static void *trade(void *arg)
{
	struct net *net = arg;
	struct tally tally = {0, 0, 0, 0};
	uint64_t *in = calloc(net->words, sizeof(*in)), *out = calloc(net->words, sizeof(*out));

	while (__atomic_load_n(&net->open, __ATOMIC_ACQUIRE)) {
		one_step(net, in, out, &tally);
		if (harness_random_below(8) == 0)
			perch_yield();
		if (harness_random_below(64) == 0)
			compute(5000);
	}
	free(in);
	free(out);
	add(&net->sent, tally.sent);
	add(&net->received, tally.received);
	add(&net->sum_sent, tally.sum_sent);
	add(&net->sum_received, tally.sum_received);
	return NULL;
}

/* One after another, at random times, while the others trade on. */
static void close_all(struct net *net)
{
	for (unsigned i = 0; i < PIPES; i++) {
		struct timespec nap = {0, (long)harness_random_below(10000000)};

		nanosleep(&nap, NULL);
		ASSERT_EQ(perch_chan_close(net->pipe[i]), 0);
		ASSERT_EQ(perch_chan_close(net->pipe[i]), -EALREADY);
		__atomic_sub_fetch(&net->open, 1, __ATOMIC_ACQ_REL);
		moved();
	}
}

static void one_net(void)
{
	struct net net = {.words = words[harness_random_below(sizeof(words))], .open = PIPES};
	unsigned pthreads = (unsigned)harness_random_below(PTHREADS + 1);
	pthread_t p[PTHREADS];
	perch_t t[THREADS];
	uint64_t *e = malloc(net.words * sizeof(*e));

	for (unsigned i = 0; i < PIPES; i++)
		ASSERT_EQ(perch_chan_create(&net.pipe[i], net.words * 8, harness_random_below(4)), 0);
	for (unsigned i = 0; i < THREADS; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, trade, &net), 0);
	for (unsigned i = 0; i < pthreads; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, trade, &net), 0);
	close_all(&net);
	for (unsigned i = 0; i < THREADS; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	for (unsigned i = 0; i < pthreads; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	for (unsigned i = 0; i < PIPES; i++) {
		while (perch_chan_recv(net.pipe[i], e) == 1) {
			net.received++;
			net.sum_received += e[0];
			check(e, net.words, e[0]);
		}
		ASSERT_EQ(perch_chan_destroy(net.pipe[i]), 0);
	}
	ASSERT_EQ(net.sent, net.received);
	ASSERT_EQ(net.sum_sent, net.sum_received);
	free(e);
}

STRESS(channels_lose_nothing_and_double_nothing)
{
	rounds_begin(1);
	while (rounds_next())
		while (round_goes_on())
			one_net();
}

/* ---- each element through a chain, whose channels are gone as soon as it is through ---- */

struct link {
	perch_chan_t *from, *to;
};

static void *pass_along(void *arg)
{
	struct link *l = arg;
	uint64_t v;

	while (perch_chan_recv(l->from, &v) == 1) {
		v++;
		ASSERT_EQ(perch_chan_send(l->to, &v), 0);
		moved();
	}
	/* whoever sees the end of a channel is the last at it */
	ASSERT_EQ(perch_chan_destroy(l->from), 0);
	ASSERT_EQ(perch_chan_close(l->to), 0);
	return NULL;
}

static void one_chain(void)
{
	enum { LINKS = 12, ELEMENTS = 200 };
	perch_chan_t *c[LINKS + 1];
	struct link link[LINKS];
	perch_t t[LINKS];
	pthread_t p[LINKS];
	uint64_t sent = 0, received = 0, v;

	for (unsigned i = 0; i <= LINKS; i++)
		ASSERT_EQ(perch_chan_create(&c[i], 8, harness_random_below(3)), 0);
	for (unsigned i = 0; i < LINKS; i++) {
		link[i] = (struct link){c[i], c[i + 1]};
		if (i % 6 == 5)
			ASSERT_EQ(pthread_create(&p[i], NULL, pass_along, &link[i]), 0);
		else
			ASSERT_EQ(perch_create(&t[i], NULL, pass_along, &link[i]), 0);
	}
	/* this pthread is at both ends */
	while (received < ELEMENTS) {
		uint64_t next = sent * 100, got = 0;
		perch_select_case_t k[2] = {{sent < ELEMENTS ? c[0] : NULL, PERCH_SEND, &next, 0},
					    {c[LINKS], PERCH_RECV, &got, 0}};

		if (perch_select(k, 2) == 0) {
			ASSERT_EQ(k[0].result, 0);
			sent++;
		} else {
			ASSERT_EQ(k[1].result, 1);
			ASSERT_EQ(got, received * 100 + LINKS);
			received++;
		}
	}
	ASSERT_EQ(perch_chan_close(c[0]), 0);
	ASSERT_EQ(perch_chan_recv(c[LINKS], &v), 0);
	for (unsigned i = 0; i < LINKS; i++)
		if (i % 6 == 5)
			ASSERT_EQ(pthread_join(p[i], NULL), 0);
		else
			ASSERT_EQ(perch_join(t[i], NULL), 0);
	ASSERT_EQ(perch_chan_destroy(c[LINKS]), 0);
}

STRESS(a_chain_is_in_order_to_its_end)
{
	rounds_begin(1);
	while (rounds_next())
		while (round_goes_on())
			one_chain();
}
