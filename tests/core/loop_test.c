/* SPDX-License-Identifier: MIT */
/* loop_test.c - perch_for and perch_reduce. */
#include <errno.h>
#include <string.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

FIXTURE(loop)
{
	int unused;
};
FIXTURE_VARIANT(loop)
{
	size_t stack; /* of the thread that runs the test; 0: a foreign pthread does */
	uint32_t workers;
};
FIXTURE_VARIANT_ADD(loop, pthread){0, 0};
FIXTURE_VARIANT_ADD(loop, thread){(size_t)64 << 10, 0};
FIXTURE_VARIANT_ADD(loop, thread_alone){(size_t)64 << 10, 1};
FIXTURE_VARIANT_ADD(loop, thread_crowded){(size_t)64 << 10, 6};

FIXTURE_SETUP(loop)
{
	const struct perch_config config = {.workers = variant->workers};

	ASSERT_EQ(perch_start(&config), 0);
}

FIXTURE_TEARDOWN(loop)
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
	TEST_F(loop, name)                                                                                             \
	{                                                                                                              \
		run(variant->stack, name);                                                                             \
	}                                                                                                              \
	static void name(void)

enum { N = SANITIZER_THREAD ? 20000 : 100000 };
static uint8_t seen[N];

struct range {
	size_t begin, end, grain;
};

struct bounds {
	struct range range;
	uint32_t pieces, wrong;
};

static void mark(size_t lo, size_t hi, void *context)
{
	struct bounds *b = context;

	count_up(&b->pieces);
	if (lo >= hi || lo < b->range.begin || hi > b->range.end || (b->range.grain && hi - lo > b->range.grain))
		count_up(&b->wrong);
	for (size_t i = lo; i < hi; i++)
		__atomic_add_fetch(&seen[i], 1, __ATOMIC_RELAXED);
}

TEST_IN(each_index_exactly_once)
{
	static const struct range cases[] = {
		{0, N, 0}, {0, N, 1000}, {17, N - 3, 7}, {0, 1, 0},    {0, 1, 100},   {N - 1, N, 1},
		{5, 8, 1}, {0, N, N},    {0, N, 2 * N},  {3, 1003, 3}, {0, N / 5, 1}, {0, 12345, 11},
	};

	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		const struct range *r = &cases[k];
		struct bounds b = {*r, 0, 0};

		memset(seen, 0, sizeof(seen));
		ASSERT_EQ(perch_for(r->begin, r->end, r->grain, mark, &b), 0);
		EXPECT_EQ(b.wrong, 0);
		for (size_t i = 0; i < N; i++)
			ASSERT_EQ(seen[i], i >= r->begin && i < r->end);
		if (r->grain == 1)
			EXPECT_EQ(b.pieces, r->end - r->begin);
		if (!r->grain && r->end > 1000)
			EXPECT_GE(b.pieces, perch_procs());
		if (r->grain >= N)
			EXPECT_EQ(b.pieces, 1);
	}
}

/* The ends of the range of indices: nothing is added that wraps. */
struct ends {
	size_t count, lowest, highest;
};

static void note_ends(size_t lo, size_t hi, void *context)
{
	struct ends *e = context;
	size_t v = __atomic_load_n(&e->lowest, __ATOMIC_RELAXED);

	__atomic_add_fetch(&e->count, hi - lo, __ATOMIC_RELAXED);
	while (lo < v && !__atomic_compare_exchange_n(&e->lowest, &v, lo, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	v = __atomic_load_n(&e->highest, __ATOMIC_RELAXED);
	while (hi > v && !__atomic_compare_exchange_n(&e->highest, &v, hi, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

TEST_IN(ranges_at_the_end_of_the_type)
{
	struct ends e = {0, SIZE_MAX, 0};

	ASSERT_EQ(perch_for(SIZE_MAX - 1000, SIZE_MAX, 3, note_ends, &e), 0);
	EXPECT_EQ(e.count, 1000);
	EXPECT_EQ(e.lowest, SIZE_MAX - 1000);
	EXPECT_EQ(e.highest, SIZE_MAX);
	e = (struct ends){0, SIZE_MAX, 0};
	ASSERT_EQ(perch_for(0, SIZE_MAX, 0, note_ends, &e), 0);
	EXPECT_EQ(e.count, SIZE_MAX);
	EXPECT_EQ(e.lowest, 0);
	EXPECT_EQ(e.highest, SIZE_MAX);
}

static void inner(size_t lo, size_t hi, void *context)
{
	__atomic_add_fetch((uint64_t *)context, hi - lo, __ATOMIC_RELAXED);
}

static void outer(size_t lo, size_t hi, void *context)
{
	for (size_t i = lo; i < hi; i++)
		ASSERT_EQ(perch_for(0, 100, 3, inner, context), 0);
}

TEST_IN(loops_in_loops)
{
	uint64_t sum = 0;

	ASSERT_EQ(perch_for(0, 300, 1, outer, &sum), 0);
	EXPECT_EQ(sum, 30000);
}

static void yields(size_t lo, size_t hi, void *context)
{
	perch_yield();
	inner(lo, hi, context);
}

TEST_IN(a_body_may_switch)
{
	size_t n = SANITIZER_THREAD ? 600 : 5000;
	uint64_t sum = 0;

	ASSERT_EQ(perch_for(0, n, 2, yields, &sum), 0);
	EXPECT_EQ(sum, n);
}

TEST_IN(empty_ranges_and_errors)
{
	struct bounds b = {{0, 0, 0}, 0, 0};

	EXPECT_EQ(perch_for(0, 0, 0, mark, &b), 0);
	EXPECT_EQ(perch_for(9, 9, 1, mark, &b), 0);
	EXPECT_EQ(perch_for(9, 8, 1, mark, &b), -EINVAL);
	EXPECT_EQ(perch_for(0, 9, 1, NULL, &b), -EINVAL);
	EXPECT_EQ(b.pieces, 0);
}

/* ---- reduce ---- */

/* Strings under concatenation: associative, and nothing else. What the pieces
 * made is kept as the span that it covers, and whether it was ever wrong. */
struct span {
	size_t lo, hi;
	bool any, wrong;
};

static void span_body(size_t lo, size_t hi, void *value, void *context)
{
	struct span *s = value;

	(void)context;
	if (s->any && s->hi != lo)
		s->wrong = true;
	if (!s->any)
		s->lo = lo;
	s->hi = hi;
	s->any = true;
}

static void span_join(void *left, const void *right, void *context)
{
	struct span *l = left;
	const struct span *r = right;

	(void)context;
	if (!r->any || !l->any || l->hi != r->lo || r->wrong)
		l->wrong = true;
	l->hi = r->hi;
}

TEST_IN(combine_keeps_the_order)
{
	const struct span identity = {0, 0, false, false};

	for (size_t grain = 0; grain < 40; grain += 3) {
		struct span s;

		ASSERT_EQ(perch_reduce(5, 5000, grain, sizeof(s), &identity, span_body, span_join, &s, NULL), 0);
		EXPECT_FALSE(s.wrong);
		EXPECT_EQ(s.lo, 5);
		EXPECT_EQ(s.hi, 5000);
	}
}

static void sum_body(size_t lo, size_t hi, void *value, void *context)
{
	uint64_t *v = value;

	(void)context;
	for (size_t i = lo; i < hi; i++)
		*v += i;
}

static void sum_join(void *left, const void *right, void *context)
{
	(void)context;
	*(uint64_t *)left += *(const uint64_t *)right;
}

TEST_IN(sums)
{
	uint64_t zero = 0, sum = 99, place = 0;

	ASSERT_EQ(perch_reduce(0, N, 0, sizeof(sum), &zero, sum_body, sum_join, &sum, NULL), 0);
	EXPECT_EQ(sum, (uint64_t)N * (N - 1) / 2);
	/* the result may lie where the identity does */
	ASSERT_EQ(perch_reduce(0, N, 10, sizeof(sum), &place, sum_body, sum_join, &place, NULL), 0);
	EXPECT_EQ(place, (uint64_t)N * (N - 1) / 2);
}

struct large {
	uint64_t v[PERCH_REDUCE_MAX / 8];
};

static void large_body(size_t lo, size_t hi, void *value, void *context)
{
	struct large *l = value;

	(void)context;
	EXPECT_EQ((uintptr_t)l->v % 8, 0);
	for (size_t i = lo; i < hi; i++)
		for (size_t k = 0; k < PERCH_REDUCE_MAX / 8; k++)
			l->v[k] += i;
}

static void large_join(void *left, const void *right, void *context)
{
	(void)context;
	for (size_t k = 0; k < PERCH_REDUCE_MAX / 8; k++)
		((struct large *)left)->v[k] += ((const struct large *)right)->v[k];
}

TEST_IN(the_largest_values)
{
	static const struct large zero;
	static struct large l;

	ASSERT_EQ(perch_reduce(0, 5000, 1, sizeof(l), &zero, large_body, large_join, &l, NULL), 0);
	for (size_t k = 0; k < PERCH_REDUCE_MAX / 8; k++)
		ASSERT_EQ(l.v[k], 5000 * 4999 / 2);
}

TEST_IN(reduce_of_nothing_and_errors)
{
	uint64_t zero = 41, sum = 99;

	EXPECT_EQ(perch_reduce(3, 3, 0, sizeof(sum), &zero, sum_body, sum_join, &sum, NULL), 0);
	EXPECT_EQ(sum, 41);
	sum = 99;
	EXPECT_EQ(perch_reduce(4, 3, 0, sizeof(sum), &zero, sum_body, sum_join, &sum, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce(0, 3, 0, 0, &zero, sum_body, sum_join, &sum, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce(0, 3, 0, PERCH_REDUCE_MAX + 1, &zero, sum_body, sum_join, &sum, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce(0, 3, 0, sizeof(sum), NULL, sum_body, sum_join, &sum, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce(0, 3, 0, sizeof(sum), &zero, NULL, sum_join, &sum, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce(0, 3, 0, sizeof(sum), &zero, sum_body, NULL, &sum, NULL), -EINVAL);
	EXPECT_EQ(perch_reduce(0, 3, 0, sizeof(sum), &zero, sum_body, sum_join, NULL, NULL), -EINVAL);
	EXPECT_EQ(sum, 99);
}

TEST(before_start)
{
	uint64_t zero = 0, sum = 99;
	struct bounds b = {{0, 9, 0}, 0, 0};

	EXPECT_EQ(perch_for(0, 9, 0, mark, &b), -EINVAL);
	EXPECT_EQ(perch_reduce(0, 9, 0, sizeof(sum), &zero, sum_body, sum_join, &sum, NULL), -EINVAL);
	EXPECT_EQ(b.pieces, 0);
	EXPECT_EQ(sum, 99);
}
