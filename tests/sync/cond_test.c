/* SPDX-License-Identifier: MIT */
/* cond_test.c */
#include "tests/sync/crowd.h"

TEST(arguments)
{
	perch_cond_t none, c = PERCH_COND_INIT;
	perch_mutex_t bad, m = PERCH_MUTEX_INIT;
	struct timespec soon = in_ns(1000000);

	memset(&none, 0x33, sizeof(none));
	memset(&bad, 0x33, sizeof(bad));
	ASSERT_EQ(perch_mutex_lock(&m), 0);
	for (int i = 0; i < 2; i++) {
		perch_cond_t *wrong = i ? &none : NULL;
		perch_mutex_t *wrong_mutex = i ? &bad : NULL;

		EXPECT_EQ(perch_cond_wait(wrong, &m), -EINVAL);
		EXPECT_EQ(perch_cond_wait(&c, wrong_mutex), -EINVAL);
		EXPECT_EQ(perch_cond_timedwait(wrong, &m, &soon), -EINVAL);
		EXPECT_EQ(perch_cond_timedwait(&c, wrong_mutex, &soon), -EINVAL);
		EXPECT_EQ(perch_cond_signal(wrong), -EINVAL);
		EXPECT_EQ(perch_cond_broadcast(wrong), -EINVAL);
		EXPECT_EQ(perch_cond_destroy(wrong), -EINVAL);
	}
	EXPECT_EQ(perch_cond_timedwait(&c, &m, NULL), -EINVAL);
	EXPECT_EQ(perch_cond_timedwait(&c, &m, &bad_time), -EINVAL);
	EXPECT_EQ(perch_cond_timedwait(&c, &m, &worse_time), -EINVAL);
	EXPECT_EQ(perch_cond_timedwait(&c, &m, &long_past), -ETIMEDOUT);
	EXPECT_EQ(perch_cond_timedwait(&c, &m, &soon), -ETIMEDOUT);
	EXPECT_EQ(perch_mutex_trylock(&m), -EBUSY);
	EXPECT_EQ(perch_mutex_unlock(&m), 0);
	EXPECT_EQ(perch_cond_wait(&c, &m), -EPERM);
	EXPECT_EQ(perch_cond_timedwait(&c, &m, &soon), -EPERM);
	EXPECT_EQ(perch_cond_init(NULL, NULL), -EINVAL);
	EXPECT_EQ(perch_cond_init(&c, &m), -EINVAL);
	EXPECT_EQ(perch_cond_init(&none, NULL), 0);
	/* nobody waits: as if nothing had been said */
	EXPECT_EQ(perch_cond_signal(&none), 0);
	EXPECT_EQ(perch_cond_broadcast(&none), 0);
	EXPECT_EQ(perch_cond_destroy(&none), 0);
	EXPECT_EQ(perch_cond_signal(&none), -EINVAL);
}

RUNTIME_FIXTURE(cond)

static void *not_mine(void *arg)
{
	perch_cond_t c = PERCH_COND_INIT;

	EXPECT_EQ(perch_cond_wait(&c, arg), -EPERM);
	EXPECT_EQ(perch_cond_timedwait(&c, arg, &long_past), -EPERM);
	return NULL;
}

TEST_F(cond, with_anothers_mutex)
{
	perch_mutex_t m[] = {PERCH_RECURSIVE_MUTEX_INIT, PERCH_ERRORCHECK_MUTEX_INIT};

	for (int i = 0; i < 2; i++) {
		struct crowd c = {0};

		ASSERT_EQ(perch_mutex_lock(&m[i]), 0);
		crowd_add(&c, 1, 1, not_mine, &m[i]);
		crowd_join(&c);
		ASSERT_EQ(perch_mutex_unlock(&m[i]), 0);
	}
}

/* ---- who is woken ---- */

struct hall {
	perch_mutex_t m;
	perch_cond_t c;
	/* all of these are guarded by the mutex */
	uint32_t waits, woken, timed_out;
	uint32_t inside; /* just to see that nobody else is */
	unsigned order[CROWD_MOST];
};

#define HALL_INIT                                                                                                      \
	{                                                                                                              \
		.m = PERCH_MUTEX_INIT, .c = PERCH_COND_INIT                                                            \
	}

/* One wait, no loop: every return is one that was meant. */
static void *wait_once(void *arg)
{
	struct hall *h = arg;
	struct timespec at = in_ns(3600000000000);
	unsigned ticket;

	ASSERT_EQ(perch_mutex_lock(&h->m), 0);
	ticket = h->waits++;
	ASSERT_EQ(ticket % 2 ? perch_cond_timedwait(&h->c, &h->m, &at) : perch_cond_wait(&h->c, &h->m), 0);
	ASSERT_EQ(count_up(&h->inside), 1);
	h->order[h->woken] = ticket;
	if (ticket % 3 == 0)
		perch_yield();
	ASSERT_EQ(__atomic_sub_fetch(&h->inside, 1, __ATOMIC_ACQ_REL), 0);
	count_up(&h->woken);
	ASSERT_EQ(perch_mutex_unlock(&h->m), 0);
	return NULL;
}

TEST_F(cond, signal_wakes_one_the_longest_first)
{
	struct hall h = HALL_INIT;
	struct crowd c = {0};

	crowd_add(&c, 10, 3, wait_once, &h);
	ASSERT_TRUE(until_waiting(&h.c.queue, 13));
	EXPECT_EQ(perch_cond_destroy(&h.c), -EBUSY);
	for (unsigned i = 0; i < 13; i++) {
		EXPECT_EQ(__atomic_load_n(&h.woken, __ATOMIC_ACQUIRE), i);
		ASSERT_EQ(perch_cond_signal(&h.c), 0);
		ASSERT_EQ(waiting(&h.c.queue), 12 - i);
		ASSERT_TRUE(gather(&h.woken, i + 1, 20));
	}
	crowd_join(&c);
	for (unsigned i = 0; i < 13; i++)
		EXPECT_EQ(h.order[i], i);
	EXPECT_EQ(perch_cond_destroy(&h.c), 0);
	EXPECT_EQ(perch_mutex_destroy(&h.m), 0);
}

/* Told under the mutex, they wait for it, and do not come before it is unlocked. */
static void tell_all(struct hall *h, bool locked, bool one_by_one)
{
	struct crowd c = {0};
	uint32_t n = h->woken;

	crowd_add(&c, 12, 4, wait_once, h);
	ASSERT_TRUE(until_waiting(&h->c.queue, 16));
	if (locked)
		ASSERT_EQ(perch_mutex_lock(&h->m), 0);
	for (int i = 0; i < (one_by_one ? 16 : 1); i++)
		ASSERT_EQ(one_by_one ? perch_cond_signal(&h->c) : perch_cond_broadcast(&h->c), 0);
	ASSERT_EQ(waiting(&h->c.queue), 0);
	if (locked) {
		harness_delay(1000000);
		ASSERT_EQ(h->woken, n);
		ASSERT_EQ(perch_mutex_unlock(&h->m), 0);
	}
	ASSERT_TRUE(gather(&h->woken, n + 16, 20));
	crowd_join(&c);
}

TEST_F(cond, broadcast_wakes_those_who_wait)
{
	struct hall h = HALL_INIT;

	for (int i = 0; i < 2; i++) {
		tell_all(&h, i, false);
		tell_all(&h, i, true);
		h.woken = 0;
	}
	EXPECT_EQ(h.m.word[0] & BIAS_VALUE, 0);
	EXPECT_EQ(perch_mutex_destroy(&h.m), 0);
	EXPECT_EQ(perch_cond_destroy(&h.c), 0);
}

/* Those who come after a broadcast are not meant, even if the same ones again. */
static void *wait_ten_times(void *arg)
{
	struct hall *h = arg;

	ASSERT_EQ(perch_mutex_lock(&h->m), 0);
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(perch_cond_wait(&h->c, &h->m), 0);
		count_up(&h->woken);
	}
	ASSERT_EQ(perch_mutex_unlock(&h->m), 0);
	return NULL;
}

TEST_F(cond, broadcast_wakes_nobody_else)
{
	struct hall h = HALL_INIT;
	struct crowd c = {0};

	crowd_add(&c, 12, 3, wait_ten_times, &h);
	for (uint32_t i = 0; i < 10; i++) {
		ASSERT_TRUE(until_waiting(&h.c.queue, 15));
		ASSERT_EQ(__atomic_load_n(&h.woken, __ATOMIC_ACQUIRE), i * 15);
		if (i % 2)
			ASSERT_EQ(perch_mutex_lock(&h.m), 0);
		ASSERT_EQ(perch_cond_broadcast(&h.c), 0);
		if (i % 2)
			ASSERT_EQ(perch_mutex_unlock(&h.m), 0);
		ASSERT_TRUE(gather(&h.woken, (i + 1) * 15, 20));
	}
	crowd_join(&c);
	EXPECT_EQ(perch_cond_destroy(&h.c), 0);
}

/* ---- recursion ---- */

static void *wait_three_deep(void *arg)
{
	struct hall *h = arg;

	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_mutex_lock(&h->m), 0);
	ASSERT_EQ(perch_cond_wait(&h->c, &h->m), 0);
	count_up(&h->woken);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_mutex_unlock(&h->m), 0);
	ASSERT_EQ(perch_mutex_unlock(&h->m), -EPERM);
	return NULL;
}

TEST_F(cond, a_recursive_mutex_is_let_go_of_altogether)
{
	struct hall h = {.m = PERCH_RECURSIVE_MUTEX_INIT, .c = PERCH_COND_INIT};
	struct crowd c = {0};

	crowd_add(&c, 3, 2, wait_three_deep, &h);
	ASSERT_TRUE(until_waiting(&h.c.queue, 5));
	ASSERT_EQ(perch_mutex_lock(&h.m), 0);
	ASSERT_EQ(perch_cond_broadcast(&h.c), 0);
	ASSERT_EQ(perch_mutex_unlock(&h.m), 0);
	ASSERT_TRUE(gather(&h.woken, 5, 20));
	crowd_join(&c);
}

/* ---- times ---- */

static void *wait_a_little(void *arg)
{
	struct hall *h = arg;
	struct timespec at = in_ns(2000000);

	ASSERT_EQ(perch_mutex_lock(&h->m), 0);
	ASSERT_EQ(perch_cond_timedwait(&h->c, &h->m, &at), -ETIMEDOUT);
	EXPECT_GE((int64_t)harness_now(), at.tv_sec * 1000000000 + at.tv_nsec);
	ASSERT_EQ(count_up(&h->inside), 1);
	count_up(&h->timed_out);
	ASSERT_EQ(__atomic_sub_fetch(&h->inside, 1, __ATOMIC_ACQ_REL), 0);
	ASSERT_EQ(perch_mutex_unlock(&h->m), 0);
	return NULL;
}

TEST_F(cond, those_who_time_out_use_up_no_signal)
{
	struct hall h = HALL_INIT;
	struct crowd c = {0};

	crowd_add(&c, 3, 1, wait_a_little, &h);
	crowd_add(&c, 3, 1, wait_once, &h);
	crowd_add(&c, 3, 1, wait_a_little, &h);
	ASSERT_TRUE(gather(&h.timed_out, 8, 20));
	ASSERT_TRUE(until_waiting(&h.c.queue, 4));
	EXPECT_EQ(h.woken, 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_cond_signal(&h.c), 0);
	ASSERT_TRUE(gather(&h.woken, 4, 20));
	crowd_join(&c);
	EXPECT_EQ(perch_cond_destroy(&h.c), 0);
}

/*
 * A signal and a time-out at once: either the impatient one was signalled, or
 * the patient one is. A signal for one that reports a time-out would be lost.
 */
struct pair {
	struct hall h;
	uint32_t impatient_timed_out, rounds;
	int64_t patience_ns;
};

static void *impatient(void *arg)
{
	struct pair *p = arg;
	struct timespec at;
	int r;

	ASSERT_EQ(perch_mutex_lock(&p->h.m), 0);
	p->h.waits++;
	at = in_ns(p->patience_ns);
	r = perch_cond_timedwait(&p->h.c, &p->h.m, &at);
	ASSERT_TRUE(r == 0 || r == -ETIMEDOUT);
	if (r)
		p->impatient_timed_out = 1;
	else
		p->h.woken++;
	ASSERT_EQ(perch_mutex_unlock(&p->h.m), 0);
	return NULL;
}

static void *patient(void *arg)
{
	struct pair *p = arg;

	ASSERT_EQ(perch_mutex_lock(&p->h.m), 0);
	p->h.waits++;
	ASSERT_EQ(perch_cond_wait(&p->h.c, &p->h.m), 0);
	p->h.woken++;
	ASSERT_EQ(perch_mutex_unlock(&p->h.m), 0);
	return NULL;
}

static void *race_time_and_signal(void *arg)
{
	uint32_t *signalled = arg;

	for (int i = 0; i < 60; i++) {
		struct pair p = {.h = HALL_INIT, .patience_ns = (int64_t)harness_random_below(100000)};
		struct crowd c = {0};
		bool told = false;

		crowd_add(&c, i % 3 != 0, i % 3 == 0, impatient, &p);
		crowd_add(&c, i % 4 != 0, i % 4 == 0, patient, &p);
		while (!told) {
			ASSERT_EQ(perch_mutex_lock(&p.h.m), 0);
			told = p.h.waits == 2;
			ASSERT_EQ(perch_mutex_unlock(&p.h.m), 0);
			perch_yield();
		}
		harness_delay(50000);
		ASSERT_EQ(perch_cond_signal(&p.h.c), 0);
		/* the second, when the first was for the impatient one */
		for (told = false; !told;) {
			ASSERT_EQ(perch_mutex_lock(&p.h.m), 0);
			told = p.h.woken == 1;
			if (told && !p.impatient_timed_out && waiting(&p.h.c.queue)) {
				__atomic_add_fetch(signalled, 1, __ATOMIC_RELAXED);
				ASSERT_EQ(perch_cond_signal(&p.h.c), 0);
			}
			ASSERT_EQ(perch_mutex_unlock(&p.h.m), 0);
			perch_yield();
		}
		crowd_join(&c);
		ASSERT_EQ(p.h.woken, p.impatient_timed_out ? 1 : 2);
		ASSERT_EQ(perch_cond_destroy(&p.h.c), 0);
		ASSERT_EQ(perch_mutex_destroy(&p.h.m), 0);
	}
	return NULL;
}

TEST_F(cond, signalled_and_timed_out_at_once)
{
	uint32_t signalled = 0;
	struct crowd c = {0};

	crowd_add(&c, 3, 1, race_time_and_signal, &signalled);
	crowd_join(&c);
}

/* ---- to and fro ---- */

struct table {
	perch_mutex_t m;
	perch_cond_t c;
	unsigned turn, players;
	uint32_t seats, plays; /* plays: guarded by the mutex */
};

static void *play(void *arg)
{
	struct table *t = arg;
	unsigned me = count_up(&t->seats) - 1;

	ASSERT_EQ(perch_mutex_lock(&t->m), 0);
	for (int i = 0; i < 400; i++) {
		while (t->turn != me)
			ASSERT_EQ(perch_cond_wait(&t->c, &t->m), 0);
		ASSERT_EQ(t->plays, (uint32_t)i * t->players + me);
		t->plays++;
		t->turn = (me + 1) % t->players;
		ASSERT_EQ(t->players == 2 ? perch_cond_signal(&t->c) : perch_cond_broadcast(&t->c), 0);
		if (harness_random_below(16) == 0) {
			/* an unlock between the signal and the next wait */
			ASSERT_EQ(perch_mutex_unlock(&t->m), 0);
			dawdle(2000);
			ASSERT_EQ(perch_mutex_lock(&t->m), 0);
		}
	}
	ASSERT_EQ(perch_mutex_unlock(&t->m), 0);
	return NULL;
}

/* One that wants nothing but the mutex, as often as it can have it. */
static void *interrupt_them(void *arg)
{
	struct table *t = arg;
	uint32_t plays = 0;

	while (plays < 400 * t->players) {
		ASSERT_EQ(perch_mutex_lock(&t->m), 0);
		plays = t->plays;
		ASSERT_EQ(perch_mutex_unlock(&t->m), 0);
		perch_yield();
	}
	return NULL;
}

TEST_F(cond, to_and_fro)
{
	for (unsigned kind = PERCH_MUTEX_PLAIN; kind <= PERCH_MUTEX_ERRORCHECK; kind++)
		for (unsigned i = 0; i < 6; i++) {
			struct table t = {PERCH_MUTEX_INIT_KIND(kind), PERCH_COND_INIT, 0, i < 4 ? 2 : 5, 0, 0};
			unsigned pthreads = i % 2;
			struct crowd c = {0};

			crowd_add(&c, t.players - pthreads, pthreads, play, &t);
			if (i & 2)
				crowd_add(&c, 1, 1, interrupt_them, &t);
			crowd_join(&c);
			EXPECT_EQ(t.plays, 400 * t.players);
			EXPECT_EQ(t.m.word[0] & BIAS_VALUE, 0);
			EXPECT_NULL(t.m.owner);
			EXPECT_EQ(perch_cond_destroy(&t.c), 0);
			EXPECT_EQ(perch_mutex_destroy(&t.m), 0);
		}
}

/* Two who pass the mutex to each other do not keep it from a third. */
struct passing {
	struct table t;
	uint32_t got;
	uint64_t until;
};

static void *pass_for_ever(void *arg)
{
	struct passing *p = arg;
	unsigned me = count_up(&p->t.seats) - 1;

	ASSERT_EQ(perch_mutex_lock(&p->t.m), 0);
	while (!__atomic_load_n(&p->got, __ATOMIC_ACQUIRE) && harness_now() < p->until) {
		while (p->t.turn != me)
			ASSERT_EQ(perch_cond_wait(&p->t.c, &p->t.m), 0);
		p->t.turn = !me;
		ASSERT_EQ(perch_cond_signal(&p->t.c), 0);
	}
	p->t.turn = !me;
	ASSERT_EQ(perch_cond_signal(&p->t.c), 0);
	ASSERT_EQ(perch_mutex_unlock(&p->t.m), 0);
	return NULL;
}

static void *third(void *arg)
{
	struct passing *p = arg;

	ASSERT_EQ(perch_mutex_lock(&p->t.m), 0);
	__atomic_store_n(&p->got, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_mutex_unlock(&p->t.m), 0);
	return NULL;
}

TEST_F(cond, two_who_play_do_not_keep_off_a_third)
{
	for (int i = 0; i < 2; i++) {
		struct passing p = {.t = {PERCH_MUTEX_INIT, PERCH_COND_INIT, 0, 2, 0, 0},
				    .until = harness_now() + 20000000000u};
		struct crowd c = {0};

		crowd_add(&c, 2, 0, pass_for_ever, &p);
		harness_delay(1000000);
		crowd_add(&c, i, !i, third, &p);
		crowd_join(&c);
		EXPECT_EQ(p.got, 1);
		EXPECT_LT(harness_now(), p.until);
	}
}

/* ---- a queue of items ---- */

struct store {
	perch_mutex_t m;
	perch_cond_t not_empty, not_full;
	uint64_t sum; /* all: guarded by the mutex */
	unsigned first, count, made, used, total;
	uint64_t item[4];
};

static void *produce(void *arg)
{
	struct store *s = arg;

	ASSERT_EQ(perch_mutex_lock(&s->m), 0);
	while (s->made < s->total) {
		if (s->count == 4) {
			ASSERT_EQ(perch_cond_wait(&s->not_full, &s->m), 0);
			continue;
		}
		s->item[(s->first + s->count++) % 4] = s->made++;
		ASSERT_EQ(perch_cond_signal(&s->not_empty), 0);
	}
	ASSERT_EQ(perch_cond_broadcast(&s->not_full), 0);
	ASSERT_EQ(perch_mutex_unlock(&s->m), 0);
	return NULL;
}

static void *consume(void *arg)
{
	struct store *s = arg;

	ASSERT_EQ(perch_mutex_lock(&s->m), 0);
	while (s->used < s->total) {
		if (!s->count) {
			struct timespec at = in_ns((int64_t)harness_random_below(200000));

			if (harness_random_below(2))
				ASSERT_EQ(perch_cond_wait(&s->not_empty, &s->m), 0);
			else
				perch_cond_timedwait(&s->not_empty, &s->m, &at);
			continue;
		}
		s->sum += s->item[s->first++ % 4];
		s->count--;
		if (++s->used == s->total)
			ASSERT_EQ(perch_cond_broadcast(&s->not_empty), 0);
		ASSERT_EQ(perch_cond_signal(&s->not_full), 0);
		ASSERT_EQ(perch_mutex_unlock(&s->m), 0);
		dawdle(1000);
		ASSERT_EQ(perch_mutex_lock(&s->m), 0);
	}
	ASSERT_EQ(perch_mutex_unlock(&s->m), 0);
	return NULL;
}

TEST_F(cond, producers_and_consumers)
{
	struct store s = {
		.m = PERCH_MUTEX_INIT, .not_empty = PERCH_COND_INIT, .not_full = PERCH_COND_INIT, .total = 5000};
	struct crowd c = {0};

	crowd_add(&c, 6, 2, produce, &s);
	crowd_add(&c, 6, 2, consume, &s);
	crowd_join(&c);
	EXPECT_EQ(s.used, 5000);
	EXPECT_EQ(s.sum, 5000 * 4999 / 2);
	EXPECT_EQ(perch_cond_destroy(&s.not_empty), 0);
	EXPECT_EQ(perch_cond_destroy(&s.not_full), 0);
	EXPECT_EQ(perch_mutex_destroy(&s.m), 0);
}

/* ---- without the runtime, and in the child of a fork ---- */

TEST(pthreads_without_the_runtime)
{
	struct hall h = HALL_INIT;
	struct crowd c = {0};

	crowd_add(&c, 0, 5, wait_once, &h);
	crowd_add(&c, 0, 2, wait_a_little, &h);
	ASSERT_TRUE(gather(&h.timed_out, 2, 20));
	ASSERT_TRUE(until_waiting(&h.c.queue, 5));
	ASSERT_EQ(perch_cond_signal(&h.c), 0);
	ASSERT_TRUE(gather(&h.woken, 1, 20));
	ASSERT_EQ(perch_cond_broadcast(&h.c), 0);
	ASSERT_TRUE(gather(&h.woken, 5, 20));
	crowd_join(&c);
}

static void in_child(void *arg)
{
	perch_mutex_t m = PERCH_MUTEX_INIT;
	perch_cond_t c = PERCH_COND_INIT;
	struct timespec later = in_ns(3600000000000);

	(void)arg;
	EXPECT_EQ(perch_mutex_lock(&m), 0);
	EXPECT_EQ(perch_cond_wait(&c, &m), -EPERM);
	EXPECT_EQ(perch_cond_timedwait(&c, &m, &later), -EPERM);
	EXPECT_EQ(perch_cond_signal(&c), 0);
	EXPECT_EQ(perch_mutex_trylock(&m), -EBUSY);
	EXPECT_EQ(perch_cond_destroy(&c), 0);
}

TEST(in_the_child_of_a_fork)
{
	struct harness_captured c;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(harness_capture(&c, in_child, NULL), 0);
	EXPECT_EQ(c.status, 0);
	harness_release(&c);
	EXPECT_EQ(perch_stop(), 0);
}
