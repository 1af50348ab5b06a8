/* SPDX-License-Identifier: MIT */
/*
 * harness.h - write a test as TEST(name) { ... }, link //tests/harness, done.
 *
 * Each test runs in a process of its own, with a time-out, in a process group
 * that is killed when the test is over; so a test may crash, hang, leak or set
 * limits, and the next one does not see it. Results come out as KTAP.
 *
 *	TEST(adds) { EXPECT_EQ(add(1, 2), 3); }
 *	TEST_TIMEOUT(slow, 120) { ... }          seconds; 30 when not said
 *	TEST_SIGNAL(overflows, SIGABRT) { ... }  passes only by dying so
 *	TEST_STRESS(shuffles) { ... }            runs for harness_stress_seconds()
 *
 *	FIXTURE(ring) { struct ring *r; };
 *	FIXTURE_VARIANT(ring) { int size; };              optional
 *	FIXTURE_VARIANT_ADD(ring, tiny) { .size = 2 };    each test once for each
 *	FIXTURE_SETUP(ring) { self->r = make(variant->size); ASSERT_NE(self->r, NULL); }
 *	FIXTURE_TEARDOWN(ring) { drop(self->r); }
 *	TEST_F(ring, takes_in_order) { ... self->r ... }
 *
 * Set-up, test and tear-down run in the same process; tear-down runs also when
 * the test stopped early, if set-up came to its end and the process lives.
 *
 * ASSERT_* stops the test, EXPECT_* marks it failed and goes on. Both may be
 * used from any thread of the test's process. An ASSERT that fails elsewhere
 * than in the pthread that runs the test ends the process at once, with no
 * tear-down: there is no way back from a stack that is not the test's.
 */
#ifndef PERCH_TESTS_HARNESS_H
#define PERCH_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/harness/check.h"
#include "tests/harness/helpers.h"
#include "tests/harness/register.h"

#define TEST(name) HARNESS_TEST_(name, .seconds = HARNESS_SECONDS)
#define TEST_TIMEOUT(name, secs) HARNESS_TEST_(name, .seconds = (secs))
#define TEST_SIGNAL(name, sig) HARNESS_TEST_(name, .seconds = HARNESS_SECONDS, .signal = (sig))
#define TEST_STRESS(name) HARNESS_TEST_(name, .seconds = HARNESS_STRESS)

#define TEST_F(fixture, name) HARNESS_TEST_F_(fixture, name, .seconds = HARNESS_SECONDS)
#define TEST_F_TIMEOUT(fixture, name, secs) HARNESS_TEST_F_(fixture, name, .seconds = (secs))
#define TEST_F_SIGNAL(fixture, name, sig) HARNESS_TEST_F_(fixture, name, .seconds = HARNESS_SECONDS, .signal = (sig))
#define TEST_F_STRESS(fixture, name) HARNESS_TEST_F_(fixture, name, .seconds = HARNESS_STRESS)

/* Stop here and count the test as skipped, with a reason (a printf format). */
#define SKIP(...) harness_skip(__VA_ARGS__)

/*
 * Integers are compared as numbers, whatever their types (-1 is not SIZE_MAX);
 * pointers with pointers; both sides are evaluated once and shown on failure.
 */
#define EXPECT_EQ(a, b) HARNESS_COMPARE_(a, HARNESS_EQ, b, )
#define EXPECT_NE(a, b) HARNESS_COMPARE_(a, HARNESS_NE, b, )
#define EXPECT_LT(a, b) HARNESS_COMPARE_(a, HARNESS_LT, b, )
#define EXPECT_LE(a, b) HARNESS_COMPARE_(a, HARNESS_LE, b, )
#define EXPECT_GT(a, b) HARNESS_COMPARE_(a, HARNESS_GT, b, )
#define EXPECT_GE(a, b) HARNESS_COMPARE_(a, HARNESS_GE, b, )
#define EXPECT_TRUE(a) HARNESS_TRUTH_(a, true, )
#define EXPECT_FALSE(a) HARNESS_TRUTH_(a, false, )
#define EXPECT_NULL(a) HARNESS_COMPARE_(a, HARNESS_EQ, NULL, )
#define EXPECT_STREQ(a, b) HARNESS_STRINGS_(a, HARNESS_SAME, b, )
#define EXPECT_STRNE(a, b) HARNESS_STRINGS_(a, HARNESS_DIFFERENT, b, )
#define EXPECT_CONTAINS(text, part) HARNESS_STRINGS_(text, HARNESS_CONTAINS, part, )

#define ASSERT_EQ(a, b) HARNESS_COMPARE_(a, HARNESS_EQ, b, harness_stop())
#define ASSERT_NE(a, b) HARNESS_COMPARE_(a, HARNESS_NE, b, harness_stop())
#define ASSERT_LT(a, b) HARNESS_COMPARE_(a, HARNESS_LT, b, harness_stop())
#define ASSERT_LE(a, b) HARNESS_COMPARE_(a, HARNESS_LE, b, harness_stop())
#define ASSERT_GT(a, b) HARNESS_COMPARE_(a, HARNESS_GT, b, harness_stop())
#define ASSERT_GE(a, b) HARNESS_COMPARE_(a, HARNESS_GE, b, harness_stop())
#define ASSERT_TRUE(a) HARNESS_TRUTH_(a, true, harness_stop())
#define ASSERT_FALSE(a) HARNESS_TRUTH_(a, false, harness_stop())
#define ASSERT_NULL(a) HARNESS_COMPARE_(a, HARNESS_EQ, NULL, harness_stop())
#define ASSERT_STREQ(a, b) HARNESS_STRINGS_(a, HARNESS_SAME, b, harness_stop())
#define ASSERT_STRNE(a, b) HARNESS_STRINGS_(a, HARNESS_DIFFERENT, b, harness_stop())
#define ASSERT_CONTAINS(text, part) HARNESS_STRINGS_(text, HARNESS_CONTAINS, part, harness_stop())

#endif
