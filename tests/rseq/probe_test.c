/* SPDX-License-Identifier: MIT */
/*
 * probe_test.c - the probe says what is so, and why: it is run with everything
 * there, with rseq switched off in glibc, and with membarrier refused.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "rseq/abi.h"
#include "rseq/sanitizer.h"
#include "tests/harness/harness.h"
#include "tests/rseq/area.h"

static bool names(const char *variable, const char *what)
{
	const char *value = getenv(variable);

	return value && strstr(value, what);
}

TEST(says_what_is_so)
{
	struct probe p = probe_rseq();

	EXPECT_EQ(p.feature_size, getauxval(AT_RSEQ_FEATURE_SIZE));
	if (SANITIZER_THREAD) {
		EXPECT_FALSE(p.sections);
		EXPECT_CONTAINS(p.why_not, "thread sanitizer");
		return;
	}
	if (names("GLIBC_TUNABLES", "glibc.pthread.rseq=0")) {
		EXPECT_FALSE(p.sections);
		EXPECT_EQ(p.area_size, 0);
		EXPECT_CONTAINS(p.why_not, "glibc did not register rseq");
		return;
	}
	if (!&__rseq_size || !__rseq_size)
		SKIP("there is no rseq here: %s", p.why_not);
	EXPECT_EQ(p.area_size, __rseq_size);
	if (names("PERCH_TEST_SECCOMP", "membarrier")) {
		EXPECT_FALSE(p.sections);
		EXPECT_CONTAINS(p.why_not, "membarrier");
		EXPECT_CONTAINS(p.why_not, "refused");
		return;
	}
	EXPECT_TRUE(p.sections);
	EXPECT_NULL(p.why_not);
}

TEST(membarrier_refused_is_found_out_now)
{
	struct probe before = probe_rseq(), after;

	ASSERT_EQ(harness_refuse("membarrier"), 0);
	after = probe_rseq();
	EXPECT_FALSE(after.sections);
	ASSERT_NE(after.why_not, NULL);
	if (before.sections)
		EXPECT_CONTAINS(after.why_not, "membarrier");
	else
		EXPECT_STREQ(after.why_not, before.why_not);
}

TEST(cpu_is_where_we_are_pinned)
{
	int cpus[64], n = area_cpus(cpus, 64);

	area_start();
	for (int i = 0; i < n; i++) {
		area_pin(cpus[i]);
		EXPECT_EQ(percpu_cpu(), cpus[i]);
		EXPECT_NULL(percpu_here());
		percpu_activate(cpus[i], 0);
		EXPECT_EQ(percpu_here(), percpu_of(cpus[i]));
	}
}
