/* SPDX-License-Identifier: MIT */
/*
 * ring_stress_test.c - some seconds of the stress test; PERCH_STRESS_SECONDS of
 * it in the stress tier (RING_STRESS_LONG).
 */
#include "tests/harness/harness.h"
#include "tests/rseq/ring_stress.h"
#include "tests/rseq/stress_item.h"

#ifdef RING_STRESS_LONG
#define STRESS_TEST_F TEST_F_STRESS
#else
#define STRESS_TEST_F TEST_F
#endif

FIXTURE(ring)
{
	struct stress_options options;
};

FIXTURE_VARIANT(ring)
{
	bool migrate, flap;
};

FIXTURE_VARIANT_ADD(ring, pinned){.migrate = false, .flap = false};
FIXTURE_VARIANT_ADD(ring, moved){.migrate = true, .flap = false};
FIXTURE_VARIANT_ADD(ring, processors_come_and_go){.migrate = true, .flap = true};

FIXTURE_SETUP(ring)
{
	self->options = (struct stress_options)STRESS_OPTIONS_INIT;
	self->options.migrate = variant->migrate;
	self->options.flap = variant->flap;
	self->options.seed = harness_random() >> 16;
#ifdef RING_STRESS_LONG
	self->options.seconds = harness_stress_seconds();
#else
	self->options.seconds = 1.5;
#endif
}

FIXTURE_TEARDOWN(ring)
{
}

STRESS_TEST_F(ring, consumes_every_item_once)
{
	ASSERT_GE(ring_stress(&self->options), 0);
	EXPECT_STREQ(stress_broken(), NULL);
}
