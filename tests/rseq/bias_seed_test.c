/* SPDX-License-Identifier: MIT */
/* bias_seed_test.c - the stress test on a build with a bug in it: it must notice. */
#include <stdlib.h>
#include <sys/wait.h>

#include "rseq/probe.h"
#include "tests/harness/harness.h"
#include "tests/rseq/bias_stress.h"

#define ROUNDS 20

/* Exit status 1: found. 0: not. */
static void run(void *unused)
{
	struct bias_result r = bias_stress(2, 4);

	(void)unused;
	harness_log("%llu lockings, %llu leaning, %llu lost", (unsigned long long)r.done, (unsigned long long)r.leant,
		    (unsigned long long)r.lost);
	exit(r.lost != 0);
}

TEST_TIMEOUT(stress_finds_the_bug, 2 * ROUNDS * 3)
{
	struct probe probe = probe_rseq();
	int status = 0;

	if (!probe.sections)
		SKIP("the bug is beside the sections, and there are none: %s", probe.why_not);
	for (int i = 0; i < ROUNDS && !status; i++) {
		struct harness_captured c;

		ASSERT_EQ(harness_capture(&c, run, NULL), 0);
		harness_log("%s", c.text);
		ASSERT_TRUE(WIFEXITED(c.status));
		status = WEXITSTATUS(c.status);
		harness_release(&c);
	}
	EXPECT_EQ(status, 1);
}
