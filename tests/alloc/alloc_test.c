/* SPDX-License-Identifier: MIT */
/* alloc_test.c - each call by itself: before the start, in threads, beside them, and after the stop. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "core/alloc/cache.h"
#include "core/alloc/checked.h"
#include "tests/harness/gather.h"

/* ---- where the calls are made ---- */

enum where { BEFORE, IN_THREAD, BESIDE, AFTER };

FIXTURE(alloc)
{
	void (*fn)(void);
};

FIXTURE_VARIANT(alloc)
{
	enum where where;
};

FIXTURE_VARIANT_ADD(alloc, before){BEFORE};
FIXTURE_VARIANT_ADD(alloc, in_thread){IN_THREAD};
FIXTURE_VARIANT_ADD(alloc, beside){BESIDE};
FIXTURE_VARIANT_ADD(alloc, after){AFTER};

FIXTURE_SETUP(alloc)
{
	if (variant->where != BEFORE)
		ASSERT_EQ(perch_start(NULL), 0);
	if (variant->where == AFTER)
		ASSERT_EQ(perch_stop(), 0);
}

FIXTURE_TEARDOWN(alloc)
{
	if (variant->where == IN_THREAD || variant->where == BESIDE)
		EXPECT_EQ(perch_stop(), 0);
}

static void *call(void *fn)
{
	((void (*)(void))(uintptr_t)fn)();
	return NULL;
}

static void run(const struct variant_alloc *variant, void (*fn)(void))
{
	perch_t t;

	if (variant->where != IN_THREAD) {
		fn();
		return;
	}
	ASSERT_EQ(perch_create(&t, NULL, call, (void *)(uintptr_t)fn), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
}

/* ---- sizes ---- */

static void *filled(size_t size, int byte)
{
	void *p = perch_alloc(size);

	if (p)
		memset(p, byte, perch_usable_size(p));
	return p;
}

static bool is_all(const unsigned char *p, size_t size, int byte)
{
	for (size_t i = 0; i < size; i++)
		if (p[i] != (unsigned char)byte)
			return false;
	return true;
}

static void sizes(void)
{
	for (size_t size = 0; size < 200000; size = size < 600 ? size + 1 : size + size / 30) {
		unsigned char *p = filled(size, 0x5a), *q = filled(size, 0xa5);
		size_t room = perch_usable_size(p);

		ASSERT_NE(p, NULL);
		ASSERT_NE(q, NULL);
		ASSERT_EQ((uintptr_t)p % 16, 0);
		ASSERT_GE(room, size);
		if (size > 128 && size <= CLASS_MOST)
			ASSERT_LE((room - size) * 8, size);
		else if (size <= 128)
			ASSERT_LT(room, size + 16 + !size);
		ASSERT_TRUE(is_all(p, room, 0x5a));
		ASSERT_TRUE(is_all(q, room, 0xa5));
		perch_free(p);
		perch_free(q);
	}
	perch_free(NULL);
	EXPECT_EQ(perch_usable_size(NULL), 0);
}

TEST_F(alloc, sizes)
{
	run(variant, sizes);
}

static void what_cannot_be(void)
{
	static const size_t sizes[] = {SIZE_MAX,     SIZE_MAX - 1, SIZE_MAX - 15,  SIZE_MAX - 4096,
				       SIZE_MAX / 2, PTRDIFF_MAX,  PTRDIFF_MAX - 1};
	void *p = perch_alloc(100), *q;

	ASSERT_NE(p, NULL);
	memset(p, 7, 100);
	errno = 77;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		EXPECT_NULL(perch_alloc(sizes[i]));
		EXPECT_NULL(perch_zalloc(sizes[i]));
		EXPECT_NULL(perch_aligned_alloc(4096, sizes[i]));
		q = perch_realloc(p, sizes[i]);
		EXPECT_NULL(q);
	}
	EXPECT_NULL(perch_aligned_alloc(0, 1));
	EXPECT_NULL(perch_aligned_alloc(3, 1));
	EXPECT_NULL(perch_aligned_alloc(48, 1));
	EXPECT_NULL(perch_aligned_alloc(SIZE_MAX, 1));
	EXPECT_NULL(perch_aligned_alloc((size_t)1 << 63, 1));
	EXPECT_EQ(errno, 77);
	EXPECT_TRUE(is_all(p, 100, 7));
	perch_free(p);
	p = perch_alloc(0);
	q = perch_alloc(0);
	EXPECT_NE(p, NULL);
	EXPECT_NE(p, q);
	perch_free(p);
	perch_free(q);
}

TEST_F(alloc, what_cannot_be_is_null)
{
	run(variant, what_cannot_be);
}

static void alignments(void)
{
	for (size_t alignment = 1; alignment <= (size_t)1 << 22; alignment *= 2)
		for (size_t size = 1; size < 100000; size = size * 3 + 1) {
			unsigned char *p = perch_aligned_alloc(alignment, size);

			ASSERT_NE(p, NULL);
			ASSERT_EQ((uintptr_t)p % alignment, 0);
			ASSERT_GE(perch_usable_size(p), size);
			memset(p, 1, perch_usable_size(p));
			perch_free(p);
		}
}

TEST_F(alloc, alignments)
{
	run(variant, alignments);
}

static void zeroed(void)
{
	for (size_t size = 1; size < 300000; size = size * 2 + 1) {
		for (int i = 0; i < 3; i++) {
			unsigned char *p = filled(size, 0xff);

			ASSERT_NE(p, NULL);
			perch_free(p);
			p = perch_zalloc(size);
			ASSERT_NE(p, NULL);
			ASSERT_TRUE(is_all(p, size, 0));
			perch_free(p);
		}
	}
}

TEST_F(alloc, zeroed)
{
	run(variant, zeroed);
}

static void resized(void)
{
	static const size_t sizes[] = {1,      16,    17,      100,   60, 5000, 4000, 33000,
				       100000, 90000, 1000000, 40000, 33, 0,    70000};
	unsigned char *p = NULL;
	size_t kept = 0;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char *q = perch_realloc(p, sizes[i]);

		ASSERT_NE(q, NULL);
		p = q;
		ASSERT_GE(perch_usable_size(p), sizes[i]);
		if (sizes[i] < kept)
			kept = sizes[i];
		ASSERT_TRUE(is_all(p, kept, 0x3c));
		memset(p, 0x3c, sizes[i]);
		kept = sizes[i];
	}
	perch_free(p);
	/* what shrinks little stays; what shrinks much gives its memory up */
	p = perch_alloc(1000);
	if (!ALLOC_CHECKED)
		EXPECT_EQ(perch_realloc(p, 900), p);
	p = perch_realloc(p, 100);
	EXPECT_LE(perch_usable_size(p), 128);
	perch_free(p);
}

TEST_F(alloc, resized)
{
	run(variant, resized);
}

/* ---- many, none of which overlaps another ---- */

#define MANY 20000
static bool alone = true;

static void many(void)
{
	uint64_t **p = calloc(MANY, sizeof(*p));
	size_t taken[3];
	struct cache_counts c;

	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < MANY; i++) {
			p[i] = perch_alloc(16 + i % 500);
			ASSERT_NE(p[i], NULL);
			p[i][0] = p[i][1] = i;
		}
		cache_count(&c);
		taken[round] = c.taken;
		for (uint64_t i = 0; i < MANY; i++) {
			ASSERT_EQ(p[i][0], i);
			ASSERT_EQ(p[i][1], i);
			perch_free(p[i]);
		}
	}
	/* the same memory each time */
	if (alone && !ALLOC_CHECKED)
		EXPECT_EQ(taken[2], taken[0]);
	free(p);
}

TEST_F(alloc, many)
{
	run(variant, many);
}

/* ---- between CPUs ---- */

#define ROUNDS 2000
#define EACH 64

static uint64_t *slots[EACH];
static uint32_t filled_rounds, emptied_rounds;

static void *producer(void *arg)
{
	for (uint32_t r = 0; r < ROUNDS; r++) {
		while (__atomic_load_n(&emptied_rounds, __ATOMIC_ACQUIRE) < r)
			perch_yield();
		for (uint64_t i = 0; i < EACH; i++) {
			slots[i] = perch_alloc(64);
			ASSERT_NE(slots[i], NULL);
			for (int w = 0; w < 8; w++)
				slots[i][w] = r + i;
		}
		__atomic_store_n(&filled_rounds, r + 1, __ATOMIC_RELEASE);
	}
	return arg;
}

static void *consumer(void *arg)
{
	for (uint32_t r = 0; r < ROUNDS; r++) {
		while (__atomic_load_n(&filled_rounds, __ATOMIC_ACQUIRE) <= r)
			perch_yield();
		for (uint64_t i = 0; i < EACH; i++) {
			for (int w = 0; w < 8; w++)
				ASSERT_EQ(slots[i][w], r + i);
			perch_free(slots[i]);
		}
		__atomic_store_n(&emptied_rounds, r + 1, __ATOMIC_RELEASE);
	}
	return arg;
}

TEST(handed_over_memory_comes_back)
{
	struct cache_counts c;
	perch_t t[2];

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_create(&t[0], NULL, producer, NULL), 0);
	ASSERT_EQ(perch_create(&t[1], NULL, consumer, NULL), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	cache_count(&c);
	EXPECT_LE(c.taken, 4 * CHUNK); /* and not ROUNDS * EACH * 64, which is 32 of them */
	EXPECT_EQ(perch_stop(), 0);
}

static void *foreign(void *arg)
{
	many();
	return arg;
}

TEST(pthreads_beside_threads)
{
	pthread_t p[3];

	alone = false;
	ASSERT_EQ(perch_start(NULL), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, foreign, NULL), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(p[i], NULL);
	EXPECT_EQ(perch_stop(), 0);
}

/* What lies in the areas' lists when these go is not lost with them. */
TEST(nothing_is_lost_between_runs)
{
	size_t taken = 0;

	for (int i = 0; i < 20; i++) {
		struct cache_counts c;

		ASSERT_EQ(perch_start(NULL), 0);
		run(&(struct variant_alloc){IN_THREAD}, many);
		cache_count(&c);
		if (i == 4)
			taken = c.taken;
		if (i > 4)
			EXPECT_LE(c.taken, taken);
		ASSERT_EQ(perch_stop(), 0);
		cache_count(&c);
		EXPECT_GT(c.free, MANY * 100);
	}
}

/* ---- fork() ---- */

static void *churn(void *stop)
{
	while (!__atomic_load_n((uint32_t *)stop, __ATOMIC_RELAXED)) {
		void *p[300];

		for (int i = 0; i < 300; i++)
			p[i] = filled(64, 1);
		for (int i = 0; i < 300; i++)
			perch_free(p[i]);
	}
	return NULL;
}

TEST(child_of_a_fork)
{
	uint32_t stop = 0;
	perch_t t[2];

	ASSERT_EQ(perch_start(NULL), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, churn, &stop), 0);
	for (int i = 0; i < 20; i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			alarm(20);
			many();
			_exit(0);
		}
		ASSERT_GT(pid, 0);
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		ASSERT_EQ(status, 0);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- no memory ---- */

/* A chain of objects, until there are no more; how many. */
static size_t take_all(void ***first)
{
	size_t n = 0;
	void **p;

	for (; (p = perch_alloc(20000)); n++) {
		*p = *first;
		*first = p;
	}
	return n;
}

static void give_all(void **first)
{
	while (first) {
		void **p = first;

		first = *p;
		perch_free(p);
	}
}

/* What is mapped now, and so much more. Before the first call, so that the range will be small. */
static void limit_addresses(size_t more)
{
	FILE *f = fopen("/proc/self/statm", "re");
	struct rlimit limit;
	size_t size;

#if SANITIZER_ADDRESS || SANITIZER_THREAD
	SKIP("a sanitizer's shadow does not fit under RLIMIT_AS");
#endif
	ASSERT_NE(f, NULL);
	ASSERT_EQ(fscanf(f, "%zu", &size), 1);
	fclose(f);
	limit.rlim_cur = limit.rlim_max = size * (size_t)sysconf(_SC_PAGESIZE) + more;
	ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
}

static void use_all(void)
{
	void **first = NULL;
	size_t n = take_all(&first), again;

	EXPECT_GT(n, 1000);
	EXPECT_LT(n, 20000);
	for (int i = 0; i < 10; i++)
		EXPECT_NULL(perch_alloc(20000));
	give_all(first);
	first = NULL;
	again = take_all(&first);
	EXPECT_GE(again + 16, n); /* magazines have cost a mapping */
	give_all(first);
}

TEST(out_of_memory_before_the_start)
{
	limit_addresses((size_t)128 << 20);
	use_all();
}

TEST(out_of_memory_in_a_thread)
{
	limit_addresses((size_t)512 << 20);
	ASSERT_EQ(perch_start(NULL), 0);
	run(&(struct variant_alloc){IN_THREAD}, use_all);
	EXPECT_EQ(perch_stop(), 0);
}
