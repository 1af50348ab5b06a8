/* SPDX-License-Identifier: MIT */
#include "rseq/reserve.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif

static void *map(size_t bytes, int protection, int flags)
{
	void *p = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Is there memory in a page that nobody has touched? */
static bool fills_at_once(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = map(page, PROT_READ | PROT_WRITE, 0);
	unsigned char resident = 0;
	bool yes;

	if (!p)
		return false;
	yes = !mincore(p, page, &resident) && resident & 1;
	munmap(p, page);
	return yes;
}

/* Not accessible at first, so that nothing is filled before it is known that it need not be. */
static void *map_by_page(size_t bytes, int protection, int flags)
{
	void *p = map(bytes, PROT_NONE, flags);

	if (!p)
		return NULL;
	if (!mlock2(p, bytes, MLOCK_ONFAULT) && !mprotect(p, bytes, protection))
		return p;
	munmap(p, bytes);
	return NULL;
}

static void say_locked(void)
{
	static uint32_t told;
	struct rlimit most;

	if (getrlimit(RLIMIT_MEMLOCK, &most) || __atomic_exchange_n(&told, 1, __ATOMIC_RELAXED))
		return;
	fprintf(stderr,
		"perch: memory is locked (mlockall), of which RLIMIT_MEMLOCK allows %llu bytes: too few for the "
		"addresses "
		"that perch reserves; make it unlimited\n",
		(unsigned long long)most.rlim_cur);
}

void *reserve(size_t bytes, int protection, int flags)
{
	int saved = errno;
	void *p = fills_at_once() ? map_by_page(bytes, protection, flags) : map(bytes, protection, flags);

	if (!p && errno == EAGAIN)
		say_locked();
	errno = saved;
	return p;
}

bool reserve_return(void *pages, size_t bytes)
{
	int saved = errno;
	bool taken = !madvise(pages, bytes, MADV_DONTNEED) || !madvise(pages, bytes, MADV_DONTNEED_LOCKED);

	errno = saved;
	return taken;
}

bool reserve_drop(void *pages, size_t bytes)
{
	bool taken = reserve_return(pages, bytes);

	if (!taken)
		memset(pages, 0, bytes);
	return taken;
}
