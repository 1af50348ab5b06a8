/* SPDX-License-Identifier: MIT */
/* thread_test.c - create, join, detach, self, exit, yield, and attributes. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

/* ---- outside a runtime ---- */

static void *same(void *arg)
{
	return arg;
}

static void plain(void *arg)
{
	count_up(arg);
}

TEST(before_start_and_after_stop)
{
	perch_t t = 77, made;

	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(perch_create(&t, NULL, same, NULL), -EINVAL);
		EXPECT_EQ(t, 77);
		EXPECT_EQ(perch_go(plain, NULL), -EINVAL);
		EXPECT_EQ(perch_join(i ? made : 12345, NULL), -EINVAL);
		EXPECT_EQ(perch_detach(i ? made : 12345), -EINVAL);
		EXPECT_EQ(perch_self(), 0);
		EXPECT_EQ(perch_yield(), 0);
		if (i)
			break;
		ASSERT_EQ(perch_start(NULL), 0);
		ASSERT_EQ(perch_create(&made, NULL, same, NULL), 0);
		ASSERT_EQ(perch_stop(), 0);
	}
}

static void *exit_pthread(void *arg)
{
	perch_exit(arg);
}

TEST(exit_outside_is_pthread_exit)
{
	pthread_t p;
	void *result;
	int x;

	ASSERT_EQ(pthread_create(&p, NULL, exit_pthread, &x), 0);
	ASSERT_EQ(pthread_join(p, &result), 0);
	EXPECT_EQ(result, &x);
}

/* ---- attributes ---- */

TEST(attributes_hold_what_was_set)
{
	perch_attr_t a;
	char name[PERCH_NAME_MAX + 1];
	size_t bytes = 1;
	int state = 7;

	ASSERT_EQ(perch_attr_init(&a), 0);
	EXPECT_EQ(perch_attr_getstacksize(&a, &bytes), 0);
	EXPECT_EQ(bytes, 0);
	EXPECT_EQ(perch_attr_getdetachstate(&a, &state), 0);
	EXPECT_EQ(state, PERCH_CREATE_JOINABLE);
	EXPECT_EQ(perch_attr_getname(&a, name, sizeof(name)), 0);
	EXPECT_STREQ(name, "");

	EXPECT_EQ(perch_attr_setname(&a, "0123456789012345678901234567890"), 0);
	EXPECT_EQ(perch_attr_getname(&a, name, sizeof(name)), 0);
	EXPECT_STREQ(name, "0123456789012345678901234567890");
	EXPECT_EQ(perch_attr_setstacksize(&a, 100000), 0);
	EXPECT_EQ(perch_attr_getstacksize(&a, &bytes), 0);
	EXPECT_EQ(bytes, 131072);
	EXPECT_EQ(perch_attr_setstacksize(&a, PERCH_STACK_MIN), 0);
	EXPECT_EQ(perch_attr_getstacksize(&a, &bytes), 0);
	EXPECT_EQ(bytes, PERCH_STACK_MIN);
	EXPECT_EQ(perch_attr_setstacksize(&a, PERCH_STACK_MAX), 0);
	EXPECT_EQ(perch_attr_getstacksize(&a, &bytes), 0);
	EXPECT_EQ(bytes, PERCH_STACK_MAX);
	EXPECT_EQ(perch_attr_setstacksize(&a, 0), 0);
	EXPECT_EQ(perch_attr_getstacksize(&a, &bytes), 0);
	EXPECT_EQ(bytes, 0);
	EXPECT_EQ(perch_attr_setdetachstate(&a, PERCH_CREATE_DETACHED), 0);
	EXPECT_EQ(perch_attr_getdetachstate(&a, &state), 0);
	EXPECT_EQ(state, PERCH_CREATE_DETACHED);
	EXPECT_EQ(perch_attr_destroy(&a), 0);
	EXPECT_EQ(perch_attr_destroy(&a), -EINVAL);
	EXPECT_EQ(perch_attr_setstacksize(&a, PERCH_STACK_MIN), -EINVAL);
}

TEST(attributes_refuse_what_is_out_of_range)
{
	perch_attr_t a;
	char name[8] = "before";
	size_t bytes = 5;
	int state = 5;

	ASSERT_EQ(perch_attr_init(&a), 0);
	EXPECT_EQ(perch_attr_setname(&a, "01234567890123456789012345678901"), -ERANGE);
	EXPECT_EQ(perch_attr_setname(&a, NULL), -EINVAL);
	EXPECT_EQ(perch_attr_setname(&a, "01234567"), 0);
	EXPECT_EQ(perch_attr_getname(&a, name, sizeof(name)), -ERANGE);
	EXPECT_STREQ(name, "before");
	EXPECT_EQ(perch_attr_getname(&a, NULL, 8), -EINVAL);
	EXPECT_EQ(perch_attr_getname(&a, name, 0), -ERANGE);
	EXPECT_EQ(perch_attr_setstacksize(&a, 1), -EINVAL);
	EXPECT_EQ(perch_attr_setstacksize(&a, PERCH_STACK_MIN - 1), -EINVAL);
	EXPECT_EQ(perch_attr_setstacksize(&a, PERCH_STACK_MAX + 1), -EINVAL);
	EXPECT_EQ(perch_attr_setstacksize(&a, SIZE_MAX), -EINVAL);
	EXPECT_EQ(perch_attr_getstacksize(&a, NULL), -EINVAL);
	EXPECT_EQ(perch_attr_getstacksize(&a, &bytes), 0);
	EXPECT_EQ(bytes, 0);
	EXPECT_EQ(perch_attr_setdetachstate(&a, 2), -EINVAL);
	EXPECT_EQ(perch_attr_setdetachstate(&a, -1), -EINVAL);
	EXPECT_EQ(perch_attr_getdetachstate(&a, NULL), -EINVAL);
	EXPECT_EQ(perch_attr_getdetachstate(&a, &state), 0);
	EXPECT_EQ(state, PERCH_CREATE_JOINABLE);
}

TEST(attributes_that_are_none)
{
	perch_attr_t a;
	char name[8];
	size_t bytes;
	int state;

	memset(&a, 0x5a, sizeof(a));
	for (int i = 0; i < 2; i++) {
		perch_attr_t *none = i ? &a : NULL;

		EXPECT_EQ(perch_attr_setname(none, "x"), -EINVAL);
		EXPECT_EQ(perch_attr_getname(none, name, sizeof(name)), -EINVAL);
		EXPECT_EQ(perch_attr_setstacksize(none, PERCH_STACK_MIN), -EINVAL);
		EXPECT_EQ(perch_attr_getstacksize(none, &bytes), -EINVAL);
		EXPECT_EQ(perch_attr_setdetachstate(none, PERCH_CREATE_DETACHED), -EINVAL);
		EXPECT_EQ(perch_attr_getdetachstate(none, &state), -EINVAL);
		EXPECT_EQ(perch_attr_destroy(none), -EINVAL);
	}
	EXPECT_EQ(perch_attr_init(NULL), -EINVAL);
}

/* ---- inside: each test as a foreign pthread, a small thread, one with room
 * to run those it joins on its own stack ---- */

FIXTURE(thread)
{
	int unused;
};
FIXTURE_VARIANT(thread)
{
	size_t stack; /* of the thread that runs the test; 0: none, a pthread does */
	uint32_t workers;
};
FIXTURE_VARIANT_ADD(thread, pthread){0, 0};
FIXTURE_VARIANT_ADD(thread, small){PERCH_STACK_MIN * 2, 0};
FIXTURE_VARIANT_ADD(thread, large){(size_t)8 << 20, 0};
FIXTURE_VARIANT_ADD(thread, large_alone){(size_t)8 << 20, 1};

FIXTURE_SETUP(thread)
{
	const struct perch_config config = {.workers = variant->workers};

	ASSERT_EQ(perch_start(&config), 0);
}

FIXTURE_TEARDOWN(thread)
{
	EXPECT_EQ(perch_stop(), 0);
}

static void *in_thread(void *fn)
{
	((void (*)(void))(uintptr_t)fn)();
	return NULL;
}

static void run(size_t stack, void (*fn)(void))
{
	perch_attr_t a;
	perch_t t;

	if (!stack) {
		fn();
		return;
	}
	perch_attr_init(&a);
	perch_attr_setstacksize(&a, stack);
	ASSERT_EQ(perch_create(&t, &a, in_thread, (void *)(uintptr_t)fn), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
}

#define TEST_IN(name)                                                                                                  \
	static void name(void);                                                                                        \
	TEST_F(thread, name)                                                                                           \
	{                                                                                                              \
		run(variant->stack, name);                                                                             \
	}                                                                                                              \
	static void name(void)

TEST_IN(results_come_back)
{
	enum { N = 3000 };
	static perch_t t[N];

	for (uintptr_t i = 0; i < N; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, same, (void *)i), 0);
	/* in an order that is nobody's */
	for (uintptr_t k = 0; k < N; k++) {
		uintptr_t i = k * 1009 % N;
		void *result = NULL;

		ASSERT_EQ(perch_join(t[i], &result), 0);
		ASSERT_EQ((uintptr_t)result, i);
	}
}

TEST_IN(a_handle_is_void_after_its_join)
{
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, same, NULL), 0);
	EXPECT_NE(t, 0);
	EXPECT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(perch_join(t, NULL), -ESRCH);
	EXPECT_EQ(perch_detach(t), -ESRCH);
	/* also when its descriptor has been used again, many times */
	for (int i = 0; i < 2000; i++) {
		perch_t other;

		ASSERT_EQ(perch_create(&other, NULL, same, NULL), 0);
		ASSERT_FALSE(perch_equal(t, other));
		ASSERT_EQ(perch_join(t, NULL), -ESRCH);
		ASSERT_EQ(perch_join(other, NULL), 0);
	}
}

TEST_IN(handles_that_never_were)
{
	perch_t t, wild[] = {0, 1, 63, 64, UINT64_MAX, (perch_t)(uintptr_t)&t, (perch_t)(uintptr_t)&t | 1ull << 48};

	ASSERT_EQ(perch_create(&t, NULL, same, NULL), 0);
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		EXPECT_EQ(perch_join(wild[i], NULL), -ESRCH);
		EXPECT_EQ(perch_detach(wild[i]), -ESRCH);
	}
	EXPECT_EQ(perch_join(t + 1, NULL), -ESRCH);
	EXPECT_EQ(perch_join(t + 32, NULL), -ESRCH);
	EXPECT_EQ(perch_join(t ^ 1ull << 60, NULL), -ESRCH);
	EXPECT_EQ(perch_join(t, NULL), 0);
}

TEST_IN(bad_arguments_make_nothing)
{
	perch_attr_t bad = {0};
	struct perch_stats before, after;
	perch_t t = 77;

	ASSERT_EQ(perch_stats_get(&before), 0);
	EXPECT_EQ(perch_create(&t, NULL, NULL, NULL), -EINVAL);
	EXPECT_EQ(perch_create(NULL, NULL, same, NULL), -EINVAL);
	EXPECT_EQ(perch_create(&t, &bad, same, NULL), -EINVAL);
	EXPECT_EQ(perch_go(NULL, NULL), -EINVAL);
	EXPECT_EQ(t, 77);
	ASSERT_EQ(perch_stats_get(&after), 0);
	EXPECT_EQ(before.spawned, after.spawned);
}

static uint32_t released;

static void *until_released(void *arg)
{
	while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE))
		perch_yield();
	return arg;
}

TEST_IN(detached)
{
	static uint32_t ran;
	perch_attr_t a;
	perch_t t, u;

	perch_attr_init(&a);
	perch_attr_setdetachstate(&a, PERCH_CREATE_DETACHED);
	ASSERT_EQ(perch_create(&t, &a, until_released, NULL), 0);
	EXPECT_EQ(perch_join(t, NULL), -EINVAL);
	EXPECT_EQ(perch_detach(t), -EINVAL);
	ASSERT_EQ(perch_create(NULL, &a, same, NULL), 0);

	ASSERT_EQ(perch_create(&u, NULL, until_released, NULL), 0);
	EXPECT_EQ(perch_detach(u), 0);
	EXPECT_EQ(perch_detach(u), -EINVAL);
	EXPECT_EQ(perch_join(u, NULL), -EINVAL);
	__atomic_store_n(&released, 1, __ATOMIC_RELEASE);

	/* the same with one that ends at once, whichever is first */
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(perch_create(&t, NULL, same, NULL), 0);
		if (i % 3 == 0)
			perch_yield();
		ASSERT_EQ(perch_detach(t), 0);
		ASSERT_EQ(perch_go(plain, &ran), 0);
	}
	/* perch_stop() waits for all of them */
}

static void *end_by_exit(void *arg)
{
	perch_exit((char *)arg + 1);
}

static void *exit_after_waiting(void *arg)
{
	perch_t t;

	for (int i = 0; i < 3; i++)
		perch_yield();
	ASSERT_EQ(perch_create(&t, NULL, end_by_exit, arg), 0);
	ASSERT_EQ(perch_join(t, &arg), 0);
	perch_exit((char *)arg + 1);
}

static void go_and_exit(void *arg)
{
	count_up(arg);
	perch_exit(NULL);
}

TEST_IN(exit_gives_the_result)
{
	static uint32_t went;
	void *result;
	perch_t t;
	char *x = (char *)0x1000;

	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(perch_create(&t, NULL, end_by_exit, x), 0);
		ASSERT_EQ(perch_join(t, &result), 0);
		ASSERT_EQ(result, x + 1);
		ASSERT_EQ(perch_create(&t, NULL, exit_after_waiting, x), 0);
		ASSERT_EQ(perch_join(t, &result), 0);
		ASSERT_EQ(result, x + 2);
		ASSERT_EQ(perch_go(go_and_exit, &went), 0);
	}
	while (__atomic_load_n(&went, __ATOMIC_ACQUIRE) < 100)
		perch_yield();
}

static void *tell_self(void *arg)
{
	perch_t before = perch_self();

	perch_yield();
	EXPECT_EQ(perch_self(), before);
	*(perch_t *)arg = before;
	return (void *)(uintptr_t)perch_join(before, NULL);
}

TEST_IN(self_is_the_handle)
{
	perch_t self = perch_self(), t, seen = 0;
	void *result;

	ASSERT_EQ(perch_create(&t, NULL, tell_self, &seen), 0);
	ASSERT_EQ(perch_join(t, &result), 0);
	EXPECT_EQ(seen, t);
	EXPECT_TRUE(perch_equal(seen, t));
	EXPECT_EQ((int)(uintptr_t)result, -EDEADLK);
	EXPECT_EQ(perch_self(), self);
	EXPECT_FALSE(perch_equal(self, t));
	if (self)
		EXPECT_EQ(perch_join(self, NULL), -EDEADLK);
}

/* ---- two who join one thread ---- */

struct joiners {
	perch_t target;
	uint32_t begun, joined, refused, other;
};

static void *begun_until_released(void *arg)
{
	struct joiners *j = arg;

	__atomic_store_n(&j->begun, 1, __ATOMIC_RELEASE);
	return until_released(NULL);
}

static void *join_it(void *arg)
{
	struct joiners *j = arg;
	int r = perch_join(j->target, NULL);

	count_up(!r ? &j->joined : r == -EINVAL || r == -ESRCH ? &j->refused : &j->other);
	return NULL;
}

TEST_IN(of_several_joiners_one_gets_it)
{
	for (int i = 0; i < (SANITIZER_THREAD ? 100 : 300); i++) {
		struct joiners j = {0};
		perch_t t[4];

		__atomic_store_n(&released, i % 2, __ATOMIC_RELEASE);
		ASSERT_EQ(perch_create(&j.target, NULL, begun_until_released, &j), 0);
		/* two at once before it has started are a fault of the program */
		while (!__atomic_load_n(&j.begun, __ATOMIC_ACQUIRE))
			perch_yield();
		for (int k = 0; k < 4; k++)
			ASSERT_EQ(perch_create(&t[k], NULL, join_it, &j), 0);
		if (i % 3 == 0)
			perch_yield();
		__atomic_store_n(&released, 1, __ATOMIC_RELEASE);
		for (int k = 0; k < 4; k++)
			ASSERT_EQ(perch_join(t[k], NULL), 0);
		ASSERT_EQ(j.joined, 1);
		ASSERT_EQ(j.refused, 3);
		ASSERT_EQ(j.other, 0);
	}
}

static void *join_and_tell(void *arg)
{
	struct joiners *j = arg;
	void *result;

	count_up(&j->other);
	ASSERT_EQ(perch_join(j->target, &result), 0);
	ASSERT_EQ(result, j);
	return NULL;
}

TEST_IN(who_is_being_joined_is_not_detached)
{
	struct joiners j = {0};
	perch_t joiner, t;

	__atomic_store_n(&released, 0, __ATOMIC_RELEASE);
	/* it runs, so that it has not been started by its joiner */
	ASSERT_EQ(perch_create(&t, NULL, until_released, &j), 0);
	j.target = t;
	ASSERT_EQ(perch_create(&joiner, NULL, join_and_tell, &j), 0);
	while (!__atomic_load_n(&j.other, __ATOMIC_ACQUIRE))
		perch_yield();
	/* it may still be on its way into the join: then the answer is the join's to give */
	for (uint64_t until = harness_now() + 20000000; harness_now() < until;)
		perch_yield();
	EXPECT_EQ(perch_detach(t), -EINVAL);
	EXPECT_EQ(perch_join(t, NULL), -EINVAL);
	__atomic_store_n(&released, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(perch_join(joiner, NULL), 0);
	EXPECT_EQ(perch_join(t, NULL), -ESRCH);
}

static void *count_yields(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		count_up(arg);
		ASSERT_EQ(perch_yield(), 0);
	}
	return NULL;
}

TEST_IN(yield_lets_others_run)
{
	static uint32_t yields;
	perch_t t[8];

	for (int i = 0; i < 8; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, count_yields, &yields), 0);
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	EXPECT_EQ(yields, 8000);
}

/* More at once than a ring and a fair queue hold; the thread sanitizer has a limit of 8,128, and
 * takes a millisecond for each, so it sees that many once only. */
enum { MANY = SANITIZER_THREAD ? 7000 : 20000 };
static uintptr_t many = MANY;

static void many_at_once(void)
{
	static perch_t t[MANY];
	struct perch_stats s;

	__atomic_store_n(&released, 0, __ATOMIC_RELEASE);
	for (uintptr_t i = 0; i < many; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, until_released, (void *)i), 0);
	ASSERT_EQ(perch_stats_get(&s), 0);
	/* what a pthread outside does is not counted; and shuffled, they go to inboxes, which have no end */
	if (perch_self() && !getenv("PERCH_SHUFFLE") && many == MANY)
		EXPECT_GT(s.spilled, 0);
	for (int i = 0; i < 3; i++)
		perch_yield();
	__atomic_store_n(&released, 1, __ATOMIC_RELEASE);
	for (uintptr_t i = 0; i < many; i++) {
		void *result;

		ASSERT_EQ(perch_join(t[i], &result), 0);
		ASSERT_EQ((uintptr_t)result, i);
	}
}

TEST_F(thread, many_at_once)
{
	if (SANITIZER_THREAD)
		many = 200;
	run(variant->stack, many_at_once);
}

static void *make_another(void *arg)
{
	perch_t t;

	if (!arg)
		return NULL;
	ASSERT_EQ(perch_create(&t, NULL, make_another, (void *)((uintptr_t)arg - 1)), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	return NULL;
}

TEST_IN(deep_chains_of_joins)
{
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, make_another, (void *)(SANITIZER_THREAD ? 250 : 2000)), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
}
