/* SPDX-License-Identifier: MIT */
/* wheel_test.c - the timing wheel beside a plain list of what is in it, under a clock of its own. */
#include <string.h>

#include "core/sched/clock.h"
#include "core/sched/timers.h"
#include "core/sched/wheel.h"
#include "tests/harness/harness.h"

#define MOST 400
#define HOUR UINT64_C(3600000000000)
/* Takes in a row that fire nothing, though there is something to do: each moves a batch down. */
#define TAKES ((MOST / WHEEL_BATCH + 1) * WHEEL_LEVELS)

static struct wheel w;
static struct timer timer[MOST];
static bool in[MOST], late[MOST]; /* late: it was due when it was put in */
static unsigned count;
static uint64_t now;
static uint64_t noted; /* what timers.c makes of wheel_next() */
static uint64_t taken; /* the latest of those that were not late */

static void begin(uint64_t at)
{
	memset(in, 0, sizeof(in));
	count = 0;
	now = at;
	noted = CLOCK_NEVER;
	taken = 0;
	wheel_start(&w, now);
}

static void put(unsigned i, uint64_t when)
{
	ASSERT_FALSE(in[i]);
	timer[i].when = when;
	in[i] = true;
	late[i] = when < now;
	count++;
	wheel_put(&w, &timer[i]);
	if (when < noted)
		noted = when;
}

static void note(void)
{
	uint64_t next = wheel_next(&w);

	if (next > noted)
		noted = next;
}

/* It is the owner's again, and he may do with it what he likes. */
static void gone(unsigned i)
{
	ASSERT_TRUE(in[i]);
	in[i] = false;
	count--;
	memset(&timer[i], 0xee, sizeof(timer[i]));
}

static void remove_one(unsigned i)
{
	if (wheel_remove(&w, &timer[i]) || timer[i].when <= noted)
		note();
	gone(i);
}

static uint64_t earliest(void)
{
	uint64_t e = CLOCK_NEVER;

	for (unsigned i = 0; i < MOST; i++)
		if (in[i] && timer[i].when < e)
			e = timer[i].when;
	return e;
}

static void check_next(void)
{
	uint64_t next = wheel_next(&w), e = earliest();

	ASSERT_EQ(next == CLOCK_NEVER, count == 0);
	ASSERT_EQ(noted == CLOCK_NEVER, count == 0);
	ASSERT_EQ(wheel_any(&w) == NULL, count == 0);
	/* one that was late when it was put in is seen to at once */
	ASSERT_TRUE(next <= e || next <= now);
	ASSERT_TRUE(noted <= e || noted <= now);
	if (count <= WHEEL_LOOKS && !w.bucket[WHEEL_LOOSE])
		ASSERT_EQ(next, e);
}

/* How many were due. */
static unsigned take(void)
{
	struct timer *t = wheel_take(&w, now), *next;
	uint64_t before = taken, last = CLOCK_NEVER;
	unsigned n = 0;

	for (; t; t = next) {
		unsigned i = (unsigned)(t - timer);

		next = t->next;
		ASSERT_LE(t->when, now);
		ASSERT_LE(t->when, last);
		last = t->when;
		if (!late[i]) {
			ASSERT_GE(last, before);
			if (last > taken)
				taken = last;
		}
		gone(i);
		n++;
	}
	ASSERT_LE(n, WHEEL_BATCH);
	note();
	check_next();
	return n;
}

/* All that are due. */
static unsigned take_all(void)
{
	unsigned fired = 0, takes = 0;

	while (noted <= now) {
		unsigned n = take();

		takes = n ? 0 : takes + 1;
		ASSERT_LE(takes, TAKES);
		fired += n;
	}
	ASSERT_GT(earliest(), now);
	return fired;
}

/* Near and far, next to the borders of buckets, the same again, late, at the end of time;
 * and half of them near to each other, so that some bucket is full. */
static uint64_t some_time(void)
{
	static uint64_t again, crowd, span;
	unsigned bits = (unsigned)harness_random_below(64);
	uint64_t far = harness_random() >> bits, border = now | (((uint64_t)1 << bits) - 1);

	if (crowd <= now || !crowd) {
		crowd = now + 1 + (harness_random() >> (20 + harness_random_below(40)));
		span = (uint64_t)1 << harness_random_below(30);
	}
	switch (harness_random_below(16)) {
	case 0:
	case 1:
		break;
	case 2:
		again = border - 1 + harness_random_below(4);
		break;
	case 3:
		again = now - harness_random_below(now < 1000 ? now + 1 : 1000);
		break;
	case 4:
		again = CLOCK_NEVER - 1 - harness_random_below(3);
		break;
	case 5:
		again = now + harness_random_below(100);
		break;
	case 6:
		again = now + harness_random_below(1000000);
		break;
	case 7:
		again = now + far;
		break;
	default:
		again = crowd + harness_random_below(span);
	}
	return again < CLOCK_NEVER ? again : CLOCK_NEVER - 1;
}

static void go_on(void)
{
	uint64_t next = wheel_next(&w), by;

	switch (harness_random_below(4)) {
	case 0:
		by = next < CLOCK_NEVER && next > now ? next - now : 0;
		break;
	case 1:
		by = harness_random_below(100);
		break;
	case 2:
		by = harness_random_below(100000);
		break;
	default:
		by = harness_random() >> (20 + harness_random_below(44));
	}
	now = by < CLOCK_NEVER - 1 - now ? now + by : CLOCK_NEVER - 1;
}

/* There are `most` timers in it, or about so. */
static void at_random(unsigned most)
{
	uint64_t until = harness_now() + 150000000u;

	while (now < CLOCK_NEVER / 2 && harness_now() < until) {
		unsigned i = (unsigned)harness_random_below(most), what = (unsigned)harness_random_below(16);

		/* others come and go while a batch is all that was sorted */
		if (what < 2 && harness_random_below(most / 10) == 0) {
			go_on();
			if (what)
				take_all();
		} else if (what == 0) {
			take();
		} else if (!in[i]) {
			put(i, some_time());
		} else if (what < 5) {
			remove_one(i);
		}
		check_next();
	}
}

static void rounds_of(unsigned most)
{
	for (int i = 0; i < 10; i++) {
		begin(harness_random_below(HOUR) << harness_random_below(20));
		at_random(most);
	}
}

TEST_TIMEOUT(a_few_at_random, 60)
{
	rounds_of(12);
}

TEST_TIMEOUT(many_at_random, 60)
{
	rounds_of(MOST);
}

/* ---- from border to border ---- */

TEST(each_digit_carries)
{
	for (unsigned bits = 2; bits < 63; bits++) {
		uint64_t border = (uint64_t)1 << bits;

		begin(border - 1);
		put(0, border);
		put(1, border + 1);
		put(2, border * 2 - 1);
		put(3, border * 2);
		put(4, border - 1);
		ASSERT_EQ(take_all(), 1);
		now = border;
		ASSERT_EQ(take_all(), 1);
		now = border + 1;
		ASSERT_EQ(take_all(), 1);
		now = border * 2 - 2;
		ASSERT_EQ(take_all(), 0);
		now = border * 2 - 1;
		ASSERT_EQ(take_all(), 1);
		now = border * 2;
		ASSERT_EQ(take_all(), 1);
	}
}

TEST(the_end_of_time)
{
	begin(HOUR);
	put(0, CLOCK_NEVER - 1);
	put(1, 0);
	ASSERT_EQ(take_all(), 1);
	now = CLOCK_NEVER - 2;
	ASSERT_EQ(take_all(), 0);
	now = CLOCK_NEVER - 1;
	ASSERT_EQ(take_all(), 1);
}

/* Whoever looked last has a later time: what is put in late meanwhile is not forgotten. */
TEST(a_look_with_an_older_clock)
{
	begin(HOUR);
	now += 1000;
	ASSERT_EQ(take_all(), 0);
	ASSERT_NULL(wheel_take(&w, now));
	now -= 500;
	put(0, now);
	ASSERT_EQ(take_all(), 1);
}

/* ---- who sleeps until wheel_next() ---- */

/* Sleep and look until all have fired; wakings that were for nothing. */
static unsigned sleep_on(void)
{
	unsigned empty = 0, in_a_row = 0;

	while (count) {
		ASSERT_GT(noted, now);
		now = noted;
		if (take_all()) {
			in_a_row = 0;
		} else {
			empty++;
			ASSERT_LT(in_a_row++, WHEEL_LEVELS);
		}
	}
	return empty;
}

TEST(few_are_never_looked_for_in_vain)
{
	for (int i = 0; i < 2000; i++) {
		begin(harness_random_below(HOUR));
		for (unsigned n = 0; n < WHEEL_LOOKS; n++)
			put(n, now + 1 + (harness_random() >> (1 + harness_random_below(60))));
		ASSERT_EQ(sleep_on(), 0);
	}
}

TEST(many_are_looked_for_in_vain_rarely)
{
	for (int i = 0; i < 200; i++) {
		uint64_t from, span = harness_random() >> (8 + harness_random_below(48));

		begin(harness_random_below(HOUR));
		from = now + 1 + (harness_random() >> (8 + harness_random_below(48)));
		for (unsigned n = 0; n < MOST; n++)
			put(n, from + harness_random_below(span + 1));
		sleep_on();
	}
}

/* What was to come early is cancelled, in any order, seen to have been many or not. */
TEST(cancelled_to_the_last)
{
	for (int i = 0; i < 200; i++) {
		unsigned most = 1 + (unsigned)harness_random_below(MOST - 2);
		uint64_t far = CLOCK_NEVER / 2, span = harness_random() >> (8 + harness_random_below(48));

		begin(harness_random_below(HOUR));
		for (unsigned n = 0; n < most; n++)
			put(n, now + 1 + harness_random_below(span + 1));
		if (i % 2)
			put(MOST - 1, far);
		now += harness_random_below(2) ? harness_random_below(span + 1) : 0;
		take_all();
		for (unsigned n = 0, at = (unsigned)harness_random_below(most); n < most; n++, at = (at + 1) % most)
			if (in[at])
				remove_one(at);
		ASSERT_EQ(noted, i % 2 ? far : CLOCK_NEVER);
	}
}

/* All at once, and the lock is let go of after each batch. */
TEST(a_crowd_at_one_moment)
{
	uint64_t when;
	unsigned takes = 0;

	begin(HOUR);
	when = now + HOUR;
	for (unsigned n = 0; n < MOST; n++)
		put(n, when);
	while (now < when - 1) {
		now = noted > when - 1 ? when - 1 : noted;
		ASSERT_EQ(take(), 0);
		if (takes++ == 0)
			ASSERT_NE(w.bucket[WHEEL_LOOSE], NULL);
	}
	now = when;
	for (takes = 0; count; takes++)
		ASSERT_LE(take(), WHEEL_BATCH);
	ASSERT_GE(takes, MOST / WHEEL_BATCH);
	ASSERT_LE(takes, TAKES);
}
