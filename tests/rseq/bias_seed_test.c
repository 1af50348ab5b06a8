/* SPDX-License-Identifier: MIT */
/* bias_seed_test.c - the stress test on a build with a bug in it: it must notice. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rseq/probe.h"
#include "tests/harness/harness.h"
#include "tests/rseq/bias_stress.h"

#define ROUNDS 20
#define ROUND_SECONDS 2
#define HANGS_SECONDS 20

/* Exit status 1: found. 0: not. SIGALRM: found too, as a lock that nobody lets go of. */
static void run(void *unused)
{
	struct bias_result r;

	(void)unused;
	alarm(HANGS_SECONDS);
	r = bias_stress(ROUND_SECONDS, 4);
	harness_log("%llu lockings, %llu leaning, %llu lost", (unsigned long long)r.done, (unsigned long long)r.leant,
		    (unsigned long long)r.lost);
	exit(r.lost != 0);
}

TEST_TIMEOUT(stress_finds_the_bug, 2 * ROUNDS * ROUND_SECONDS + HANGS_SECONDS)
{
	struct probe probe = probe_rseq();
	bool found = false;

	if (!probe.sections)
		SKIP("the bug is beside the sections, and there are none: %s", probe.why_not);
	for (int i = 0; i < ROUNDS && !found; i++) {
		struct harness_captured c;

		ASSERT_EQ(harness_capture(&c, run, NULL), 0);
		harness_log("%s", c.text);
		if (WIFSIGNALED(c.status)) {
			harness_log("a lock was lost");
			EXPECT_EQ(WTERMSIG(c.status), SIGALRM);
			found = true;
		} else {
			found = WEXITSTATUS(c.status) == 1;
		}
		harness_release(&c);
	}
	EXPECT_TRUE(found);
}
