/* SPDX-License-Identifier: MIT */
/* trim_test.c - memory goes back to the system, at once or after a while; only what is free. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <perch/perch.h>

#include "core/alloc/cache.h"
#include "core/alloc/checked.h"
#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

#define MIB ((size_t)1 << 20)
/* A sanitizer has memory of its own for each page, and time. */
#define SHADOWS (SANITIZER_THREAD + SANITIZER_ADDRESS)
#define TOTAL ((SANITIZER_THREAD ? 4 : 16) * MIB)

struct filled {
	size_t size, n;
	unsigned char **p;
};

static struct filled fill(size_t size)
{
	struct filled f = {size, TOTAL / size, NULL};

	f.p = calloc(f.n, sizeof(*f.p));
	for (size_t i = 0; i < f.n; i++) {
		f.p[i] = perch_alloc(size);
		ASSERT_NE(f.p[i], NULL);
		memset(f.p[i], (int)(i % 251), size);
	}
	return f;
}

static void check(const struct filled *f)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t j = 0; f->p[i] && j < f->size; j++)
			ASSERT_EQ(f->p[i][j], i % 251);
}

/* In any order, all but each `keep`th. */
static void drop(struct filled *f, size_t keep)
{
	for (size_t i = 0; i < f->n; i++) {
		size_t other = (size_t)harness_random_below(f->n);
		unsigned char *p = f->p[i];

		/* numbers are what is in them: both or neither is moved */
		if (keep || i % 251 != other % 251)
			continue;
		f->p[i] = f->p[other];
		f->p[other] = p;
	}
	for (size_t i = 0; i < f->n; i++) {
		if (keep && i % keep == 0)
			continue;
		perch_free(f->p[i]);
		f->p[i] = NULL;
	}
}

static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	size_t size, pages = 0;

	ASSERT_NE(f, NULL);
	ASSERT_EQ(fscanf(f, "%zu %zu", &size, &pages), 2);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

FIXTURE(trim)
{
	int nothing;
};

FIXTURE_VARIANT(trim)
{
	size_t size;
};

FIXTURE_VARIANT_ADD(trim, of_16){16};
FIXTURE_VARIANT_ADD(trim, of_100){100};
FIXTURE_VARIANT_ADD(trim, of_640){640};
FIXTURE_VARIANT_ADD(trim, of_4096){4096};
FIXTURE_VARIANT_ADD(trim, of_7000){7000};
FIXTURE_VARIANT_ADD(trim, of_32768){32768};

FIXTURE_SETUP(trim)
{
}

FIXTURE_TEARDOWN(trim)
{
}

static void all_goes(size_t size)
{
	for (int round = 0; round < 2; round++) {
		struct filled f = fill(size);
		/* a pointer to each of them stays in a depot */
		size_t before = resident(), bytes, pointers = f.n * sizeof(void *);

		check(&f);
		drop(&f, 0);
		bytes = perch_trim();
		/* with what a checked build adds, 32 KiB are a large object, which has gone already */
		if (!ALLOC_CHECKED || size < CLASS_MOST)
			EXPECT_GE(bytes, TOTAL - MIB);
		if (!ALLOC_CHECKED)
			EXPECT_LE(bytes, TOTAL + TOTAL / 8 + MIB);
		if (!SHADOWS)
			EXPECT_LE(resident() + TOTAL - 4 * MIB, before + pointers);
		EXPECT_EQ(perch_trim(), 0);
		free(f.p);
	}
}

TEST_F(trim, all_that_is_free_goes_at_once)
{
	all_goes(variant->size);
}

static void *all_goes_here(void *size)
{
	all_goes((size_t)size);
	return NULL;
}

TEST_F(trim, also_what_lies_on_cpus)
{
	perch_t t;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_create(&t, NULL, all_goes_here, (void *)variant->size), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
}

TEST_F(trim, what_is_in_use_stays)
{
	static const size_t keep[] = {2, 3, 64, 1000};

	for (unsigned k = 0; k < 4; k++) {
		struct filled f = fill(variant->size);

		drop(&f, keep[k]);
		perch_trim();
		check(&f);
		for (size_t i = 0; i < f.n; i++)
			perch_free(f.p[i]);
		perch_trim();
		free(f.p);
	}
}

TEST(what_is_not_in_use_for_long_goes_by_itself)
{
	uint64_t until = harness_now() + UINT64_C(15000000000);
	struct cache_counts before, c;
	struct filled f;

	ASSERT_EQ(perch_start(NULL), 0);
	f = fill(200);
	drop(&f, 0);
	cache_count(&before);
	EXPECT_GT(before.free, TOTAL);
	EXPECT_EQ(before.returned, 0);
	do {
		usleep(100000);
		cache_count(&c);
	} while (c.returned < TOTAL - MIB && harness_now() < until);
	EXPECT_GE(c.returned, TOTAL - MIB);
	EXPECT_EQ(c.free, before.free);
	/* then there is nothing to do any more */
	while (cache_to_trim() && harness_now() < until)
		usleep(100000);
	EXPECT_FALSE(cache_to_trim());
	/* and it may all be used again */
	free(f.p);
	f = fill(200);
	check(&f);
	drop(&f, 0);
	cache_count(&c);
	EXPECT_LE(c.taken, before.taken);
	free(f.p);
	EXPECT_EQ(perch_stop(), 0);
}

TEST(it_is_counted)
{
	struct perch_stats s;
	struct filled f;
	void *large;

	ASSERT_EQ(perch_start(NULL), 0);
	f = fill(1000);
	large = perch_alloc(MIB);
	ASSERT_EQ(perch_stats_get(&s), 0);
	EXPECT_GE(s.alloc_bytes, TOTAL);
	EXPECT_EQ(s.alloc_large, 1);
	EXPECT_GE(s.alloc_large_bytes, MIB);
	EXPECT_GT(s.alloc_refills, 100);
	/* none, but for what was left of a refill when this pthread was moved to another CPU */
	EXPECT_LT(s.alloc_flushes, 10);
	EXPECT_LT(s.alloc_free, MIB);
	drop(&f, 0);
	perch_free(large);
	perch_trim();
	ASSERT_EQ(perch_stats_get(&s), 0);
	EXPECT_EQ(s.alloc_large, 0);
	EXPECT_EQ(s.alloc_large_bytes, 0);
	EXPECT_GT(s.alloc_flushes, 100);
	EXPECT_GE(s.alloc_free, TOTAL);
	EXPECT_GE(s.alloc_returned, TOTAL - MIB);
	free(f.p);
	EXPECT_EQ(perch_stop(), 0);
}
