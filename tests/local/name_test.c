/* SPDX-License-Identifier: MIT */
/* name_test.c - perch_setname and perch_getname, of threads that live, end, and are gone. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <perch/perch.h>

#include "tests/harness/gather.h"

static uint32_t up;

static void *wait_in(void *arg)
{
	count_up(&up);
	perch_waitgroup_wait(arg);
	return NULL;
}

static void *name_myself(void *arg)
{
	char name[PERCH_NAME_MAX + 1];

	EXPECT_EQ(perch_getname(perch_self(), name, sizeof(name)), 0);
	EXPECT_STREQ(name, "");
	EXPECT_EQ(perch_setname(perch_self(), "me"), 0);
	EXPECT_EQ(perch_getname(perch_self(), name, sizeof(name)), 0);
	EXPECT_STREQ(name, "me");
	return arg;
}

TEST(named_and_renamed)
{
	static const char longest[] = "0123456789012345678901234567890", longer[] = "01234567890123456789012345678901";
	perch_waitgroup_t gate = PERCH_WAITGROUP_INIT;
	char name[64];
	perch_attr_t a;
	perch_t t;

	EXPECT_EQ(perch_setname(1, "x"), -EINVAL);
	EXPECT_EQ(perch_getname(1, name, sizeof(name)), -EINVAL);
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_attr_init(&a), 0);
	ASSERT_EQ(perch_attr_setname(&a, "first"), 0);
	ASSERT_EQ(perch_waitgroup_add(&gate, 1), 0);
	ASSERT_EQ(perch_create(&t, &a, wait_in, &gate), 0);
	EXPECT_EQ(perch_getname(t, name, sizeof(name)), 0);
	EXPECT_STREQ(name, "first");
	EXPECT_EQ(perch_setname(t, longer), -ERANGE);
	EXPECT_EQ(perch_setname(t, NULL), -EINVAL);
	EXPECT_EQ(perch_getname(t, NULL, 5), -EINVAL);
	EXPECT_EQ(perch_getname(t, name, 5), -ERANGE);
	EXPECT_EQ(perch_getname(t, name, 6), 0);
	EXPECT_STREQ(name, "first");
	EXPECT_EQ(perch_setname(t, longest), 0);
	EXPECT_EQ(perch_getname(t, name, sizeof(name)), 0);
	EXPECT_STREQ(name, longest);
	EXPECT_EQ(perch_setname(t, ""), 0);
	EXPECT_EQ(perch_getname(t, name, sizeof(name)), 0);
	EXPECT_STREQ(name, "");
	EXPECT_EQ(perch_setname(t, "last"), 0);
	EXPECT_EQ(perch_setname(0, "nobody"), -ESRCH);
	EXPECT_EQ(perch_getname(perch_self(), name, sizeof(name)), -ESRCH);
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(perch_setname(t, "gone"), -ESRCH);
	EXPECT_EQ(perch_getname(t, name, sizeof(name)), -ESRCH);
	for (int i = 0; i < 10; i++) { /* the next to use the descriptor has no name */
		ASSERT_EQ(perch_create(&t, NULL, name_myself, NULL), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	ASSERT_EQ(perch_stop(), 0);
}

static uint32_t stop;

static void *rename_for_ever(void *arg)
{
	perch_t *t = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		static const char *const names[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbb", ""};
		perch_t which = __atomic_load_n(&t[harness_random_below(4)], __ATOMIC_ACQUIRE);
		int r = perch_setname(which, names[harness_random_below(3)]);

		ASSERT_TRUE(r == 0 || r == -ESRCH);
	}
	return NULL;
}

static void *read_for_ever(void *arg)
{
	perch_t *t = arg;
	char name[64];

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		perch_t which = __atomic_load_n(&t[harness_random_below(4)], __ATOMIC_ACQUIRE);
		int r = perch_getname(which, name, sizeof(name));

		ASSERT_TRUE(r == 0 || r == -ESRCH);
		if (r == 0 && name[0] == 'a')
			ASSERT_EQ(strlen(name), 31);
		else if (r == 0 && name[0] == 'b')
			ASSERT_STREQ(name, "bbbb");
		else if (r == 0)
			ASSERT_TRUE(!name[0] || !strcmp(name, "young"));
	}
	return NULL;
}

static void *live_shortly(void *arg)
{
	perch_yield();
	return arg;
}

/* Strings are neither torn nor used after they were freed, and none is lost (which
 * the address sanitizer would tell). */
TEST_TIMEOUT(renamed_and_read_while_threads_end, 60)
{
	static perch_t t[4];
	pthread_t p[3];
	perch_attr_t a;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_attr_init(&a), 0);
	ASSERT_EQ(perch_attr_setname(&a, "young"), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, i < 2 ? rename_for_ever : read_for_ever, t), 0);
	for (int i = 0; i < 3000; i++) {
		perch_t fresh;

		ASSERT_EQ(perch_create(&fresh, i % 2 ? &a : NULL, live_shortly, NULL), 0);
		__atomic_store_n(&t[i % 4], fresh, __ATOMIC_RELEASE);
		if (i % 3 == 0)
			harness_delay(2000);
		if (i % 5 < 3)
			ASSERT_EQ(perch_join(fresh, NULL), 0);
		else
			ASSERT_EQ(perch_detach(fresh), 0);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
}
