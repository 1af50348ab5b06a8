/* SPDX-License-Identifier: MIT */
#include "core/sched/wheel.h"

#include <stddef.h>

#include "core/sched/clock.h"
#include "core/sched/timers.h"

void wheel_start(struct wheel *w, uint64_t now)
{
	*w = (struct wheel){.now = now};
}

/* ---- buckets ---- */

static void push(struct timer **list, struct timer *t)
{
	t->next = *list;
	t->link = list;
	if (t->next)
		t->next->link = &t->next;
	*list = t;
}

/* What is left of a bucket when those before t were taken out. */
static void cut_to(struct wheel *w, unsigned bucket, struct timer *t)
{
	unsigned level = bucket / WHEEL_DIGITS;

	w->bucket[bucket] = t;
	if (t) {
		t->link = &w->bucket[bucket];
		return;
	}
	if (bucket == WHEEL_LOOSE)
		return;
	w->digits[level] &= (uint16_t) ~(1u << bucket % WHEEL_DIGITS);
	if (!w->digits[level])
		w->levels &= ~(1u << level);
}

/* Some level is not empty. */
static size_t first_bucket(const struct wheel *w)
{
	size_t level = (size_t)__builtin_ctz(w->levels);

	return level * WHEEL_DIGITS + (size_t)__builtin_ctz(w->digits[level]);
}

/* The earliest time that belongs there. */
static uint64_t start_of(const struct wheel *w, unsigned bucket)
{
	unsigned shift = bucket / WHEEL_DIGITS * WHEEL_DIGIT;
	uint64_t digits = ((uint64_t)WHEEL_DIGITS << shift) - 1; /* of the highest level: all */

	return (w->now & ~digits) | (uint64_t)(bucket % WHEEL_DIGITS) << shift;
}

/* ---- one timer ---- */

void wheel_put(struct wheel *w, struct timer *t)
{
	uint64_t at = t->when > w->now ? t->when : w->now;
	unsigned level = (63 - (unsigned)__builtin_clzll((at ^ w->now) | 1)) / WHEEL_DIGIT;
	unsigned digit = (unsigned)(at >> level * WHEEL_DIGIT) % WHEEL_DIGITS;

	push(&w->bucket[level * WHEEL_DIGITS + digit], t);
	w->digits[level] |= (uint16_t)(1u << digit);
	w->levels |= 1u << level;
}

bool wheel_remove(struct wheel *w, struct timer *t)
{
	unsigned bucket;

	if (t->next)
		t->next->link = t->link;
	*t->link = t->next;
	if (t->next || (uintptr_t)t->link - (uintptr_t)w->bucket >= sizeof(w->bucket))
		return false;
	bucket = (unsigned)(t->link - w->bucket);
	cut_to(w, bucket, NULL);
	return !w->levels || bucket == WHEEL_LOOSE || bucket < first_bucket(w);
}

struct timer *wheel_any(const struct wheel *w)
{
	if (w->bucket[WHEEL_LOOSE])
		return w->bucket[WHEEL_LOOSE];
	return w->levels ? w->bucket[first_bucket(w)] : NULL;
}

uint64_t wheel_next(const struct wheel *w)
{
	uint64_t earliest = CLOCK_NEVER;
	unsigned looks = 0, bucket;

	if (w->bucket[WHEEL_LOOSE])
		return w->now;
	if (!w->levels)
		return CLOCK_NEVER;
	bucket = first_bucket(w);
	for (const struct timer *t = w->bucket[bucket]; t; t = t->next) {
		if (looks++ == WHEEL_LOOKS)
			return start_of(w, bucket);
		if (t->when < earliest)
			earliest = t->when;
	}
	return earliest;
}

/* ---- the clock goes on ---- */

static void spread(struct wheel *w)
{
	struct timer *t = w->bucket[WHEEL_LOOSE];

	for (unsigned n = 0; t && n < WHEEL_BATCH; n++) {
		struct timer *next = t->next;

		wheel_put(w, t);
		t = next;
	}
	cut_to(w, WHEEL_LOOSE, t);
}

/* The first bucket. */
static void split(struct wheel *w, unsigned bucket)
{
	w->now = start_of(w, bucket);
	cut_to(w, WHEEL_LOOSE, w->bucket[bucket]);
	cut_to(w, bucket, NULL);
	spread(w);
}

/* Of these, which were a whole bucket: `due` keeps those that are; the rest, a
 * list, is no longer in the wheel. */
static struct timer *sift(struct timer **due, unsigned *n, uint64_t now)
{
	struct timer *rest = NULL;
	unsigned kept = 0;

	for (unsigned i = 0; i < *n; i++) {
		struct timer *t = due[i];

		if (t->when <= now) {
			due[kept++] = t;
		} else {
			t->next = rest;
			rest = t;
		}
	}
	*n = kept;
	return rest;
}

static struct timer *sorted(struct timer **due, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		struct timer *t = due[i];
		unsigned at = i;

		for (; at && due[at - 1]->when < t->when; at--)
			due[at] = due[at - 1];
		due[at] = t;
	}
	for (unsigned i = 0; i < n; i++)
		due[i]->next = i + 1 < n ? due[i + 1] : NULL;
	return n ? due[0] : NULL;
}

struct timer *wheel_take(struct wheel *w, uint64_t now)
{
	struct timer *due[WHEEL_BATCH], *rest = NULL;
	unsigned n = 0, bucket;

	if (now < w->now)
		now = w->now; /* whoever looked last, did so later */
	if (w->bucket[WHEEL_LOOSE]) {
		spread(w);
		return NULL;
	}
	while (w->levels && start_of(w, bucket = first_bucket(w)) <= now) {
		struct timer *t = w->bucket[bucket];
		unsigned found = 0;

		for (; t && n + found < WHEEL_BATCH; t = t->next)
			due[n + found++] = t;
		if (t && n)
			return sorted(due, n);
		if (t && bucket >= WHEEL_DIGITS) {
			split(w, bucket);
			return NULL;
		}
		cut_to(w, bucket, t);
		if (t) /* all of one time */
			return sorted(due, found);
		rest = sift(due + n, &found, now);
		n += found;
	}
	w->now = now;
	while (rest) {
		struct timer *next = rest->next;

		wheel_put(w, rest);
		rest = next;
	}
	return sorted(due, n);
}
