/* SPDX-License-Identifier: MIT */
/* sample.c - tests that pass and fail in every way, for harness_test.sh. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/harness/harness.h"

TEST(passes)
{
	int n = 0;

	ASSERT_EQ(1, 1L);
	EXPECT_EQ(n++, 0);
	EXPECT_EQ(n, 1); /* evaluated once */
	EXPECT_LT(-1, 1u);
	EXPECT_NE(-1, SIZE_MAX);
	EXPECT_EQ(UINT64_MAX, 18446744073709551615ul);
	EXPECT_GT(0.5, 0);
	EXPECT_LE(2, 2);
	EXPECT_GE(2, 2);
	EXPECT_TRUE(n);
	EXPECT_FALSE(!n);
	EXPECT_NULL(NULL);
	EXPECT_EQ(&n, &n);
	EXPECT_STREQ("a", "a");
	EXPECT_STRNE("a", NULL);
	EXPECT_CONTAINS("abc", "bc");
}

TEST(expect_goes_on)
{
	EXPECT_EQ(2 + 2, 5);
	EXPECT_STREQ("left", "right");
	harness_log("was here");
}

TEST(assert_stops)
{
	ASSERT_NE(40000, 40000);
	harness_log("was not here");
}

/* Each of these must fail by itself. */
FIXTURE(each_fails)
{
	int none;
};
FIXTURE_VARIANT(each_fails)
{
	int which;
};
FIXTURE_VARIANT_ADD(each_fails, eq){0};
FIXTURE_VARIANT_ADD(each_fails, ne){1};
FIXTURE_VARIANT_ADD(each_fails, lt){2};
FIXTURE_VARIANT_ADD(each_fails, le){3};
FIXTURE_VARIANT_ADD(each_fails, gt){4};
FIXTURE_VARIANT_ADD(each_fails, ge){5};
FIXTURE_VARIANT_ADD(each_fails, true_){6};
FIXTURE_VARIANT_ADD(each_fails, false_){7};
FIXTURE_VARIANT_ADD(each_fails, null){8};
FIXTURE_VARIANT_ADD(each_fails, streq){9};
FIXTURE_VARIANT_ADD(each_fails, strne){10};
FIXTURE_VARIANT_ADD(each_fails, contains){11};
FIXTURE_VARIANT_ADD(each_fails, wrap){12};
FIXTURE_SETUP(each_fails)
{
}
FIXTURE_TEARDOWN(each_fails)
{
}

static void check_one(int which)
{
	switch (which) {
	case 0:
		EXPECT_EQ(1, 2);
		break;
	case 1:
		EXPECT_NE(1, 1);
		break;
	case 2:
		EXPECT_LT(1, 1);
		break;
	case 3:
		EXPECT_LE(2, 1);
		break;
	case 4:
		EXPECT_GT(1, 1);
		break;
	case 5:
		EXPECT_GE(1, 2);
		break;
	case 6:
		EXPECT_TRUE(0);
		break;
	case 7:
		EXPECT_FALSE(1);
		break;
	case 8:
		EXPECT_NULL(&which);
		break;
	case 9:
		EXPECT_STREQ("a", NULL);
		break;
	case 10:
		EXPECT_STRNE("a", "a");
		break;
	case 11:
		EXPECT_CONTAINS("abc", "d");
		break;
	default:
		EXPECT_EQ(-1, UINT32_MAX);
	}
}

TEST_F(each_fails, check)
{
	check_one(variant->which);
}

static void *fail_there(void *arg)
{
	ASSERT_TRUE(arg);
	return NULL;
}

TEST(assert_in_another_pthread)
{
	pthread_t p;

	pthread_create(&p, NULL, fail_there, NULL);
	pthread_join(p, NULL);
	harness_log("was not here");
}

TEST_TIMEOUT(hangs, 1)
{
	if (fork() == 0)
		pause(); /* must be killed too; harness_test.sh looks for it */
	pause();
}

TEST(crashes)
{
	raise(SIGILL); /* of the deadly ones, one that no sanitizer catches */
}

TEST(leaves_early)
{
	_exit(0);
}

static void end_badly(void)
{
	_exit(9);
}

TEST(ends_badly)
{
	atexit(end_badly);
}

TEST_SIGNAL(dies_as_it_should, SIGABRT)
{
	abort();
}

TEST_SIGNAL(dies_otherwise, SIGABRT)
{
	raise(SIGTERM);
}

TEST_SIGNAL(survives, SIGABRT)
{
}

TEST_SIGNAL(fails_then_dies, SIGABRT)
{
	EXPECT_TRUE(false);
	abort();
}

TEST(skips)
{
	SKIP("no %s here", "unicorn");
}

FIXTURE(box)
{
	int value;
};
FIXTURE_VARIANT(box)
{
	int start;
};
FIXTURE_VARIANT_ADD(box, one){
	.start = 1,
};
FIXTURE_VARIANT_ADD(box, two){
	.start = 2,
};

FIXTURE_SETUP(box)
{
	EXPECT_EQ(self->value, 0);
	self->value = variant->start;
}

FIXTURE_TEARDOWN(box)
{
	harness_log("tear-down of %d", self->value);
}

TEST_F(box, holds)
{
	EXPECT_EQ(self->value, variant->start);
}

TEST_F(box, stops_before_teardown)
{
	self->value += 10;
	ASSERT_EQ(variant->start, 1);
}

TEST_F_SIGNAL(box, dies, SIGKILL)
{
	kill(getpid(), SIGKILL);
}

FIXTURE(broken)
{
	int value;
};

FIXTURE_SETUP(broken)
{
	ASSERT_EQ(self->value, 1);
}

FIXTURE_TEARDOWN(broken)
{
	harness_log("tear-down without set-up");
}

TEST_F(broken, is_not_reached)
{
	harness_log("ran without set-up");
}
