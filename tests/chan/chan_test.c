/* SPDX-License-Identifier: MIT */
/* chan_test.c - send, receive, close: each cell of the table in perch/chan.h, and what must hold beside it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rseq/sanitizer.h"
#include "tests/chan/crew.h"

#define MS 1000000u

TEST(arguments)
{
	struct timespec past = {0, 0}, bad = {0, 1000000000}, negative = {0, -1};
	perch_chan_t *c = NULL;
	uint64_t v = 7;

	EXPECT_EQ(perch_chan_create(NULL, 8, 1), -EINVAL);
	EXPECT_EQ(perch_chan_create(&c, PERCH_CHAN_ELEMENT_MAX + 1, 1), -EINVAL);
	EXPECT_EQ(perch_chan_create(&c, SIZE_MAX, 1), -EINVAL);
	EXPECT_EQ(perch_chan_create(&c, 8, SIZE_MAX), -ENOMEM);
	EXPECT_EQ(perch_chan_create(&c, 8, SIZE_MAX / 8 + 1), -ENOMEM);
	EXPECT_EQ(perch_chan_create(&c, 65536, SIZE_MAX / 65536), -ENOMEM);
	EXPECT_EQ(perch_chan_create(&c, 0, SIZE_MAX), -ENOMEM);
	EXPECT_NULL(c);
	EXPECT_EQ(perch_chan_destroy(NULL), -EINVAL);
	EXPECT_EQ(perch_chan_close(NULL), -EINVAL);

	for (size_t capacity = 0; capacity < 3; capacity++) {
		c = make_chan(8, capacity);
		EXPECT_EQ(perch_chan_send(c, NULL), -EINVAL);
		EXPECT_EQ(perch_chan_trysend(c, NULL), -EINVAL);
		EXPECT_EQ(perch_chan_timedsend(c, NULL, &past), -EINVAL);
		EXPECT_EQ(perch_chan_timedsend(c, &v, NULL), -EINVAL);
		EXPECT_EQ(perch_chan_timedsend(c, &v, &bad), -EINVAL);
		EXPECT_EQ(perch_chan_timedsend(c, &v, &negative), -EINVAL);
		EXPECT_EQ(perch_chan_timedrecv(c, &v, NULL), -EINVAL);
		EXPECT_EQ(perch_chan_timedrecv(c, &v, &bad), -EINVAL);
		EXPECT_EQ(perch_chan_timedrecv(NULL, &v, &bad), -EINVAL);
		EXPECT_EQ(perch_chan_len(c), 0);
		EXPECT_EQ(perch_chan_cap(c), capacity);
		EXPECT_EQ(perch_chan_destroy(c), 0);
	}
	/* signals take no room, however many */
	c = make_chan(0, (size_t)1 << 40);
	for (int i = 0; i < 1000; i++)
		EXPECT_EQ(perch_chan_send(c, NULL), 0);
	EXPECT_EQ(perch_chan_len(c), 1000);
	for (int i = 0; i < 1000; i++)
		EXPECT_EQ(perch_chan_recv(c, i % 2 ? &v : NULL), 1);
	EXPECT_EQ(perch_chan_tryrecv(c, NULL), -EAGAIN);
	EXPECT_EQ(v, 7);
	EXPECT_EQ(perch_chan_destroy(c), 0);
}

/* ---- the table: what does not wait, by one pthread, with no runtime ---- */

static const size_t sizes[] = {0, 1, 3, 4, 8, 12, 24, 64, 72, 511, 512, 4096, 65536};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

/* An element that is told from its neighbours by every byte. */
static void fill(unsigned char *e, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		e[i] = (unsigned char)(seed * 31 + i * 7 + 1);
}

static bool filled(const unsigned char *e, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		if (e[i] != (unsigned char)(seed * 31 + i * 7 + 1))
			return false;
	return true;
}

static bool all(const unsigned char *e, size_t size, unsigned char byte)
{
	for (size_t i = 0; i < size; i++)
		if (e[i] != byte)
			return false;
	return true;
}

static unsigned char out[65536 + 1], in[65536 + 1];

static void expect_full(perch_chan_t *c)
{
	struct timespec past = {0, 0};

	EXPECT_EQ(perch_chan_trysend(c, out), -EAGAIN);
	EXPECT_EQ(perch_chan_timedsend(c, out, &past), -ETIMEDOUT);
	EXPECT_EQ(perch_chan_len(c), perch_chan_cap(c));
}

static void expect_empty(perch_chan_t *c, size_t size)
{
	struct timespec past = {0, 0};

	memset(in, 0xa5, sizeof(in));
	EXPECT_EQ(perch_chan_tryrecv(c, in), -EAGAIN);
	EXPECT_EQ(perch_chan_timedrecv(c, in, &past), -ETIMEDOUT);
	EXPECT_TRUE(all(in, size + 1, 0xa5));
	EXPECT_EQ(perch_chan_len(c), 0);
}

/* In each form, in turn. A time that has passed does not hinder what can be done at once. */
static int send_in_turn(perch_chan_t *c, const void *value, unsigned turn)
{
	struct timespec past = {0, 0};

	switch (turn % 3) {
	case 0:
		return perch_chan_send(c, value);
	case 1:
		return perch_chan_trysend(c, value);
	default:
		return perch_chan_timedsend(c, value, &past);
	}
}

static int receive_in_turn(perch_chan_t *c, void *value, unsigned turn)
{
	struct timespec past = {0, 0};

	switch (turn % 3) {
	case 0:
		return perch_chan_recv(c, value);
	case 1:
		return perch_chan_tryrecv(c, value);
	default:
		return perch_chan_timedrecv(c, value, &past);
	}
}

TEST(open_and_closed)
{
	for (unsigned s = 0; s < SIZES; s++)
		for (size_t capacity = 0; capacity < 6; capacity++) {
			size_t size = sizes[s];
			perch_chan_t *c = make_chan(size, capacity);
			unsigned sent = 0, received = 0;

			expect_empty(c, size);
			/* round the ring a few times, more or less full */
			for (unsigned round = 0; round < 10 && capacity; round++) {
				for (unsigned n = (unsigned)(1 + round % capacity); n; n--) {
					if (perch_chan_len(c) == capacity) {
						expect_full(c);
						break;
					}
					fill(out, size, sent);
					EXPECT_EQ(send_in_turn(c, out, sent++), 0);
				}
				for (unsigned n = (unsigned)(1 + (round + 1) % capacity); n && received < sent; n--) {
					memset(in, 0xa5, sizeof(in));
					if (received % 5 == 4) {
						EXPECT_EQ(receive_in_turn(c, NULL, received++), 1);
						continue;
					}
					EXPECT_EQ(receive_in_turn(c, in, received), 1);
					EXPECT_TRUE(filled(in, size, received++));
					EXPECT_EQ(in[size], 0xa5);
				}
				EXPECT_EQ(perch_chan_len(c), sent - received);
			}
			while (perch_chan_len(c) < capacity) {
				fill(out, size, sent);
				EXPECT_EQ(perch_chan_send(c, out), 0);
				sent++;
			}
			expect_full(c);

			EXPECT_EQ(perch_chan_close(c), 0);
			EXPECT_EQ(perch_chan_close(c), -EALREADY);
			EXPECT_EQ(perch_chan_len(c), capacity);
			EXPECT_EQ(perch_chan_cap(c), capacity);
			for (unsigned turn = 0; turn < 3; turn++)
				EXPECT_EQ(send_in_turn(c, out, turn), -EPIPE);
			for (; received < sent; received++) {
				memset(in, 0xa5, sizeof(in));
				EXPECT_EQ(receive_in_turn(c, in, received), 1);
				EXPECT_TRUE(filled(in, size, received));
			}
			for (unsigned turn = 0; turn < 3; turn++) {
				memset(in, 0xa5, sizeof(in));
				EXPECT_EQ(receive_in_turn(c, in, turn), 0);
				EXPECT_TRUE(all(in, size, 0));
				EXPECT_EQ(in[size], 0xa5);
				EXPECT_EQ(receive_in_turn(c, NULL, turn), 0);
				EXPECT_EQ(send_in_turn(c, out, turn), -EPIPE);
			}
			EXPECT_EQ(perch_chan_len(c), 0);
			EXPECT_EQ(perch_chan_cap(c), capacity);
			EXPECT_EQ(perch_chan_close(c), -EALREADY);
			EXPECT_EQ(perch_chan_destroy(c), 0);
		}
}

TEST(what_a_destroyed_one_held_is_dropped)
{
	for (unsigned s = 0; s < SIZES; s++) {
		perch_chan_t *c = make_chan(sizes[s], 3);

		EXPECT_EQ(perch_chan_send(c, out), 0);
		EXPECT_EQ(perch_chan_send(c, out), 0);
		EXPECT_EQ(perch_chan_recv(c, NULL), 1);
		EXPECT_EQ(perch_chan_send(c, out), 0);
		EXPECT_EQ(perch_chan_send(c, out), 0);
		EXPECT_EQ(perch_chan_destroy(c), 0);
	}
}

/* ---- the NULL channel ---- */

struct lost {
	uint32_t before, after;
};

static void *receive_from_null(void *arg)
{
	struct lost *l = arg;

	count_up(&l->before);
	perch_chan_recv(NULL, NULL);
	count_up(&l->after);
	return NULL;
}

static void *send_to_null(void *arg)
{
	struct lost *l = arg;

	count_up(&l->before);
	perch_chan_send(NULL, l);
	count_up(&l->after);
	return NULL;
}

static void null_does_not_wait_for_ever(void)
{
	uint64_t begun = harness_now();
	struct timespec soon = from_now(20 * MS), past = {0, 0};

	EXPECT_EQ(perch_chan_trysend(NULL, &soon), -EAGAIN);
	EXPECT_EQ(perch_chan_tryrecv(NULL, NULL), -EAGAIN);
	EXPECT_EQ(perch_chan_timedsend(NULL, NULL, &past), -ETIMEDOUT);
	EXPECT_EQ(perch_chan_timedrecv(NULL, NULL, &past), -ETIMEDOUT);
	EXPECT_EQ(perch_chan_timedsend(NULL, NULL, &soon), -ETIMEDOUT);
	EXPECT_GE(harness_now() - begun, 20 * MS);
	begun = harness_now(); /* before the time is set: on a busy machine it may be long after */
	soon = from_now(20 * MS);
	EXPECT_EQ(perch_chan_timedrecv(NULL, NULL, &soon), -ETIMEDOUT);
	EXPECT_GE(harness_now() - begun, 20 * MS);
	soon = from_now(2 * MS);
	EXPECT_EQ(perch_timedselect(NULL, 0, &soon), -ETIMEDOUT);
	EXPECT_EQ(perch_chan_close(NULL), -EINVAL);
	EXPECT_EQ(perch_chan_len(NULL), 0);
	EXPECT_EQ(perch_chan_cap(NULL), 0);
}

static void *null_in_thread(void *arg)
{
	null_does_not_wait_for_ever();
	return arg;
}

/* In a child, which ends with those waiting still. */
static void wait_at_null(void *arg)
{
	struct perch_config config = {.deadlock = PERCH_DEADLOCK_OFF};
	static struct lost l;
	struct perch_stats s;
	pthread_t p;
	perch_t t;

	(void)arg;
	null_does_not_wait_for_ever();
	ASSERT_EQ(perch_start(&config), 0);
	null_does_not_wait_for_ever();
	crew_run(null_in_thread, NULL);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(perch_create(&t, NULL, i ? send_to_null : receive_from_null, &l), 0);
		ASSERT_EQ(pthread_create(&p, NULL, i ? send_to_null : receive_from_null, &l), 0);
	}
	ASSERT_TRUE(gather(&l.before, 4, 20));
	/* they sleep, and take no worker from the others */
	do
		ASSERT_EQ(perch_stats_get(&s), 0);
	while (s.parks < 2);
	for (int i = 0; i < 20; i++)
		crew_run(null_in_thread, NULL);
	EXPECT_EQ(__atomic_load_n(&l.after, __ATOMIC_ACQUIRE), 0);
}

TEST(null)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, wait_at_null, NULL), 0);
	EXPECT_EQ(c.status, 0);
	harness_release(&c);
}

/* ---- in the child of a fork() ---- */

static void in_child(void *arg)
{
	struct timespec soon = from_now(3600ull * 1000 * MS);
	perch_chan_t *unbuffered = make_chan(8, 0), *buffered = make_chan(8, 1);
	uint64_t v = 5;
	perch_select_case_t k[2] = {{unbuffered, PERCH_SEND, &v, 0}, {buffered, PERCH_RECV, &v, 0}};

	(void)arg;
	EXPECT_EQ(perch_chan_send(unbuffered, &v), -EPERM);
	EXPECT_EQ(perch_chan_timedsend(unbuffered, &v, &soon), -EPERM);
	EXPECT_EQ(perch_chan_recv(unbuffered, &v), -EPERM);
	EXPECT_EQ(perch_chan_timedrecv(unbuffered, &v, &soon), -EPERM);
	EXPECT_EQ(perch_chan_send(NULL, &v), -EPERM);
	EXPECT_EQ(perch_chan_timedrecv(NULL, &v, &soon), -EPERM);
	EXPECT_EQ(perch_select(k, 2), -EPERM);
	EXPECT_EQ(perch_timedselect(k, 2, &soon), -EPERM);
	EXPECT_EQ(perch_select(NULL, 0), -EPERM);
	/* what need not wait */
	EXPECT_EQ(perch_chan_trysend(unbuffered, &v), -EAGAIN);
	EXPECT_EQ(perch_tryselect(k, 2), -EAGAIN);
	EXPECT_EQ(perch_chan_send(buffered, &v), 0);
	EXPECT_EQ(perch_chan_send(buffered, &v), -EPERM);
	v = 0;
	EXPECT_EQ(perch_select(k, 2), 1);
	EXPECT_EQ(v, 5);
	EXPECT_EQ(k[1].result, 1);
	EXPECT_EQ(perch_chan_close(unbuffered), 0);
	EXPECT_EQ(perch_chan_recv(unbuffered, &v), 0);
	EXPECT_EQ(perch_chan_destroy(unbuffered), 0);
	EXPECT_EQ(perch_chan_destroy(buffered), 0);
}

static void *fork_in_thread(void *arg)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, in_child, NULL), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, "fork()");
	harness_release(&c);
	return arg;
}

TEST(waiting_in_a_forked_child)
{
	perch_attr_t a;
	perch_t t;

	ASSERT_EQ(perch_start(NULL), 0);
	fork_in_thread(NULL);
	perch_attr_init(&a);
	perch_attr_setstacksize(&a, (size_t)1 << 20);
	ASSERT_EQ(perch_create(&t, &a, fork_in_thread, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- every element once, in order ---- */

struct flow {
	perch_chan_t *c;
	size_t size;
	unsigned each; /* elements of a producer */
	uint32_t producing;
	uint64_t received, sum;
};

struct source {
	struct flow *flow;
	unsigned index;
};

struct tag {
	uint32_t producer, number;
};

static void *produce(void *arg)
{
	struct source *s = arg;
	struct flow *f = s->flow;
	unsigned char *e = malloc(f->size + 1);

	for (unsigned i = 0; i < f->each; i++) {
		struct tag tag = {s->index, i};

		fill(e, f->size, s->index * 7 + i);
		if (f->size >= sizeof(tag))
			memcpy(e, &tag, sizeof(tag));
		ASSERT_EQ(perch_chan_send(f->c, e), 0);
		memset(e, 0xee, f->size); /* it is ours again */
		if (i % 16 == 0)
			perch_yield();
	}
	free(e);
	if (__atomic_sub_fetch(&f->producing, 1, __ATOMIC_ACQ_REL) == 0)
		ASSERT_EQ(perch_chan_close(f->c), 0);
	return NULL;
}

static void *consume(void *arg)
{
	struct flow *f = arg;
	uint32_t next[CREW_MOST] = {0};
	unsigned char *e = malloc(f->size + 1);
	uint64_t received = 0, sum = 0;
	int r;

	e[f->size] = 0x5a;
	while ((r = perch_chan_recv(f->c, e)) == 1) {
		received++;
		if (f->size >= sizeof(struct tag)) {
			struct tag tag;

			memcpy(&tag, e, sizeof(tag));
			ASSERT_LT(tag.producer, CREW_MOST);
			/* of one producer each sees an ascending sequence */
			ASSERT_GE(tag.number, next[tag.producer]);
			next[tag.producer] = tag.number + 1;
			sum += tag.producer * 1000003ull + tag.number;
			for (size_t i = sizeof(tag); i < f->size; i++)
				if (e[i] != (unsigned char)((tag.producer * 7 + tag.number) * 31 + i * 7 + 1))
					ASSERT_EQ(i, 0);
		}
		ASSERT_EQ(e[f->size], 0x5a);
	}
	ASSERT_EQ(r, 0);
	EXPECT_TRUE(all(e, f->size, 0));
	__atomic_add_fetch(&f->received, received, __ATOMIC_RELAXED);
	__atomic_add_fetch(&f->sum, sum, __ATOMIC_RELAXED);
	free(e);
	return NULL;
}

/* Numbers of threads and pthreads at either end. */
static void flow(size_t size, size_t capacity, unsigned each, unsigned threads, unsigned pthreads)
{
	struct flow f = {.c = make_chan(size, capacity), .size = size, .each = each, .producing = threads + pthreads};
	struct source source[CREW_MOST];
	struct crew crew = {0};
	uint64_t sum = 0;

	for (unsigned i = 0; i < threads + pthreads; i++) {
		source[i] = (struct source){&f, i};
		crew_add(&crew, i >= threads, produce, &source[i]);
		crew_add(&crew, i >= threads, consume, &f);
		for (unsigned k = 0; k < each; k++)
			sum += i * 1000003ull + k;
	}
	crew_join(&crew);
	EXPECT_EQ(f.received, (uint64_t)each * (threads + pthreads));
	if (size >= sizeof(struct tag))
		EXPECT_EQ(f.sum, sum);
	EXPECT_EQ(perch_chan_len(f.c), 0);
	EXPECT_EQ(perch_chan_destroy(f.c), 0);
}

static void flows(unsigned threads, unsigned pthreads)
{
	static const size_t capacities[] = {0, 1, 3, 64};
	static const size_t elements[] = {0, 1, 4, 8, 24, 4096, 65536};

	for (unsigned s = 0; s < sizeof(elements) / sizeof(elements[0]); s++)
		for (unsigned c = 0; c < sizeof(capacities) / sizeof(capacities[0]); c++)
			flow(elements[s], capacities[c], elements[s] > 100 ? 50 : 400, threads, pthreads);
}

FIXTURE(chan)
{
	int unused;
};
FIXTURE_VARIANT(chan)
{
	struct perch_config config;
};
/* Some wait already for pthreads that have not made a call yet: no deadlock. */
FIXTURE_VARIANT_ADD(chan, all_cpus){{.deadlock = PERCH_DEADLOCK_OFF}};
FIXTURE_VARIANT_ADD(chan, alone){{.workers = 1, .deadlock = PERCH_DEADLOCK_OFF}};
FIXTURE_VARIANT_ADD(chan, crowded){{.workers = 6, .deadlock = PERCH_DEADLOCK_OFF}};

FIXTURE_SETUP(chan)
{
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(chan)
{
	EXPECT_EQ(perch_stop(), 0);
}

TEST_F_TIMEOUT(chan, every_element_once, 120)
{
	flows(4, 0);
}

TEST_F_TIMEOUT(chan, every_element_once_with_pthreads, 120)
{
	flows(2, 2);
}

TEST_TIMEOUT(every_element_once_without_a_runtime, 120)
{
	flows(0, 2);
}

TEST_F(chan, one_to_one_is_in_order)
{
	for (size_t capacity = 0; capacity < 130; capacity = 2 * capacity + 1)
		for (unsigned foreign = 0; foreign < 2; foreign++)
			flow(8, capacity, foreign ? 1000 : 20000, !foreign, foreign);
}

/* ---- primes ---- */

struct sieve {
	perch_chan_t *from, *to;
	int prime;
};

static void *sift(void *arg)
{
	struct sieve *s = arg;
	int n;

	while (perch_chan_recv(s->from, &n) == 1)
		if (n % s->prime)
			ASSERT_EQ(perch_chan_send(s->to, &n), 0);
	ASSERT_EQ(perch_chan_close(s->to), 0);
	return NULL;
}

struct numbers {
	perch_chan_t *to;
	int end;
};

static void *count(void *arg)
{
	struct numbers *s = arg;

	for (int n = 2; n < s->end; n++)
		ASSERT_EQ(perch_chan_send(s->to, &n), 0);
	ASSERT_EQ(perch_chan_close(s->to), 0);
	return NULL;
}

TEST_F_TIMEOUT(chan, primes, 120)
{
	enum { END = 1000, PRIMES = 168 };
	static struct sieve sieve[PRIMES + 1];
	static perch_t thread[PRIMES + 1];
	struct numbers numbers = {make_chan(sizeof(int), 0), END};
	perch_chan_t *c = numbers.to;
	unsigned found = 0;
	int prime, last = 0;
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, count, &numbers), 0);
	/* this pthread asks each new sieve for its first number */
	while (perch_chan_recv(c, &prime) == 1) {
		ASSERT_LT(found, PRIMES);
		for (int d = 2; d * d <= prime; d++)
			ASSERT_NE(prime % d, 0);
		EXPECT_GT(prime, last);
		last = prime;
		sieve[found] = (struct sieve){c, make_chan(sizeof(int), found % 3), prime};
		c = sieve[found].to;
		ASSERT_EQ(perch_create(&thread[found], NULL, sift, &sieve[found]), 0);
		found++;
	}
	EXPECT_EQ(found, PRIMES);
	EXPECT_EQ(last, 997);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(perch_chan_destroy(numbers.to), 0);
	for (unsigned i = 0; i < found; i++) {
		ASSERT_EQ(perch_join(thread[i], NULL), 0);
		EXPECT_EQ(perch_chan_destroy(sieve[i].to), 0);
	}
}

/* ---- who waits is served in the order in which he came ---- */

enum { QUEUE = 20 };

struct in_line {
	perch_chan_t *c;
	uint32_t *come;
	int value, result;
	bool timed;
};

static void *receive_in_line(void *arg)
{
	struct in_line *l = arg;
	struct timespec late = from_now(3600ull * 1000 * MS);

	count_up(l->come);
	l->result = l->timed ? perch_chan_timedrecv(l->c, &l->value, &late) : perch_chan_recv(l->c, &l->value);
	return NULL;
}

static void *send_in_line(void *arg)
{
	struct in_line *l = arg;
	struct timespec late = from_now(3600ull * 1000 * MS);

	count_up(l->come);
	l->result = l->timed ? perch_chan_timedsend(l->c, &l->value, &late) : perch_chan_send(l->c, &l->value);
	return NULL;
}

static void line_up(struct in_line *l, perch_t *t, perch_chan_t *c, uint32_t *come, void *(*fn)(void *))
{
	*come = 0;
	for (unsigned i = 0; i < QUEUE; i++) {
		l[i] = (struct in_line){c, come, (int)i + 1, 55, i % 3 == 1};
		ASSERT_EQ(perch_create(&t[i], NULL, fn, &l[i]), 0);
		yield_until(come, i + 1);
	}
}

static void join_line(const perch_t *t)
{
	for (unsigned i = 0; i < QUEUE; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
}

/* Runs alone on one worker. */
static void *lines(void *arg)
{
	size_t capacity = *(size_t *)arg;
	struct in_line l[QUEUE];
	perch_t t[QUEUE];
	uint32_t come;

	for (unsigned closed = 0; closed < 2; closed++) {
		perch_chan_t *c = make_chan(sizeof(int), capacity);

		line_up(l, t, c, &come, receive_in_line);
		EXPECT_EQ(perch_chan_destroy(c), -EBUSY);
		EXPECT_EQ(perch_chan_len(c), 0);
		for (unsigned i = 0; i < QUEUE && !closed; i++) {
			int v = 100 + (int)i;

			/* handed over, whatever the capacity */
			EXPECT_EQ(perch_chan_trysend(c, &v), 0);
			EXPECT_EQ(perch_chan_len(c), 0);
		}
		if (closed)
			EXPECT_EQ(perch_chan_close(c), 0);
		join_line(t);
		for (unsigned i = 0; i < QUEUE; i++) {
			EXPECT_EQ(l[i].result, closed ? 0 : 1);
			EXPECT_EQ(l[i].value, closed ? 0 : 100 + (int)i);
		}
		EXPECT_EQ(perch_chan_destroy(c), 0);
	}
	for (unsigned closed = 0; closed < 2; closed++) {
		perch_chan_t *c = make_chan(sizeof(int), capacity);
		int v;

		for (int i = 0; i < (int)capacity; i++) {
			v = -i;
			EXPECT_EQ(perch_chan_trysend(c, &v), 0);
		}
		line_up(l, t, c, &come, send_in_line);
		v = 77;
		EXPECT_EQ(perch_chan_trysend(c, &v), -EAGAIN);
		EXPECT_EQ(perch_chan_destroy(c), -EBUSY);
		EXPECT_EQ(perch_chan_len(c), capacity);
		if (closed)
			EXPECT_EQ(perch_chan_close(c), 0);
		/* first what was buffered, then what the senders have brought, each in turn */
		for (int i = 0; i < (int)capacity; i++) {
			EXPECT_EQ(perch_chan_tryrecv(c, &v), 1);
			EXPECT_EQ(v, -i);
			EXPECT_EQ(perch_chan_len(c), closed ? capacity - 1 - (unsigned)i : capacity);
		}
		for (int i = 0; i < QUEUE && !closed; i++) {
			EXPECT_EQ(perch_chan_tryrecv(c, &v), 1);
			EXPECT_EQ(v, 1 + i);
		}
		EXPECT_EQ(perch_chan_tryrecv(c, &v), closed ? 0 : -EAGAIN);
		join_line(t);
		for (unsigned i = 0; i < QUEUE; i++) {
			EXPECT_EQ(l[i].result, closed ? -EPIPE : 0);
			EXPECT_EQ(l[i].value, (int)i + 1);
		}
		EXPECT_EQ(perch_chan_destroy(c), 0);
	}
	return NULL;
}

TEST(first_come_first_served)
{
	struct perch_config alone = {.workers = 1};

	ASSERT_EQ(perch_start(&alone), 0);
	for (size_t capacity = 0; capacity < 6; capacity++)
		crew_run(lines, &capacity);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- closed under those who wait ---- */

struct closing {
	perch_chan_t *c;
	size_t size;
	uint32_t here, zeros, pipes, sent, received;
};

static void *receive_until_closed(void *arg)
{
	struct closing *x = arg;
	unsigned char e[1024];
	int r;

	count_up(&x->here);
	do {
		memset(e, 0xa5, sizeof(e));
		r = perch_chan_recv(x->c, e);
		if (r == 1)
			count_up(&x->received);
	} while (r == 1);
	EXPECT_EQ(r, 0);
	EXPECT_TRUE(all(e, x->size, 0));
	EXPECT_EQ(e[x->size], 0xa5);
	count_up(&x->zeros);
	return NULL;
}

static void *send_until_closed(void *arg)
{
	struct closing *x = arg;
	unsigned char e[1024];
	int r;

	fill(e, sizeof(e), 3);
	count_up(&x->here);
	while ((r = perch_chan_send(x->c, e)) == 0)
		count_up(&x->sent);
	EXPECT_EQ(r, -EPIPE);
	count_up(&x->pipes);
	return NULL;
}

TEST_F(chan, closed_under_those_who_wait)
{
	static const size_t element[] = {0, 8, 20, 1000};

	for (unsigned round = 0; round < 60; round++) {
		struct closing x = {.size = element[round % 4]};
		unsigned senders = round % 3 == 0 ? 0 : 6, receivers = round % 3 == 1 ? 0 : 6;
		size_t capacity = round % 5;
		struct crew crew = {0};

		x.c = make_chan(x.size, capacity);
		for (unsigned i = 0; i < senders; i++)
			crew_add(&crew, i == 5, send_until_closed, &x);
		for (unsigned i = 0; i < receivers; i++)
			crew_add(&crew, i == 5, receive_until_closed, &x);
		ASSERT_TRUE(gather(&x.here, senders + receivers, 20));
		harness_delay(round % 2 ? 2 * MS : 50000);
		EXPECT_EQ(perch_chan_close(x.c), 0);
		crew_join(&crew);
		EXPECT_EQ(x.pipes, senders);
		EXPECT_EQ(x.zeros, receivers);
		/* what was sent is what was received, and what is still in there */
		while (perch_chan_recv(x.c, NULL) == 1)
			x.received++;
		EXPECT_EQ(x.received, x.sent);
		EXPECT_EQ(perch_chan_destroy(x.c), 0);
	}
}

/* ---- time-outs ---- */

static void *time_outs(void *arg)
{
	perch_chan_t *unbuffered = make_chan(8, 0), *full = make_chan(8, 1);
	uint64_t v = 3, begun;
	struct timespec soon;

	EXPECT_EQ(perch_chan_send(full, &v), 0);
	for (int i = 0; i < 3; i++) {
		begun = harness_now();
		soon = from_now(10 * MS);
		switch (i) {
		case 0:
			EXPECT_EQ(perch_chan_timedsend(unbuffered, &v, &soon), -ETIMEDOUT);
			break;
		case 1:
			EXPECT_EQ(perch_chan_timedrecv(unbuffered, &v, &soon), -ETIMEDOUT);
			break;
		default:
			EXPECT_EQ(perch_chan_timedsend(full, &v, &soon), -ETIMEDOUT);
		}
		EXPECT_GE(harness_now() - begun, 10 * MS);
		EXPECT_EQ(v, 3);
	}
	/* and nobody is left behind in the queues */
	EXPECT_EQ(perch_chan_trysend(unbuffered, &v), -EAGAIN);
	EXPECT_EQ(perch_chan_tryrecv(unbuffered, &v), -EAGAIN);
	EXPECT_EQ(perch_chan_len(full), 1);
	EXPECT_EQ(perch_chan_destroy(unbuffered), 0);
	EXPECT_EQ(perch_chan_destroy(full), 0);
	return arg;
}

TEST_F(chan, time_outs)
{
	time_outs(NULL);
	crew_run(time_outs, NULL);
}

struct race {
	perch_chan_t *c;
	uint64_t sent, received, sum_sent, sum_received, late;
	uint32_t producing;
};

/* Both sides with times that are about as long as the other takes. */
static void *send_in_time(void *arg)
{
	struct race *x = arg;

	for (unsigned i = 0; i < 1500; i++) {
		uint64_t v[3] = {harness_random_below(1u << 30), 0, 0};
		struct timespec t = from_now(harness_random_below(40000));
		int r;

		v[1] = v[0] + 1;
		v[2] = v[0] + 2;
		r = perch_chan_timedsend(x->c, v, &t);
		if (!r) {
			__atomic_add_fetch(&x->sent, 1, __ATOMIC_RELAXED);
			__atomic_add_fetch(&x->sum_sent, v[0], __ATOMIC_RELAXED);
		} else {
			ASSERT_EQ(r, -ETIMEDOUT);
			__atomic_add_fetch(&x->late, 1, __ATOMIC_RELAXED);
		}
		v[0] = v[1] = v[2] = 0;
		if (i % 8 == 0)
			perch_yield();
	}
	if (__atomic_sub_fetch(&x->producing, 1, __ATOMIC_ACQ_REL) == 0)
		perch_chan_close(x->c);
	return NULL;
}

static void *receive_in_time(void *arg)
{
	struct race *x = arg;
	int r;

	do {
		struct timespec t = from_now(harness_random_below(40000));
		uint64_t v[3] = {1, 1, 1};

		r = perch_chan_timedrecv(x->c, v, &t);
		if (r == 1) {
			ASSERT_EQ(v[1], v[0] + 1);
			ASSERT_EQ(v[2], v[0] + 2);
			__atomic_add_fetch(&x->received, 1, __ATOMIC_RELAXED);
			__atomic_add_fetch(&x->sum_received, v[0], __ATOMIC_RELAXED);
		} else if (r) {
			ASSERT_EQ(r, -ETIMEDOUT);
			ASSERT_EQ(v[0] + v[1] + v[2], 3); /* untouched */
		}
	} while (r);
	return NULL;
}

TEST_F_TIMEOUT(chan, an_element_that_comes_late_is_kept_or_delivered, 120)
{
	for (size_t capacity = 0; capacity < 3; capacity++) {
		struct race x = {.c = make_chan(24, capacity), .producing = 4};
		struct crew crew = {0};

		for (unsigned i = 0; i < 4; i++) {
			crew_add(&crew, i == 3, send_in_time, &x);
			crew_add(&crew, i == 3, receive_in_time, &x);
		}
		crew_join(&crew);
		EXPECT_EQ(x.received, x.sent);
		EXPECT_EQ(x.sum_received, x.sum_sent);
		EXPECT_EQ(perch_chan_destroy(x.c), 0);
	}
}

/* ---- destroyed by who received the last element, while the sender returns ---- */

#define LAST_ROUNDS (SANITIZER_THREAD ? 500 : 5000)

struct last {
	perch_chan_t *c;
	size_t element;
	bool closes;
};

static void *sends_last(void *arg)
{
	static char value[4096]; /* large elements are copied outside of the lock */
	struct last *l = arg;

	if (l->closes)
		EXPECT_EQ(perch_chan_close(l->c), 0);
	else
		EXPECT_EQ(perch_chan_send(l->c, value), 0);
	return NULL;
}

static void *receives_last(void *arg)
{
	char value[4096];
	struct last *l = arg;

	EXPECT_EQ(perch_chan_recv(l->c, value), !l->closes);
	EXPECT_EQ(perch_chan_destroy(l->c), 0);
	return NULL;
}

TEST_TIMEOUT(destroyed_by_who_received_the_last, 120)
{
	ASSERT_EQ(perch_start(NULL), 0);
	for (int i = 0; i < LAST_ROUNDS; i++) {
		struct last l = {.element = i % 2 ? 8 : 4096, .closes = i % 8 == 7};
		perch_t t[2];

		ASSERT_EQ(perch_chan_create(&l.c, l.element, (size_t)i / 2 % 2), 0);
		/* now this one first, now that */
		ASSERT_EQ(perch_create(&t[0], NULL, i / 4 % 2 ? sends_last : receives_last, &l), 0);
		ASSERT_EQ(perch_create(&t[1], NULL, i / 4 % 2 ? receives_last : sends_last, &l), 0);
		ASSERT_EQ(perch_join(t[0], NULL), 0);
		ASSERT_EQ(perch_join(t[1], NULL), 0);
	}
	ASSERT_EQ(perch_stop(), 0);
}
