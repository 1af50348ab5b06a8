/* SPDX-License-Identifier: MIT */
/* exceptions_test.c - what a C++ thread has caught is its own, wherever it waits and goes on. */
#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/cxx/exceptions.h"
#include "tests/harness/harness.h"

enum { THREADS = SANITIZER_THREAD ? 10 : 60 };

FIXTURE(exceptions)
{
	int unused;
};
FIXTURE_VARIANT(exceptions)
{
	unsigned procs, workers;
};
FIXTURE_VARIANT_ADD(exceptions, alone){1, 0};
FIXTURE_VARIANT_ADD(exceptions, all_cpus){0, 0};
FIXTURE_VARIANT_ADD(exceptions, crowded){0, 6};

FIXTURE_SETUP(exceptions)
{
	struct perch_config config = PERCH_CONFIG_INIT;

	config.procs = variant->procs;
	config.workers = variant->workers;
	ASSERT_EQ(perch_start(&config), 0);
}

FIXTURE_TEARDOWN(exceptions)
{
	EXPECT_EQ(perch_stop(), 0);
}

/* Threads that do this, and between them others that have caught nothing. */
static void crowd(void *(*fn)(void *))
{
	perch_t t[THREADS], u[THREADS];
	void *bad;

	for (uintptr_t i = 0; i < THREADS; i++) {
		ASSERT_EQ(perch_create(&t[i], NULL, fn, (void *)(i + 1)), 0);
		ASSERT_EQ(perch_create(&u[i], NULL, handles_nothing, NULL), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		ASSERT_EQ(perch_join(t[i], &bad), 0);
		EXPECT_EQ((uintptr_t)bad, 0);
		ASSERT_EQ(perch_join(u[i], &bad), 0);
		EXPECT_EQ((uintptr_t)bad, 0);
	}
}

TEST_F(exceptions, a_thread_rethrows_what_it_caught)
{
	(void)self;
	(void)variant;
	crowd(catch_yield_rethrow);
}

TEST_F(exceptions, whatever_it_waited_for)
{
	(void)self;
	(void)variant;
	crowd(wait_in_every_way);
}

TEST_F(exceptions, those_in_flight_are_its_own)
{
	(void)self;
	(void)variant;
	crowd(yield_in_a_destructor);
}

TEST_F(exceptions, whom_it_joins_has_caught_nothing)
{
	(void)self;
	(void)variant;
	crowd(join_in_a_handler);
}

static void *joins_those_who_exit(void *arg)
{
	for (uintptr_t i = 0; i < 20; i++) {
		perch_t t;
		void *bad = handles_nothing(NULL);

		if (bad || perch_create(&t, NULL, exit_in_a_handler, (void *)i) || perch_join(t, NULL))
			return (void *)1;
	}
	return handles_nothing(arg);
}

TEST_F(exceptions, an_exit_in_a_handler_leaves_nothing)
{
	(void)self;
	(void)variant;
	if (SANITIZER_ADDRESS)
		SKIP("what such a thread has caught is never freed");
	crowd(exit_in_a_handler);
	crowd(joins_those_who_exit);
}
