/* SPDX-License-Identifier: MIT */
/* fuzz_test.c - a sample of fuzz.h; with FUZZ_LONG, samples for PERCH_STRESS_SECONDS. */
#include <perch/perch.h>

#include "core/alloc/cache.h"
#include "rseq/section.h"
#include "tests/alloc/fuzz.h"
#include "tests/harness/harness.h"
#include "tests/harness/helpers.h"

#ifdef FUZZ_LONG
#define OPERATIONS 1000000u
#define TIMEOUT 7200
#else
#define OPERATIONS 300000u
#define TIMEOUT 30
#endif

TEST_TIMEOUT(random_calls_by_threads_that_move, TIMEOUT)
{
	struct fuzz f = {.operations = OPERATIONS, .threads = 6, .pthreads = 3};
	struct cache_counts c;
	unsigned samples = 0;

#ifdef PERCH_SECTION_DELAY
	perch_section_delay = 100;
#endif
	ASSERT_EQ(perch_start(NULL), 0);
	do {
		fuzz(&f);
		samples++;
		ASSERT_GT(f.objects, OPERATIONS / 2);
		ASSERT_GT(f.foreign, f.objects / 10);
		ASSERT_GT(f.moved, 0);
#ifdef FUZZ_LONG
	} while (!harness_stress_over());
#else
	} while (0);
#endif
	harness_log("%u samples of %u operations; in the last %llu objects, %llu freed by others, %llu moves", samples,
		    OPERATIONS, (unsigned long long)f.objects, (unsigned long long)f.foreign,
		    (unsigned long long)f.moved);
	ASSERT_EQ(perch_stop(), 0);
	/* all of it is free, and little more was ever taken than is in use at a time */
	cache_count(&c);
	EXPECT_EQ(c.large, 0);
	EXPECT_LE(c.taken, (size_t)128 << 20);
	perch_trim();
	EXPECT_FALSE(cache_to_trim());
}
