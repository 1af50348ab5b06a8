/* SPDX-License-Identifier: MIT */
/*
 * wheel.h - timers by their times, of which most are cancelled long before: a
 * hierarchical timing wheel that goes down to the nanosecond.
 *
 * A time is 16 digits of 4 bits. A timer lies at the level of the highest digit
 * in which its time differs from the wheel's own, in the bucket of its digit
 * there; one that is late already, where it would lie if it were due just now.
 * A bucket is a list in no order, but all in it is before all in the next one,
 * counted from the lowest level up and by digits within a level.
 *
 * The wheel's time follows the clock; it may stay behind, as nothing depends on
 * that but how far a timer is sorted. When the clock comes to a bucket of few, they
 * are taken as they are, those that are due by their times, and the rest
 * is put in again. A bucket of many is split first: it becomes LOOSE, from where
 * its timers go to lower levels, a batch at each call, before anything else is
 * taken. So what is taken is in order, but for more than a batch of the same
 * nanosecond, or of what was late when it was put in.
 *
 * All calls: under one lock, the owner's. Cost: put, remove, next: constant, with
 * WHEEL_LOOKS timers looked at; take: a batch, and one timer more. A timer is moved
 * once for each of its levels at most, which in practice is 2 to 5 times; and so often
 * somebody has to look for it though nothing is due. Never for one whose bucket
 * has had no more than WHEEL_LOOKS.
 *
 * Sources: Varghese, Lauck, "Hashed and hierarchical timing wheels", 1987; levels
 * by the highest digit that differs: Ahuja, Mehlhorn, Orlin, Tarjan, "Faster
 * algorithms for the shortest path problem", 1990 (radix heaps).
 */
#ifndef PERCH_SCHED_WHEEL_H
#define PERCH_SCHED_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_DIGIT 4 /* bits */
#define WHEEL_DIGITS (1u << WHEEL_DIGIT)
#define WHEEL_LEVELS (64 / WHEEL_DIGIT)
#define WHEEL_BUCKETS ((size_t)WHEEL_LEVELS * WHEEL_DIGITS)
#define WHEEL_LOOSE WHEEL_BUCKETS
#define WHEEL_BATCH 32
#define WHEEL_LOOKS 8

struct timer;

struct wheel {
	uint64_t now;
	uint32_t levels;               /* a bit for each that is not empty */
	uint16_t digits[WHEEL_LEVELS]; /* the same for the buckets of each */
	struct timer *bucket[WHEEL_BUCKETS + 1];
};

void wheel_start(struct wheel *w, uint64_t now);
/* t->when is set; nobody changes it while it is in here. */
void wheel_put(struct wheel *w, struct timer *t);
/* True: what wheel_next() said may have been on its account. */
bool wheel_remove(struct wheel *w, struct timer *t);
/* When somebody has to call wheel_take(): no later than the earliest is due, and
 * just then when few are near it. CLOCK_NEVER: it is empty. */
uint64_t wheel_next(const struct wheel *w);
/*
 * Take out what is due, WHEEL_BATCH at most; a list by t->next, the latest first.
 * NULL: nothing is due, or a batch was sorted; wheel_next() says whether there is
 * more to do.
 */
struct timer *wheel_take(struct wheel *w, uint64_t now);
/* Any that is in it; NULL: it is empty. */
struct timer *wheel_any(const struct wheel *w);

#endif
