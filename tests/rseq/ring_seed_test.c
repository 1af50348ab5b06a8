/* SPDX-License-Identifier: MIT */
/*
 * ring_seed_test.c - the stress test on a build with a bug in it. If the stress
 * test does not notice, this test fails: then it could not be relied on either
 * when it says that the sound builds are right.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "rseq/probe.h"
#include "tests/harness/harness.h"
#include "tests/rseq/ring_stress.h"
#include "tests/rseq/stress_item.h"

#define LIMIT_SECONDS 60

static void run(void *unused)
{
	struct stress_options options = STRESS_OPTIONS_INIT;

	(void)unused;
	/* what it says must come from the items, not from an area that changed while it was taken away */
	options.flap = false;
	options.migrate = true;
	options.seconds = LIMIT_SECONDS;
	options.seed = harness_random() >> 16;
	exit(ring_stress(&options) < 0 ? 2 : stress_broken() ? 1 : 0);
}

static bool crashed(int status)
{
	return WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS ||
				       WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGTRAP);
}

TEST_TIMEOUT(stress_finds_the_bug, LIMIT_SECONDS + 30)
{
	struct probe probe = probe_rseq();
	struct harness_captured c;
	uint64_t began = harness_now();

	if (!probe.sections)
		SKIP("the bug is in the sections, and there are none: %s", probe.why_not);
	ASSERT_EQ(harness_capture(&c, run, NULL), 0);
	harness_log("after %.2f s: %s", (double)(harness_now() - began) * 1e-9, c.text);
	if (!crashed(c.status)) {
		ASSERT_TRUE(WIFEXITED(c.status));
		EXPECT_EQ(WEXITSTATUS(c.status), 1);
	}
	harness_release(&c);
}
