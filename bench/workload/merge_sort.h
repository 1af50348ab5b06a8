/* SPDX-License-Identifier: MIT */
/*
 * merge_sort.h - a stable parallel merge sort for one type of element. Included
 * once for each type, with
 *	SORT_NAME(x)   x with the type's prefix
 *	SORT_ELEMENT   the type
 *	SORT_LESS(a,b) for pointers to elements
 *	SORT_NO_BRANCH defined, where SORT_LESS is one comparison of words
 * Halves are sorted beside each other; so are the two parts of a merge, cut
 * where the middle of the longer run falls in the other. Below SORT_GRAIN
 * elements it is serial, the same for every backend.
 */
#include <stddef.h>
#include <string.h>

#define SORT_GRAIN 4096
#define SORT_INSERTION 24

struct SORT_NAME(range) {
	SORT_ELEMENT *from, *other; /* what is sorted, and as much space */
	size_t n;
	bool into_other; /* leave the result in `other` */
};

struct SORT_NAME(merge) {
	const SORT_ELEMENT *a, *b; /* equal ones: a's first */
	size_t a_n, b_n;
	SORT_ELEMENT *to;
};

static void SORT_NAME(insertion)(SORT_ELEMENT *e, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		SORT_ELEMENT moving = e[i];
		size_t j = i;

		for (; j && SORT_LESS(&moving, &e[j - 1]); j--)
			e[j] = e[j - 1];
		e[j] = moving;
	}
}

static void SORT_NAME(merge_serial)(const struct SORT_NAME(merge) * m)
{
	const SORT_ELEMENT *a = m->a, *b = m->b, *a_end = a + m->a_n, *b_end = b + m->b_n;
	SORT_ELEMENT *to = m->to;

	while (a < a_end && b < b_end) {
#ifdef SORT_NO_BRANCH
		/* a branch would be guessed wrong half of the time; hidden, lest the compiler make one */
		uintptr_t second = SORT_LESS(b, a);
		uintptr_t differ = (uintptr_t)a ^ (uintptr_t)b;

		__asm__("" : "+r"(second));
		*to++ = *(const SORT_ELEMENT *)((uintptr_t)a ^ (differ & -second));
		a += 1 - second;
		b += second;
#else
		*to++ = SORT_LESS(b, a) ? *b++ : *a++;
#endif
	}
	memcpy(to, a, (size_t)(a_end - a) * sizeof(*to));
	memcpy(to + (a_end - a), b, (size_t)(b_end - b) * sizeof(*to));
}

static void SORT_NAME(sort_serial)(const struct SORT_NAME(range) * r)
{
	size_t half = r->n / 2;

	if (r->n <= SORT_INSERTION) {
		SORT_NAME(insertion)(r->from, r->n);
		if (r->into_other)
			memcpy(r->other, r->from, r->n * sizeof(*r->from));
		return;
	}
	SORT_NAME(sort_serial)(&(struct SORT_NAME(range)){r->from, r->other, half, !r->into_other});
	SORT_NAME(sort_serial)
	(&(struct SORT_NAME(range)){r->from + half, r->other + half, r->n - half, !r->into_other});
	if (r->into_other)
		SORT_NAME(merge_serial)
	(&(struct SORT_NAME(merge)){r->from, r->from + half, half, r->n - half, r->other});
	else SORT_NAME(merge_serial)(&(struct SORT_NAME(merge)){r->other, r->other + half, half, r->n - half, r->from});
}

/* How many of e[0..n) come before *key; with `equal`, those equal to it too. */
static size_t SORT_NAME(rank)(const SORT_ELEMENT *e, size_t n, const SORT_ELEMENT *key, bool equal)
{
	size_t low = 0;

	while (low < n) {
		size_t middle = low + (n - low) / 2;
		bool before = equal ? !SORT_LESS(key, &e[middle]) : SORT_LESS(&e[middle], key);

		if (before)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

static void SORT_NAME(merge_parallel)(void *arg)
{
	const struct SORT_NAME(merge) *m = arg;
	struct SORT_NAME(merge) left = *m, right = *m;

	if (m->a_n + m->b_n <= SORT_GRAIN) {
		SORT_NAME(merge_serial)(m);
		return;
	}
	if (m->a_n >= m->b_n) {
		left.a_n = m->a_n / 2;
		left.b_n = SORT_NAME(rank)(m->b, m->b_n, &m->a[left.a_n], false);
	} else {
		left.b_n = m->b_n / 2;
		left.a_n = SORT_NAME(rank)(m->a, m->a_n, &m->b[left.b_n], true);
	}
	right.a += left.a_n;
	right.a_n -= left.a_n;
	right.b += left.b_n;
	right.b_n -= left.b_n;
	right.to += left.a_n + left.b_n;
	backend.both(SORT_NAME(merge_parallel), &left, SORT_NAME(merge_parallel), &right);
}

static void SORT_NAME(sort_parallel)(void *arg)
{
	const struct SORT_NAME(range) *r = arg;
	size_t half = r->n / 2;
	struct SORT_NAME(range) left = {r->from, r->other, half, !r->into_other};
	struct SORT_NAME(range) right = {r->from + half, r->other + half, r->n - half, !r->into_other};
	struct SORT_NAME(merge) merge = {r->other, r->other + half, half, r->n - half, r->from};

	if (r->n <= SORT_GRAIN) {
		SORT_NAME(sort_serial)(r);
		return;
	}
	if (r->into_other) {
		merge.a = r->from;
		merge.b = r->from + half;
		merge.to = r->other;
	}
	backend.both(SORT_NAME(sort_parallel), &left, SORT_NAME(sort_parallel), &right);
	SORT_NAME(merge_parallel)(&merge);
}
