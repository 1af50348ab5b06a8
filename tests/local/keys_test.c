/* SPDX-License-Identifier: MIT */
/* keys_test.c - perch_key_*, perch_setspecific, perch_getspecific; destructors. */
#include <errno.h>
#include <pthread.h>

#include <perch/perch.h>

#include "tests/harness/gather.h"

static uintptr_t value(perch_key_t key)
{
	return (uintptr_t)perch_getspecific(key);
}

static int set(perch_key_t key, uintptr_t v)
{
	return perch_setspecific(key, (void *)v);
}

/* ---- keys ---- */

TEST(keys_are_few_and_made_again)
{
	static perch_key_t key[PERCH_KEYS_MAX];
	perch_key_t more, old;

	EXPECT_EQ(perch_key_create(NULL, NULL), -EINVAL);
	EXPECT_EQ(perch_key_delete(0), -EINVAL);
	EXPECT_EQ(perch_key_delete(12345), -EINVAL);
	EXPECT_EQ(set(12345, 1), -EINVAL);
	EXPECT_NULL(perch_getspecific(12345));
	for (int i = 0; i < PERCH_KEYS_MAX; i++)
		ASSERT_EQ(perch_key_create(&key[i], NULL), 0);
	EXPECT_EQ(perch_key_create(&more, NULL), -EAGAIN);
	/* set the last first: what holds the values grows at once */
	for (int i = PERCH_KEYS_MAX; i-- > 0;)
		ASSERT_EQ(set(key[i], (uintptr_t)i + 1), 0);
	for (int i = 0; i < PERCH_KEYS_MAX; i++)
		ASSERT_EQ(value(key[i]), (uintptr_t)i + 1);
	old = key[100];
	ASSERT_EQ(perch_key_delete(old), 0);
	EXPECT_EQ(perch_key_delete(old), -EINVAL);
	EXPECT_EQ(value(old), 0);
	EXPECT_EQ(set(old, 1), -EINVAL);
	ASSERT_EQ(perch_key_create(&key[100], NULL), 0);
	EXPECT_NE(key[100], old);
	/* the deleted one's value is not the new one's */
	EXPECT_EQ(value(key[100]), 0);
	EXPECT_EQ(value(old), 0);
	EXPECT_EQ(perch_key_create(&more, NULL), -EAGAIN);
	for (int i = 0; i < PERCH_KEYS_MAX; i++)
		ASSERT_EQ(perch_key_delete(key[i]), 0);
	ASSERT_EQ(perch_key_create(&more, NULL), 0);
	EXPECT_EQ(value(more), 0);
	EXPECT_EQ(set(more, 0), 0);
	EXPECT_EQ(perch_key_delete(more), 0);
}

/* ---- values ---- */

FIXTURE(values)
{
	perch_key_t a, b;
};
FIXTURE_VARIANT(values)
{
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(values, all_cpus){PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(values, alone){{.workers = 1}};
FIXTURE_VARIANT_ADD(values, crowded){{.workers = 6}};

static perch_key_t key_a, key_b;
static uint32_t destroyed, late, order;

static void destroy(void *v)
{
	/* it was set to NULL before */
	EXPECT_EQ(value(key_a), 0);
	EXPECT_NE(v, NULL);
	count_up(&destroyed);
}

FIXTURE_SETUP(values)
{
	ASSERT_EQ(perch_key_create(&key_a, destroy), 0);
	ASSERT_EQ(perch_key_create(&key_b, NULL), 0);
	ASSERT_EQ(perch_start(&variant->config), 0);
	self->a = key_a;
	self->b = key_b;
}

FIXTURE_TEARDOWN(values)
{
	EXPECT_EQ(perch_stop(), 0);
	EXPECT_EQ(perch_key_delete(self->a), 0);
	EXPECT_EQ(perch_key_delete(self->b), 0);
}

static void *keep_my_own(void *arg)
{
	uintptr_t mine = (uintptr_t)arg;

	EXPECT_EQ(value(key_a), 0);
	EXPECT_EQ(value(key_b), 0);
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(set(key_a, mine + (uintptr_t)i), 0);
		if (mine % 2)
			ASSERT_EQ(set(key_b, ~mine), 0);
		perch_yield();
		ASSERT_EQ(value(key_a), mine + (uintptr_t)i);
		ASSERT_EQ(value(key_b), mine % 2 ? ~mine : 0);
	}
	if (mine % 3 == 0)
		perch_exit(arg);
	return arg;
}

TEST_F(values, of_each_thread_and_pthread_its_own)
{
	perch_t t[60];
	pthread_t p[4];

	(void)self;
	for (uintptr_t i = 0; i < 60; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, keep_my_own, (void *)(1000 * (i + 1) + i)), 0);
	for (uintptr_t i = 0; i < 4; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, keep_my_own, (void *)(1000000 * (i + 1) + i)), 0);
	for (int i = 0; i < 60; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	EXPECT_EQ(__atomic_load_n(&destroyed, __ATOMIC_ACQUIRE), 64);
}

/* ---- a thread on its joiner's stack, where there is one ---- */

static void *inner(void *arg)
{
	EXPECT_EQ(value(key_a), 0);
	EXPECT_EQ(value(key_b), 0);
	if (arg) {
		perch_t t;

		EXPECT_EQ(set(key_a, 7), 0);
		EXPECT_EQ(perch_create(&t, NULL, inner, (char *)arg - 1), 0);
		perch_yield();
		EXPECT_EQ(perch_join(t, NULL), 0);
		EXPECT_EQ(value(key_a), 7);
		if ((uintptr_t)arg % 2)
			perch_exit(arg);
	}
	return arg;
}

static void *join_at_once(void *arg)
{
	uintptr_t depth = (uintptr_t)arg;
	perch_t t;

	for (int with = 0; with < 2; with++) {
		if (with)
			EXPECT_EQ(set(key_b, 5), 0);
		for (int i = 0; i < 20; i++) {
			void *r;

			ASSERT_EQ(perch_create(&t, NULL, inner, (void *)depth), 0);
			ASSERT_EQ(perch_join(t, &r), 0);
			EXPECT_EQ((uintptr_t)r, depth);
			EXPECT_EQ(value(key_a), 0);
			EXPECT_EQ(value(key_b), with ? 5 : 0);
		}
	}
	return arg;
}

TEST_F(values, of_a_thread_that_its_joiner_runs)
{
	perch_attr_t large;
	perch_t t;

	(void)self;
	ASSERT_EQ(perch_attr_init(&large), 0);
	ASSERT_EQ(perch_attr_setstacksize(&large, 8 << 20), 0);
	for (uintptr_t depth = 0; depth < 5; depth++) {
		__atomic_store_n(&destroyed, 0, __ATOMIC_RELEASE);
		ASSERT_EQ(perch_create(&t, &large, join_at_once, (void *)depth), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		EXPECT_EQ(__atomic_load_n(&destroyed, __ATOMIC_ACQUIRE), 40 * depth);
	}
}

/* ---- tasks ---- */

static void set_in_task(void *arg)
{
	if ((uintptr_t)arg == (uintptr_t)perch_self())
		return; /* not stolen: it is the forker's */
	EXPECT_EQ(value(key_a), 0);
	EXPECT_EQ(set(key_a, 3), 0);
	perch_yield();
	EXPECT_EQ(value(key_a), 3);
	count_up(&order);
}

static void *sync_stolen(void *arg)
{
	perch_call_t c;

	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(perch_fork(&c, set_in_task, (void *)(uintptr_t)perch_self()), 0);
		harness_delay(100000);
		ASSERT_EQ(perch_sync(&c), 0);
		/* what a thief set has ended when the sync returns */
		ASSERT_EQ(__atomic_load_n(&destroyed, __ATOMIC_ACQUIRE), __atomic_load_n(&order, __ATOMIC_ACQUIRE));
	}
	return arg;
}

TEST_F(values, of_a_task_end_before_its_sync)
{
	perch_t t;

	(void)self;
	ASSERT_EQ(perch_create(&t, NULL, sync_stolen, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	/* a task that a pthread outside forks is always stolen */
	sync_stolen(NULL);
	EXPECT_GT(__atomic_load_n(&order, __ATOMIC_ACQUIRE), 0);
}

/* ---- destructors ---- */

static perch_key_t chain[3];
static int turns[3];
static uint32_t sequence;

static void *busy(void *arg)
{
	perch_yield();
	return arg;
}

/* Sets another value as long as it may, and does all that a thread may do. */
static void restless(void *v)
{
	perch_t t;
	void *r;

	turns[(uintptr_t)v % 10]++;
	sequence = sequence * 10 + (uint32_t)((uintptr_t)v % 10);
	EXPECT_EQ(perch_create(&t, NULL, busy, v), 0);
	perch_yield();
	EXPECT_EQ(perch_join(t, &r), 0);
	EXPECT_EQ(r, v);
	EXPECT_EQ(perch_sleep(1000), 0);
	if ((uintptr_t)v % 10 == 1)
		EXPECT_EQ(perch_setspecific(chain[1], v), 0);
}

static void *set_chain(void *arg)
{
	for (uintptr_t i = 3; i-- > 0;)
		ASSERT_EQ(set(chain[i], 10 + i), 0);
	return arg;
}

TEST_F(values, are_destroyed_in_order_and_again)
{
	pthread_t p;
	perch_t t;

	(void)self;
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_key_create(&chain[i], restless), 0);
	ASSERT_EQ(perch_create(&t, NULL, set_chain, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(sequence, 12111); /* and a first 0 */
	EXPECT_EQ(turns[0], 1);
	EXPECT_EQ(turns[1], PERCH_DESTRUCTOR_ITERATIONS);
	EXPECT_EQ(turns[2], 1);
	ASSERT_EQ(pthread_create(&p, NULL, set_chain, NULL), 0);
	ASSERT_EQ(pthread_join(p, NULL), 0);
	EXPECT_EQ(turns[0], 2);
	EXPECT_EQ(turns[1], 2 * PERCH_DESTRUCTOR_ITERATIONS);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_key_delete(chain[i]), 0);
}

static void *outlive_the_key(void *arg)
{
	perch_waitgroup_t *gate = arg;

	ASSERT_EQ(set(key_b, 9), 0);
	ASSERT_EQ(set(chain[0], 9), 0);
	count_up(&order);
	ASSERT_EQ(perch_waitgroup_wait(gate), 0);
	EXPECT_EQ(value(chain[0]), 0);
	EXPECT_EQ(value(chain[1]), 0);
	return NULL;
}

static void never(void *v)
{
	(void)v;
	count_up(&late);
}

TEST_F(values, of_a_key_that_is_gone_are_not_destroyed)
{
	perch_waitgroup_t gate = PERCH_WAITGROUP_INIT;
	perch_t t;

	(void)self;
	ASSERT_EQ(perch_waitgroup_add(&gate, 1), 0);
	ASSERT_EQ(perch_key_create(&chain[0], never), 0);
	ASSERT_EQ(perch_create(&t, NULL, outlive_the_key, &gate), 0);
	ASSERT_TRUE(gather(&order, 1, 20));
	ASSERT_EQ(perch_key_delete(chain[0]), 0);
	ASSERT_EQ(perch_key_create(&chain[1], never), 0);
	EXPECT_EQ(chain[0] % PERCH_KEYS_MAX, chain[1] % PERCH_KEYS_MAX);
	ASSERT_EQ(perch_waitgroup_done(&gate), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(late, 0);
	ASSERT_EQ(perch_key_delete(chain[1]), 0);
}

/* ---- keys come and go while threads end ---- */

struct boxed {
	uint32_t kind, alive;
};

static uint32_t wrong;

#define KIND(n)                                                                                                        \
	static void destroy_##n(void *v)                                                                               \
	{                                                                                                              \
		struct boxed *b = v;                                                                                   \
                                                                                                                       \
		if (b->kind != n || __atomic_exchange_n(&b->alive, 0, __ATOMIC_ACQ_REL) != 1)                          \
			count_up(&wrong);                                                                              \
	}
KIND(0)
KIND(1)

static void *come_and_go(void *arg)
{
	uint32_t kind = (uint32_t)(uintptr_t)arg % 2;

	for (int i = 0; i < 400; i++) {
		static struct boxed box[8][400];
		struct boxed *b = &box[(uintptr_t)arg][i];
		perch_key_t k;

		*b = (struct boxed){kind, 1};
		ASSERT_EQ(perch_key_create(&k, kind ? destroy_1 : destroy_0), 0);
		ASSERT_NULL(perch_getspecific(k));
		ASSERT_EQ(perch_setspecific(k, b), 0);
		if (i % 3 == 0)
			perch_yield();
		ASSERT_EQ(perch_getspecific(k), (void *)b);
		ASSERT_EQ(perch_key_delete(k), 0);
		ASSERT_NULL(perch_getspecific(k));
	}
	return NULL;
}

TEST_F(values, keys_come_and_go)
{
	perch_t t[8];

	(void)self;
	for (uintptr_t i = 0; i < 8; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, come_and_go, (void *)i), 0);
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	EXPECT_EQ(wrong, 0);
}
