/* SPDX-License-Identifier: MIT */
/* refused_test.c - pthread_create() says no, at each of the workers in turn. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

static int left = -1; /* pthreads that there are still; -1: any number */
static uint32_t refused;

/* Stands before the C library's in this program. */
int pthread_create(pthread_t *p, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (!left) {
		__atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
		return EAGAIN;
	}
	if (left > 0)
		left--;
	if (!real)
		real = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))(uintptr_t)dlsym(
			RTLD_NEXT, "pthread_create");
	return real(p, a, fn, arg);
}

static void *same(void *arg)
{
	return arg;
}

static void start_with(void *arg)
{
	const struct perch_config config = {.workers = 6};

	left = *(int *)arg;
	if (perch_start(&config) != -EAGAIN)
		_exit(5);
}

#if !SANITIZER_THREAD && !SANITIZER_ADDRESS
TEST(no_pthread_no_start)
{
	const struct perch_config config = {.workers = 6};

	for (int n = 0; n < 6; n++) {
		struct harness_captured c;
		char number[32];
		perch_t t;
		int x;
		void *result;

		/* it says which worker it was */
		ASSERT_EQ(harness_capture(&c, start_with, &n), 0);
		EXPECT_EQ(c.status, 0);
		snprintf(number, sizeof(number), "worker %d of 6", n + 1);
		EXPECT_CONTAINS(c.text, number);
		harness_release(&c);

		left = n;
		ASSERT_EQ(perch_start(&config), -EAGAIN);
		EXPECT_EQ(perch_workers(), 0);
		EXPECT_EQ(perch_create(&t, NULL, same, NULL), -EINVAL);
		EXPECT_EQ(perch_stop(), -EINVAL);
		/* and then as if nothing had been */
		left = -1;
		ASSERT_EQ(perch_start(&config), 0);
		ASSERT_EQ(perch_create(&t, NULL, same, &x), 0);
		ASSERT_EQ(perch_join(t, &result), 0);
		EXPECT_EQ(result, &x);
		ASSERT_EQ(perch_stop(), 0);
	}
}
/* ---- none for spares: asked for again, but less and less often ---- */

static void *blocks(void *marked)
{
	for (int i = 0; i < 15; i++) {
		if (marked)
			perch_block_begin();
		usleep(100000); /* in which nobody schedules here */
		if (marked)
			perch_block_end();
		perch_yield();
	}
	return marked;
}

static void *is_there(void *arg)
{
	for (int i = 0; i < 5; i++)
		perch_yield();
	return arg;
}

TEST_TIMEOUT(no_pthread_for_spares, 60)
{
	const struct perch_config one = {.procs = 1};
	perch_t t[3];

	ASSERT_EQ(perch_start(&one), 0);
	left = 0;
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, i < 2 ? blocks : is_there, i ? NULL : &left), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	harness_log("%u refused in 3 s", refused);
	EXPECT_GT(refused, 0);
	EXPECT_LT(refused, 60); /* 200 a second, when it was asked every 5 ms */
	/* and then one is had again */
	left = -1;
	ASSERT_EQ(perch_create(&t[0], NULL, blocks, NULL), 0);
	ASSERT_EQ(perch_create(&t[1], NULL, is_there, NULL), 0);
	ASSERT_EQ(perch_join(t[1], NULL), 0);
	ASSERT_EQ(perch_join(t[0], NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
}
#else
TEST(no_pthread_no_start)
{
	(void)start_with;
	(void)same;
	SKIP("the sanitizer has a pthread_create of its own");
}
#endif
