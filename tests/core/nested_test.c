/* SPDX-License-Identifier: MIT */
/* nested_test.c - functions in functions, called by address: the compiler puts code on the thread's stack for them. */
#include <perch/perch.h>

#include "tests/harness/harness.h"

#ifdef __clang__
TEST(nested_functions)
{
	SKIP("this compiler has none");
}
#else
static __attribute__((noinline)) int twice(int (*fn)(int), int x)
{
	__asm__ volatile("" : "+r"(fn)); /* by its address, whatever the compiler knows */
	return fn(fn(x));
}

static void *call_nested(void *arg)
{
	int by = (int)(uintptr_t)arg;

	int add(int x)
	{
		return x + by;
	}

	perch_yield();
	return (void *)(uintptr_t)twice(add, 1);
}

static void expect_nested(size_t stack)
{
	perch_attr_t a;
	void *result;
	perch_t t;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_attr_init(&a), 0);
	ASSERT_EQ(perch_attr_setstacksize(&a, stack), 0);
	for (uintptr_t i = 0; i < 100; i++) {
		ASSERT_EQ(perch_create(&t, &a, call_nested, (void *)i), 0);
		ASSERT_EQ(perch_join(t, &result), 0);
		ASSERT_EQ((uintptr_t)result, 1 + 2 * i);
	}
	ASSERT_EQ(perch_stop(), 0);
}

TEST(nested_functions)
{
	expect_nested(0);
	expect_nested(PERCH_STACK_MIN);
	expect_nested((size_t)4 << 20);
}
#endif
