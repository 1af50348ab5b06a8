/* SPDX-License-Identifier: MIT */
/* fuzz_test.c - a sample of fuzz.h; by night, 10^8 operations. */
#include <perch/perch.h>

#include "core/alloc/cache.h"
#include "rseq/section.h"
#include "tests/alloc/fuzz.h"
#include "tests/harness/harness.h"

#ifndef FUZZ_OPERATIONS
#define FUZZ_OPERATIONS 300000
#endif

TEST_TIMEOUT(random_calls_by_threads_that_move, 30 + FUZZ_OPERATIONS / 100000)
{
	struct fuzz f = {.operations = FUZZ_OPERATIONS, .threads = 6, .pthreads = 3};
	struct cache_counts c;

#ifdef PERCH_SECTION_DELAY
	perch_section_delay = 100;
#endif
	ASSERT_EQ(perch_start(NULL), 0);
	fuzz(&f);
	harness_log("%llu objects, %llu freed by others, %llu moves", (unsigned long long)f.objects,
		    (unsigned long long)f.foreign, (unsigned long long)f.moved);
	EXPECT_GT(f.objects, FUZZ_OPERATIONS / 2);
	EXPECT_GT(f.foreign, f.objects / 10);
	EXPECT_GT(f.moved, 0);
	ASSERT_EQ(perch_stop(), 0);
	/* all of it is free, and little more was ever taken than is in use at a time */
	cache_count(&c);
	EXPECT_EQ(c.large, 0);
	EXPECT_LE(c.taken, (size_t)128 << 20);
	perch_trim();
	EXPECT_FALSE(cache_to_trim());
}
