/* SPDX-License-Identifier: MIT */
/* bulk_test.c - new stacks: many in one call, one by one where the kernel refuses that. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "core/thread/stack.h"
#include "rseq/sanitizer.h"
#include "tests/core/overflow.h"
#include "tests/harness/gather.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define MANY 400

static struct {
	long calls, refused_from; /* counted from 1; 0: none is refused */
	size_t most;              /* pages that one call sees to; 0: all */
	unsigned long alone;      /* guards that took a call each */
} bulk;

/* In place of the C library's. */
ssize_t process_madvise(int pidfd, const struct iovec *page, size_t n, int advice, unsigned flags)
{
	long call = __atomic_add_fetch(&bulk.calls, 1, __ATOMIC_RELAXED);

	if (bulk.refused_from && call >= bulk.refused_from) {
		errno = EPERM;
		return -1;
	}
	if (bulk.most && n > bulk.most)
		n = bulk.most;
	return syscall(SYS_process_madvise, pidfd, page, n, advice, flags);
}

int madvise(void *address, size_t length, int advice)
{
	if (advice == MADV_GUARD_INSTALL)
		__atomic_fetch_add(&bulk.alone, 1, __ATOMIC_RELAXED);
	return (int)syscall(SYS_madvise, address, length, advice);
}

static perch_event_t go;
static uint32_t there;

static void *wait_for_all(void *arg)
{
	count_up(&there);
	EXPECT_EQ(perch_event_wait(&go), 0);
	return arg;
}

/* So many that each has a stack of its own. */
static void many(void)
{
	static perch_t t[MANY];

	ASSERT_EQ(perch_event_init(&go), 0);
	there = 0;
	for (int i = 0; i < MANY; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, wait_for_all, &t[i]), 0);
	ASSERT_TRUE(gather(&there, MANY, 60));
	ASSERT_EQ(perch_event_set(&go), 0);
	for (int i = 0; i < MANY; i++) {
		void *result = NULL;

		ASSERT_EQ(perch_join(t[i], &result), 0);
		ASSERT_EQ(result, &t[i]);
	}
	ASSERT_EQ(perch_event_destroy(&go), 0);
}

static bool by_madvise(void)
{
	return stack_guard_name()[1] == 'a';
}

TEST(guards_are_made_many_at_once)
{
	ASSERT_EQ(perch_start(NULL), 0);
	bulk.calls = 0;
	bulk.alone = 0;
	many();
	harness_log("%ld calls for %d stacks, guards by %s, %lu calls for one", bulk.calls, MANY, stack_guard_name(),
		    bulk.alone);
	if (!bulk.calls)
		SKIP("this kernel takes no call for many pages of this process (Linux 6.15)");
	EXPECT_LE(bulk.calls, 4 * MANY / 32);
	EXPECT_EQ(bulk.alone, 0);
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- each stack has its guard, whichever way ---- */

static void *overflow_at_number(void *arg)
{
	/* it is started among others: any place in a batch */
	if (count_up(&there) == (uintptr_t)arg)
		overflow_in_thread(NULL);
	perch_event_wait(&go);
	return NULL;
}

static void overflow_child(void *arg)
{
	perch_t t;

	overflow_leaves_no_core();
	there = 0;
	if (perch_start(NULL) || perch_event_init(&go))
		_exit(9);
	for (int i = 0; i < MANY; i++)
		if (perch_create(&t, NULL, overflow_at_number, arg))
			_exit(7);
	gather(&there, MANY + 1, 20); /* until one overflows */
	_exit(8);
}

/* Before the runtime was ever started here: the thread sanitizer has it so. */
static void overflows_are_seen(void)
{
	static const uintptr_t number[] = {1, 2, 31, 32, 33, 64, 200, MANY};

	for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
		struct harness_captured c;

		ASSERT_EQ(harness_capture(&c, overflow_child, (void *)number[i]), 0);
		if (!WIFSIGNALED(c.status))
			harness_log("number %lu: status %#x, and: %s", (unsigned long)number[i], c.status, c.text);
		EXPECT_TRUE(WIFSIGNALED(c.status));
		EXPECT_EQ(WTERMSIG(c.status), SIGABRT);
		EXPECT_CONTAINS(c.text, "overflowed its stack");
		harness_release(&c);
	}
}

TEST_TIMEOUT(overflows_are_seen_in_each_of_a_batch, 60)
{
	overflows_are_seen();
}

TEST_TIMEOUT(a_kernel_without_it, 60)
{
	bulk.refused_from = 1;
	overflows_are_seen();
	ASSERT_EQ(perch_start(NULL), 0);
	bulk.calls = 0;
	many();
	EXPECT_EQ(bulk.calls, 0); /* it was asked once, at the start */
	if (by_madvise())
		EXPECT_GE(bulk.alone, MANY);
	ASSERT_EQ(perch_stop(), 0);
}

TEST_TIMEOUT(refused_after_its_first_use, 60)
{
	bulk.refused_from = 4;
	overflows_are_seen();
	ASSERT_EQ(perch_start(NULL), 0);
	many();
	if (by_madvise() && bulk.calls)
		EXPECT_GT(bulk.alone, MANY / 2);
	ASSERT_EQ(perch_stop(), 0);
}

TEST_TIMEOUT(a_part_at_a_time, 60)
{
	bulk.most = 5;
	overflows_are_seen();
	ASSERT_EQ(perch_start(NULL), 0);
	bulk.alone = 0; /* the probe's */
	many();
	EXPECT_EQ(bulk.calls > 1 ? bulk.alone : 0, 0);
	ASSERT_EQ(perch_stop(), 0);
}
