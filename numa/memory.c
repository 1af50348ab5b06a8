/* SPDX-License-Identifier: MIT */
#include "numa/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

size_t memory_page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* 0: there is no such size. */
static size_t whole_pages(size_t size)
{
	size_t page = memory_page();

	return size <= SIZE_MAX - page ? (size + page - 1) & -page : 0;
}

int memory_map(void **memory, size_t size)
{
	size_t bytes = whole_pages(size);
	int saved = errno;
	void *p;

	if (!size)
		return -EINVAL;
	if (!bytes)
		return -ENOMEM;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	errno = saved;
	if (p == MAP_FAILED)
		return -ENOMEM;
	*memory = p;
	return 0;
}

int memory_unmap(void *memory, size_t size)
{
	size_t bytes = whole_pages(size);
	int saved = errno, r = 0;

	if (!memory)
		return 0;
	if (!size || !bytes || munmap(memory, bytes))
		r = -EINVAL;
	errno = saved;
	return r;
}

static int bind(void *memory, size_t size, int mode, const unsigned long *mask, unsigned long bits)
{
	int saved = errno, r = 0;

	if (mbind(memory, whole_pages(size), mode, mask, bits, 0))
		r = errno == ENOSYS ? 0 : -errno;
	errno = saved;
	return r;
}

int memory_interleave(void *memory, size_t size, const struct bitmask *nodes)
{
	/* the kernel takes one bit less than it is told */
	return bind(memory, size, MPOL_INTERLEAVE, nodes->maskp, nodes->size + 1);
}

int memory_first_touch(void *memory, size_t size)
{
	/* preferred, and no node named: that of the CPU */
	return bind(memory, size, MPOL_PREFERRED, NULL, 0);
}

void memory_small_pages(void *memory, size_t size)
{
	int saved = errno;

	madvise(memory, whole_pages(size), MADV_NOHUGEPAGE);
	errno = saved;
}

static size_t read_huge_page(void)
{
	int fd = open("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	return strtoull(text, NULL, 10);
}

size_t memory_huge_page(void)
{
	static size_t known = SIZE_MAX; /* several may read the file, and find the same */
	size_t size = __atomic_load_n(&known, __ATOMIC_RELAXED);
	int saved = errno;

	if (size == SIZE_MAX) {
		size = read_huge_page();
		__atomic_store_n(&known, size, __ATOMIC_RELAXED);
	}
	errno = saved;
	return size;
}

int memory_node(const void *address)
{
	/* the kernel writes nothing there */
	void *page = (void *)((uintptr_t)address & -(uintptr_t)memory_page());
	int status = -1, saved = errno, r;
	unsigned char resident;

	r = move_pages(0, 1, &page, NULL, &status, 0) < 0 ? -errno : status;
	/* some kernels (6.1 on aarch64) say so of memory that nobody has touched, too */
	if (r == -EFAULT && !mincore(page, memory_page(), &resident))
		r = -ENOENT;
	errno = saved;
	return r;
}
