/* SPDX-License-Identifier: MIT */
/* misuse_test.c - what a checked build finds, and how it says so. */
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <perch/perch.h>

#include "core/alloc/cache.h"
#include "core/alloc/checked.h"
#include "tests/harness/harness.h"

_Static_assert(ALLOC_CHECKED, "this is for checked builds");

/* What gcc would warn of is what is meant. */
static void *volatile hidden;
static unsigned char *hide(void *p)
{
	hidden = p;
	return hidden;
}

#define EXPECT_END(fn, words)                                                                                          \
	do {                                                                                                           \
		struct harness_captured c_;                                                                            \
		ASSERT_EQ(harness_capture(&c_, fn, NULL), 0);                                                          \
		EXPECT_TRUE(WIFSIGNALED(c_.status) && WTERMSIG(c_.status) == SIGABRT);                                 \
		EXPECT_CONTAINS(c_.text, words);                                                                       \
		harness_release(&c_);                                                                                  \
	} while (0)

static void freed_twice(void *arg)
{
	unsigned char *p = hide(perch_alloc(40));

	(void)arg;
	perch_free(p);
	perch_free(hidden);
}

static void freed_twice_long_ago(void *arg)
{
	unsigned char *p = hide(perch_alloc(40));

	(void)arg;
	perch_free(p);
	checked_let_go();
	perch_free(hidden);
}

static void resized_after_free(void *arg)
{
	unsigned char *p = hide(perch_alloc(40));

	(void)arg;
	perch_free(p);
	hidden = perch_realloc(hidden, 50);
}

TEST(freed_twice)
{
	EXPECT_END(freed_twice, "was given back before; it had 40 bytes");
	EXPECT_END(freed_twice_long_ago, "was given back before");
	EXPECT_END(resized_after_free, "perch_realloc: ");
}

#if !SANITIZER_ADDRESS /* which sees these by itself, when they happen */
static void overrun_by_one(void *arg)
{
	unsigned char *p = hide(perch_alloc(41));

	(void)arg;
	p[41] = 1;
	perch_free(p);
}

static void overrun_far(void *arg)
{
	unsigned char *p = hide(perch_alloc(40));

	(void)arg;
	memset(p, 1, perch_usable_size(p) + 24);
	perch_free(p);
}

static void overrun_of_a_large_one(void *arg)
{
	unsigned char *p = hide(perch_alloc(100000));

	(void)arg;
	p[100000] = 1;
	perch_free(p);
}

static void written_after_free(void *arg)
{
	unsigned char *p = hide(perch_alloc(1000));

	(void)arg;
	perch_free(p);
	((unsigned char *)hidden)[999] = 1;
	/* found when it is let go of */
	for (int i = 0; i < 10000; i++)
		perch_free(perch_alloc(1000));
}

TEST(written_where_it_is_not)
{
	EXPECT_END(overrun_by_one, "written to beyond its end, it has 41 bytes");
	EXPECT_END(overrun_far, "written to beyond its end");
	EXPECT_END(overrun_of_a_large_one, "written to beyond its end, it has 100000 bytes");
	EXPECT_END(written_after_free, "was written to after it had been given back");
}

static void not_written(void *arg)
{
	(void)arg;
	for (size_t size = 0; size < 70000; size += size / 10 + 1) {
		unsigned char *p = hide(perch_alloc(size));

		memset(p, 1, size);
		perch_free(p);
	}
	perch_trim();
}

TEST(nothing_is_found_where_nothing_is_wrong)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, not_written, NULL), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_STREQ(c.text, "");
	harness_release(&c);
}
#endif

static void inside(void *arg)
{
	unsigned char *p = hide(perch_alloc(100));

	(void)arg;
	perch_free(hide(p + 16));
}

static void on_the_stack(void *arg)
{
	unsigned char here[64];

	(void)arg;
	perch_free(hide(here + 16));
}

static void of_malloc(void *arg)
{
	(void)arg;
	perch_free(hide(malloc(100)));
}

static void never_handed_out(void *arg)
{
	unsigned char *p = hide(perch_alloc(100));

	(void)arg;
	perch_free(hide(p + CHUNK));
}

static void next_to_one(void *arg)
{
	unsigned char *p = hide(perch_alloc(30000));

	(void)arg;
	perch_free(hide(p + perch_usable_size(p) / 2 * 2 + 32768 - 30000));
}

static void nowhere(void *arg)
{
	(void)arg;
	perch_free(hide((void *)(uintptr_t)12345));
}

TEST(pointers_to_no_object)
{
	EXPECT_END(inside, "is no object of perch_alloc");
	EXPECT_END(on_the_stack, "is no object of perch_alloc");
	EXPECT_END(of_malloc, "is no object of perch_alloc");
	EXPECT_END(never_handed_out, "is no object of perch_alloc");
	EXPECT_END(next_to_one, "is no object of perch_alloc");
	EXPECT_END(nowhere, "is no object of perch_alloc");
}
