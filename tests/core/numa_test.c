/* SPDX-License-Identifier: MIT */
/* numa_test.c - the questions and the memory of perch/numa.h, on this machine, and on
 * this machine described as two nodes. Where memory gets to, tests/numa/aimed_test.c asks. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <perch/perch.h>

#include "tests/core/two_nodes.h"

TEST(while_the_runtime_is_not_running)
{
	void *p = (void *)&p;

	EXPECT_EQ(perch_numa_nodes(), 0);
	EXPECT_EQ(perch_numa_next(-1), -1);
	EXPECT_EQ(perch_numa_node(), -EINVAL);
	EXPECT_EQ(perch_numa_node_of_cpu(0), -EINVAL);
	EXPECT_EQ(perch_numa_procs(0), -EINVAL);
	EXPECT_EQ(perch_numa_alloc(&p, 1, PERCH_NUMA_LOCAL), -EINVAL);
	EXPECT_TRUE(p == (void *)&p);
	EXPECT_EQ(perch_numa_free(NULL, 0), 0);
}

TEST(two_described_nodes)
{
	unsigned procs = 0;
	cpu_set_t set;

	describe_two_nodes();
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_numa_nodes(), 2);
	EXPECT_EQ(perch_numa_next(-100), 0);
	EXPECT_EQ(perch_numa_next(-1), 0);
	EXPECT_EQ(perch_numa_next(0), 5);
	EXPECT_EQ(perch_numa_next(4), 5);
	EXPECT_EQ(perch_numa_next(5), -1);
	EXPECT_EQ(perch_numa_next(1 << 30), -1);
	for (int n = perch_numa_next(-1); n >= 0; n = perch_numa_next(n))
		procs += (unsigned)perch_numa_procs(n);
	EXPECT_EQ(procs, perch_procs());
	EXPECT_EQ(perch_numa_procs(1), -EINVAL);
	EXPECT_EQ(perch_numa_procs(-1), -EINVAL);
	EXPECT_EQ(perch_numa_procs(1 << 30), -EINVAL);
	ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
	for (int cpu = 0, n = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			EXPECT_EQ(perch_numa_node_of_cpu(cpu), n++ % 2 * 5);
	EXPECT_EQ(perch_numa_node_of_cpu(-1), -EINVAL);
	EXPECT_EQ(perch_numa_node_of_cpu(1 << 30), -EINVAL);
	for (int cpu = 0, n = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t one;

		if (!CPU_ISSET(cpu, &set))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
		EXPECT_EQ(perch_numa_node(), n++ % 2 * 5);
	}
	ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
	ASSERT_EQ(perch_stop(), 0);
}

#define WRITTEN 0x5a

/* Somebody else may have mapped something there since, without what was written. */
static bool page_is_gone(void *page)
{
	unsigned char in_memory;
	char byte = 0;
	const struct iovec here = {&byte, 1}, there = {page, 1};

	if (mincore(page, 1, &in_memory))
		return errno == ENOMEM;
	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) != 1 || byte != WRITTEN;
}

/* All of it can be used, and is zero. */
static void check_memory(int where, size_t size)
{
	char *p = NULL;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), wrong = 0;

	errno = 1234;
	ASSERT_EQ(perch_numa_alloc((void **)&p, size, where), 0);
	ASSERT_TRUE(p != NULL);
	EXPECT_EQ((uintptr_t)p % page, 0);
	for (size_t i = 0; i < size; i++)
		wrong += p[i] != 0;
	EXPECT_EQ(wrong, 0);
	memset(p, WRITTEN, size);
	EXPECT_EQ(perch_numa_free(p, size), 0);
	EXPECT_EQ(errno, 1234);
	for (size_t i = 0; i < size; i += page)
		EXPECT_TRUE(page_is_gone(p + i));
}

static void check_all(void)
{
	static const size_t sizes[] = {1, 4096, 4097, 1000000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_memory(PERCH_NUMA_LOCAL, sizes[i]);
		check_memory(PERCH_NUMA_INTERLEAVED, sizes[i]);
		check_memory(PERCH_NUMA_FIRST_TOUCH, sizes[i]);
		check_memory(PERCH_NUMA_BLOCKS, sizes[i]);
		for (int n = perch_numa_next(-1); n >= 0; n = perch_numa_next(n))
			check_memory(n, sizes[i]);
	}
}

static void *check_in_thread(void *arg)
{
	check_all();
	return arg;
}

TEST(memory)
{
	perch_t t;

	ASSERT_EQ(perch_start(NULL), 0);
	check_all();
	ASSERT_EQ(perch_create(&t, NULL, check_in_thread, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
}

/* The kernel does not have node 5: plain memory. */
TEST(memory_of_described_nodes)
{
	describe_two_nodes();
	ASSERT_EQ(perch_start(NULL), 0);
	check_all();
	ASSERT_EQ(perch_stop(), 0);
}

static void refused(void *arg)
{
	(void)arg;
	if (harness_refuse("mbind") || perch_start(NULL))
		_exit(2);
	check_all();
	_exit(perch_stop() ? 3 : 0);
}

TEST(a_filter_that_refuses_placement)
{
	struct harness_captured c;
	const char *says = "perch: memory cannot be placed on nodes, mbind() is refused", *at;

	ASSERT_EQ(harness_capture(&c, refused, NULL), 0);
	EXPECT_EQ(c.status, 0);
	/* libnuma may have found no NUMA at all; then there is nothing to refuse */
	at = strstr(c.text, says);
	if (at)
		EXPECT_NULL(strstr(at + 1, says));
	harness_release(&c);
}

TEST(memory_outlives_the_runtime)
{
	char *p;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_numa_alloc((void **)&p, 100000, PERCH_NUMA_LOCAL), 0);
	ASSERT_EQ(perch_stop(), 0);
	p[99999] = 7;
	EXPECT_EQ(p[99999], 7);
	EXPECT_EQ(perch_numa_free(p, 100000), 0);
}

TEST(bad_requests)
{
	char *p = (char *)&p;

	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_numa_alloc(NULL, 1, PERCH_NUMA_LOCAL), -EINVAL);
	EXPECT_EQ(perch_numa_alloc((void **)&p, 0, PERCH_NUMA_LOCAL), -EINVAL);
	EXPECT_EQ(perch_numa_alloc((void **)&p, 1, -5), -EINVAL);
	EXPECT_EQ(perch_numa_alloc((void **)&p, 1, 1 << 30), -EINVAL);
	EXPECT_EQ(perch_numa_alloc((void **)&p, SIZE_MAX, PERCH_NUMA_LOCAL), -ENOMEM);
	EXPECT_EQ(perch_numa_alloc((void **)&p, SIZE_MAX - 5000, PERCH_NUMA_INTERLEAVED), -ENOMEM);
	EXPECT_EQ(perch_numa_alloc((void **)&p, (size_t)1 << 62, PERCH_NUMA_FIRST_TOUCH), -ENOMEM);
	EXPECT_TRUE(p == (char *)&p);
	ASSERT_EQ(perch_numa_alloc((void **)&p, 10000, PERCH_NUMA_LOCAL), 0);
	EXPECT_EQ(perch_numa_free(p + 1, 9999), -EINVAL);
	EXPECT_EQ(perch_numa_free(p, 0), -EINVAL);
	EXPECT_EQ(perch_numa_free(p, SIZE_MAX), -EINVAL);
	p[9999] = 1; /* still there */
	EXPECT_EQ(perch_numa_free(p, 10000), 0);
	ASSERT_EQ(perch_stop(), 0);
}

TEST(asking_for_a_page)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p;
	int r;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_numa_alloc((void **)&p, 2 * page, PERCH_NUMA_FIRST_TOUCH), 0);
	r = perch_numa_node_of(p);
	if (r == -ENOSYS || r == -EPERM)
		SKIP("the kernel does not tell: %d", r);
	EXPECT_EQ(r, -ENOENT);
	p[page - 1] = 1;
	EXPECT_EQ(perch_numa_node_of(p + page / 2), perch_numa_node());
	EXPECT_EQ(perch_numa_node_of(p + page), -ENOENT);
	EXPECT_EQ(perch_numa_free(p, 2 * page), 0);
	EXPECT_EQ(perch_numa_node_of(p), -EFAULT);
	ASSERT_EQ(perch_stop(), 0);
}
