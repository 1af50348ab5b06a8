/* SPDX-License-Identifier: MIT */
#include "core/alloc/range.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/alloc/tools.h"
#include "core/thread/group.h"
#include "rseq/inject.h"
#include "rseq/reserve.h"
#include "rseq/sanitizer.h"

/* A class's part: 64 GiB where addresses are plenty. The sanitizers have their own places. */
#if SANITIZER_THREAD || SANITIZER_ADDRESS
#define SHIFT_MOST 30
#else
#define SHIFT_MOST 36
#endif
#define SHIFT_LEAST CHUNK_SHIFT
/* Where addresses are short (RLIMIT_AS) others need them too: one part of so many. */
#define SHARE_SHIFT 2

struct alloc_range alloc_range;

static struct {
	pthread_mutex_t lock;
	size_t used[CLASSES]; /* of each class's part */
	size_t taken;
} parts = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* With the notes on its chunks, and room to begin at a chunk's boundary. */
static bool reserve_all(unsigned shift)
{
	size_t size = (size_t)CLASSES << shift, chunks = size / CHUNK;
	char *p = reserve(size + CHUNK, PROT_NONE, 0), *base;
	struct chunk *notes = p ? reserve(chunks * sizeof(*notes), PROT_NONE, 0) : NULL;

	if (!notes) {
		if (p)
			munmap(p, size + CHUNK);
		return false;
	}
	/* else the first touch takes 2 MiB, and giving back a page has to cut them up */
	madvise(p, size + CHUNK, MADV_NOHUGEPAGE);
	base = (char *)(((uintptr_t)p + CHUNK - 1) & -(uintptr_t)CHUNK);
	alloc_range.base = (uintptr_t)base;
	alloc_range.shift = shift;
	alloc_range.chunk = notes;
	alloc_range.size = size;
	__atomic_store_n(&alloc_range.near, group_several ? 0 : size, __ATOMIC_RELEASE);
	return true;
}

void range_start(void)
{
	unsigned shift = SHIFT_MOST;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (unsigned c = 0; c < CLASSES; c++)
		alloc_range.capacity[c] = class_capacity(c);
	alloc_range.page_shift = (unsigned)__builtin_ctzl(page);
	for (; shift >= SHIFT_LEAST; shift--) {
		void *p = reserve((size_t)CLASSES << shift, PROT_NONE, 0);

		if (!p)
			continue;
		munmap(p, (size_t)CLASSES << shift);
		if (shift < SHIFT_MOST)
			shift = shift - SHARE_SHIFT > SHIFT_LEAST ? shift - SHARE_SHIFT : SHIFT_LEAST;
		break;
	}
	while (shift >= SHIFT_LEAST && !reserve_all(shift))
		shift--;
}

static bool permit(void *start, size_t size)
{
	uintptr_t page = (uintptr_t)1 << alloc_range.page_shift;
	uintptr_t from = (uintptr_t)start & -page, to = ((uintptr_t)start + size + page - 1) & -page;

	return mprotect((void *)from, to - from, PROT_READ | PROT_WRITE) == 0;
}

/* parts.lock is held */
static bool open_chunks(char *p, size_t size, uint32_t group)
{
	struct chunk *notes = range_chunk(p);

	if (!permit(notes, size / CHUNK * sizeof(*notes)) || !permit(p, size))
		return false;
	group_bind(p, size, group);
	for (size_t i = 0; group && i < size / CHUNK; i++)
		notes[i].group = (uint8_t)group;
	if (group)
		__atomic_store_n(&alloc_range.grouped, true, __ATOMIC_RELAXED);
	tools_region(p, size);
	tools_nobodys(p, size);
	return true;
}

char *range_take(unsigned class, uint32_t group, size_t *size)
{
	size_t part = (size_t)1 << alloc_range.shift, want = *size;
	char *p = NULL;

	if (!alloc_range.size)
		return NULL;
	pthread_mutex_lock(&parts.lock);
	inject();
	for (; want >= CHUNK && !p; want = want / 2 & -CHUNK) {
		char *at = (char *)alloc_range.base + class * part + parts.used[class];

		if (want > part - parts.used[class] || !open_chunks(at, want, group))
			continue;
		p = at;
		*size = want;
		__atomic_store_n(&parts.used[class], parts.used[class] + want, __ATOMIC_RELAXED);
		__atomic_store_n(&parts.taken, parts.taken + want, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&parts.lock);
	return p;
}

bool range_is_object(const void *p)
{
	size_t class = range_class(p), size = class_size((unsigned)class);
	size_t at = ((uintptr_t)p - alloc_range.base) % CHUNK;
	size_t in_part = ((uintptr_t)p - alloc_range.base) & (((size_t)1 << alloc_range.shift) - 1);

	return in_part < __atomic_load_n(&parts.used[class], __ATOMIC_RELAXED) && at % size == 0 && at + size <= CHUNK;
}

size_t range_taken(void)
{
	return __atomic_load_n(&parts.taken, __ATOMIC_RELAXED);
}

void range_lock(void)
{
	pthread_mutex_lock(&parts.lock);
}

void range_unlock(void)
{
	pthread_mutex_unlock(&parts.lock);
}
