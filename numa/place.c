/* SPDX-License-Identifier: MIT */
#include "numa/place.h"

#include <errno.h>
#include <limits.h>
#include <numaif.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#define NODE_BITS PLACE_NODES
#define WORD_BITS (8 * sizeof(unsigned long))
/* Pages asked about in one system call: what fits on a small stack twice over. */
#define QUERY_PAGES 128

/* The whole pages of a range, and how large a page is; false when it wraps around. */
static bool whole_pages(const void *start, size_t size, uintptr_t *from, uintptr_t *to, uintptr_t *page)
{
	*page = (uintptr_t)sysconf(_SC_PAGESIZE);
	*from = (uintptr_t)start & -*page;
	*to = ((uintptr_t)start + size + *page - 1) & -*page;
	return size <= UINTPTR_MAX - *page - (uintptr_t)start;
}

int place_bind(void *start, size_t size, int node)
{
	unsigned long mask[NODE_BITS / WORD_BITS] = {0};
	uintptr_t from, to, page;
	int saved = errno, r = 0;

	if (node < 0 || node >= NODE_BITS || !whole_pages(start, size, &from, &to, &page))
		return -EINVAL;
	mask[(unsigned)node / WORD_BITS] = 1UL << (unsigned)node % WORD_BITS;
	/* the kernel takes one bit less than it is told */
	if (size && mbind((void *)from, to - from, MPOL_PREFERRED, mask, NODE_BITS + 1, 0))
		r = errno == ENOSYS ? 0 : -errno;
	errno = saved;
	return r;
}

int place_allowed(bool allowed[PLACE_NODES])
{
	unsigned long mask[NODE_BITS / WORD_BITS] = {0};
	int saved = errno, r = 0;

	if (get_mempolicy(NULL, mask, NODE_BITS + 1, NULL, MPOL_F_MEMS_ALLOWED))
		r = -errno;
	for (unsigned i = 0; !r && i < NODE_BITS; i++)
		allowed[i] = mask[i / WORD_BITS] >> i % WORD_BITS & 1;
	errno = saved;
	return r;
}

bool place_own_policy(void)
{
	int mode = MPOL_DEFAULT, saved = errno;

	/* not told: then it cannot have been set either */
	if (get_mempolicy(&mode, NULL, 0, NULL, 0))
		mode = MPOL_DEFAULT;
	errno = saved;
	return mode != MPOL_DEFAULT && mode != MPOL_LOCAL;
}

/* One batch: adds what it saw to *known and *wrong. 0 or -errno. */
static int query(void **pages, unsigned long n, int node, size_t *known, size_t *wrong)
{
	int status[QUERY_PAGES];

	if (move_pages(0, n, pages, NULL, status, 0) < 0)
		return -errno;
	for (unsigned long i = 0; i < n; i++) {
		/* negative: not in memory (-ENOENT, -EFAULT), or busy for now */
		if (status[i] < 0)
			continue;
		++*known;
		*wrong += status[i] != node;
	}
	return 0;
}

int place_verify(void *start, size_t size, int node, size_t *wrong)
{
	uintptr_t from, to, page;
	void *pages[QUERY_PAGES];
	size_t known = 0;
	int saved = errno, r = 0;

	*wrong = 0;
	if (node < 0 || !whole_pages(start, size, &from, &to, &page))
		return -EINVAL;
	while (size && from < to && !r) {
		unsigned long n = 0;

		for (; n < QUERY_PAGES && from < to; n++, from += page)
			pages[n] = (void *)from;
		r = query(pages, n, node, &known, wrong);
	}
	errno = saved;
	if (r)
		return r == -ENOSYS ? 0 : r;
	return known > INT_MAX ? INT_MAX : (int)known;
}
