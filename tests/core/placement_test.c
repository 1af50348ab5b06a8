/* SPDX-License-Identifier: MIT */
/*
 * placement_test.c - stacks, descriptors, areas and queues are on the node of their CPUs: by
 * the runtime's own books, on nodes that are described where there are no others; and by
 * what the kernel says, on a machine that has them (tests/vm).
 */
#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <perch/perch.h>

#include "core/sched/sched.h"
#include "core/thread/group.h"
#include "core/thread/stack.h"
#include "core/thread/thread.h"
#include "numa/place.h"
#include "rseq/sanitizer.h"
#include "tests/harness/harness.h"
#include "tests/harness/helpers.h"

#define PAGE ((size_t)4096)

/* Nodes with memory and CPUs that we may use, as libnuma sees them. */
static int nodes_here(void)
{
	int n = 0;

	if (numa_available() < 0)
		return 1;
	for (int node = 0; node <= numa_max_node(); node++)
		n += numa_node_size64(node, NULL) > 0;
	return n;
}

/* ---- a load: threads start, park, wake, move and end everywhere ---- */

#define CROWD 300
/* More than a ring and a fair queue hold; a thread is slow to make under the thread sanitizer. */
#define MANY (SANITIZER_THREAD ? 300 : 7000)

enum load_size { LIGHT, HEAVY };

static struct {
	unsigned started, far_stacks, far_descriptors, wrong_pages, looked;
	bool ask_kernel;
	enum load_size size;
	perch_event_t go;
} load;

/* Whose memory it is, by the books: -1: nobody's. */
static int group_here(void)
{
	struct worker *w = worker_self();

	return group_several ? (int)group_of_node(w->home->node) : -1;
}

static int node_of(const void *p)
{
	void *page = (void *)((uintptr_t)p & ~(PAGE - 1));
	int status = -1;

	return move_pages(0, 1, &page, NULL, &status, 0) ? -1 : status;
}

/* At the first instruction: the stack was given out on this CPU. */
static __attribute__((noinline)) void look_at_stack(void)
{
	char here = 0;

	__atomic_fetch_add(&load.started, 1, __ATOMIC_RELAXED);
	if ((int)sched_self()->stack->home - 1 != group_here())
		__atomic_fetch_add(&load.far_stacks, 1, __ATOMIC_RELAXED);
	if (load.ask_kernel) {
		int node = node_of(&here);

		__atomic_fetch_add(&load.looked, node >= 0, __ATOMIC_RELAXED);
		if (node >= 0 && node != group_node((uint32_t)group_here()))
			__atomic_fetch_add(&load.wrong_pages, 1, __ATOMIC_RELAXED);
	}
}

/* Touch a few pages of the stack below here. */
static __attribute__((noinline)) void descend(int n)
{
	char page[PAGE];
	volatile char *touched = page;

	touched[0] = (char)n;
	if (n)
		descend(n - 1);
	__asm__ volatile("" : : "r"(touched) : "memory");
}

/* Of one that was just created here, and was not joined: else it might be free. */
static void look_at_descriptor(perch_t t)
{
	if ((int)thread_of(t)->home - 1 != group_here())
		__atomic_fetch_add(&load.far_descriptors, 1, __ATOMIC_RELAXED);
}

static void *leaf(void *arg)
{
	look_at_stack();
	return arg;
}

static void *one(void *arg)
{
	perch_t t;

	look_at_stack();
	perch_event_wait(&load.go);
	descend((int)(uintptr_t)arg % 5);
	perch_yield();
	perch_sleep(1000 * ((uintptr_t)arg % 100));
	/* wherever it is by now, where others' threads have ended */
	if (perch_create(&t, NULL, leaf, NULL))
		return NULL;
	look_at_descriptor(t);
	perch_join(t, NULL);
	descend(6);
	return NULL;
}

static void detached(void *arg)
{
	(void)arg;
	look_at_stack();
	perch_yield();
	descend(2);
}

/* A tree of tasks, so that others steal; and of threads that are made where they do. */
static void grow(uintptr_t depth);

static void grow_task(void *arg)
{
	grow((uintptr_t)arg);
}

static void grow(uintptr_t depth)
{
	perch_call_t left;
	perch_t t;

	for (int i = 0; i < 5; i++)
		perch_go(detached, NULL);
	if (!depth)
		return;
	perch_fork(&left, grow_task, (void *)(depth - 1));
	if (!perch_create(&t, NULL, (void *(*)(void *))(uintptr_t)one, (void *)depth)) {
		look_at_descriptor(t);
		grow(depth - 1);
		perch_join(t, NULL);
	}
	perch_sync(&left);
}

static perch_t crowd[CROWD];

static void *run_load(void *arg)
{
	(void)arg;
	for (int round = 0; round < 2; round++) {
		perch_event_init(&load.go);
		for (uintptr_t i = 0; i < CROWD; i++)
			ASSERT_EQ(perch_create(&crowd[i], NULL, one, (void *)i), 0);
		for (int i = 0; i < (load.size == HEAVY ? MANY : 100); i++)
			ASSERT_EQ(perch_go(detached, NULL), 0);
		perch_yield();
		perch_event_set(&load.go);
		grow(load.size == HEAVY && !SANITIZER_THREAD ? 7 : 5);
		for (int i = 0; i < CROWD; i++)
			ASSERT_EQ(perch_join(crowd[i], NULL), 0);
		perch_event_destroy(&load.go);
	}
	return NULL;
}

static void put_load(enum load_size size)
{
	perch_t t;

	load.size = size;
	ASSERT_EQ(perch_create(&t, NULL, run_load, NULL), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	harness_log("%u threads and tasks started, %u asked about", load.started, load.looked);
	EXPECT_EQ(load.far_stacks, 0);
	EXPECT_EQ(load.far_descriptors, 0);
	EXPECT_EQ(load.wrong_pages, 0);
	EXPECT_GT(load.started, size == HEAVY ? 2 * MANY : 2 * CROWD);
}

/* ---- by the books ---- */

/* Every other CPU on node 0, and on node 5. */
static bool describe(char *text, size_t size)
{
	size_t n = 0;
	cpu_set_t set;

	sched_getaffinity(0, sizeof(set), &set);
	for (int half = 0; half < 2; half++) {
		const char *before = half ? " node5=" : "node0=";
		int k = 0;

		for (int cpu = 0; cpu < CPU_SETSIZE && n < size; cpu++)
			if (CPU_ISSET(cpu, &set) && k++ % 2 == half) {
				n += (size_t)snprintf(text + n, size - n, "%s%d", before, cpu);
				before = ",";
			}
	}
	return CPU_COUNT(&set) > 1 && n < size;
}

TEST_TIMEOUT(what_is_freed_far_away_is_not_given_out_there, 120)
{
	struct perch_numa_pages pages;
	char text[4000];

	if (!describe(text, sizeof(text)))
		SKIP("one CPU only");
	setenv("PERCH_TOPOLOGY", text, 1);
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_TRUE(group_several);
	put_load(HEAVY);
	/* nothing to ask: there are no such nodes */
	ASSERT_EQ(perch_numa_verify(&pages), 0);
	EXPECT_EQ(pages.nodes, 2);
	EXPECT_EQ(pages.bound, 0);
	EXPECT_CONTAINS(pages.note, "memory is not bound: the nodes are only described");
	for (int k = 0; k < PERCH_NUMA_KINDS; k++)
		EXPECT_EQ(pages.placed[k] + pages.misplaced[k], 0);
	ASSERT_EQ(perch_stop(), 0);
}

TEST(described_nodes_bind_nothing)
{
	char text[4000];

	if (!describe(text, sizeof(text)))
		SKIP("one CPU only");
	setenv("PERCH_TOPOLOGY", text, 1);
	ASSERT_EQ(harness_forbid("mbind"), 0);
	ASSERT_EQ(perch_start(NULL), 0);
	put_load(LIGHT);
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- one node ---- */

TEST(with_one_node_nothing_is_bound)
{
	struct perch_numa_pages pages;
	struct perch_stats s;

	if (nodes_here() > 1)
		SKIP("%d nodes here", nodes_here());
	ASSERT_EQ(harness_forbid("mbind"), 0);
	ASSERT_EQ(harness_forbid("move_pages"), 0);
	setenv("PERCH_STATS", "1", 1);
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_FALSE(group_several);
	put_load(HEAVY);
	ASSERT_EQ(perch_numa_verify(&pages), 0);
	EXPECT_EQ(pages.nodes, 1);
	EXPECT_EQ(pages.bound, 0);
	EXPECT_STREQ(pages.note, "");
	ASSERT_EQ(perch_stats_get(&s), 0);
	EXPECT_EQ(s.pages_placed + s.pages_misplaced, 0);
	ASSERT_EQ(perch_stop(), 0);
}

TEST(bad_calls)
{
	struct perch_numa_pages pages;

	EXPECT_EQ(perch_numa_verify(&pages), -EINVAL);
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_numa_verify(NULL), -EINVAL);
	errno = 1234;
	EXPECT_EQ(perch_numa_verify(&pages), 0);
	EXPECT_EQ(errno, 1234);
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- nodes ---- */

static void log_pages(const struct perch_numa_pages *pages)
{
	static const char *const name[] = {"areas", "queues", "descriptors", "stacks"};

	for (int k = 0; k < PERCH_NUMA_KINDS; k++)
		harness_log("%s: %llu pages placed, %llu misplaced", name[k], (unsigned long long)pages->placed[k],
			    (unsigned long long)pages->misplaced[k]);
	if (pages->note[0])
		harness_log("%s", pages->note);
}

TEST_TIMEOUT(no_page_is_on_the_wrong_node, 120)
{
	struct perch_numa_pages pages;
	struct perch_stats s;

	if (nodes_here() < 2)
		SKIP("one node only");
	for (int again = 0; again < 2; again++) {
		load.ask_kernel = true;
		ASSERT_EQ(perch_start(NULL), 0);
		put_load(again ? LIGHT : HEAVY);
		EXPECT_GT(load.looked, 0);
		ASSERT_EQ(perch_stats_get(&s), 0);
		EXPECT_EQ(s.pages_placed, 0); /* nobody has asked yet */
		ASSERT_EQ(perch_numa_verify(&pages), 0);
		log_pages(&pages);
		EXPECT_EQ(pages.nodes, (unsigned)nodes_here());
		EXPECT_EQ(pages.bound, 1);
		EXPECT_STREQ(pages.note, "");
		for (int k = 0; k < PERCH_NUMA_KINDS; k++) {
			EXPECT_GT(pages.placed[k], 0);
			EXPECT_EQ(pages.misplaced[k], 0);
		}
		EXPECT_GE(pages.placed[PERCH_NUMA_AREAS], perch_procs());
		ASSERT_EQ(perch_stats_get(&s), 0);
		EXPECT_EQ(s.pages_placed, pages.placed[0] + pages.placed[1] + pages.placed[2] + pages.placed[3]);
		EXPECT_EQ(s.pages_misplaced, 0);
		harness_log("%llu steals of %llu", (unsigned long long)s.steals, (unsigned long long)s.stolen);
		EXPECT_GT(s.steals, 0);
		ASSERT_EQ(perch_stop(), 0);
	}
}

/* One node's pages are wrong for another: the books are turned round behind its back. */
TEST_TIMEOUT(a_wrong_page_is_counted, 60)
{
	struct perch_numa_pages pages;
	unsigned long mask = 1;
	void *area;

	if (nodes_here() < 2)
		SKIP("one node only");
	ASSERT_EQ(perch_start(NULL), 0);
	put_load(LIGHT);
	/* those of an area on another node than 0, moved there; its policy stays */
	for (unsigned i = 0; i < sched_set()->count; i++) {
		if (group_node(group_of_node(sched_set()->processor[i]->node)) == 0)
			continue;
		area = processor_area(sched_set()->processor[i]);
		ASSERT_EQ(mbind(area, (size_t)1 << PERCPU_SHIFT, MPOL_BIND, &mask, 64, MPOL_MF_MOVE), 0);
		break;
	}
	ASSERT_EQ(perch_numa_verify(&pages), 0);
	log_pages(&pages);
	EXPECT_GT(pages.misplaced[PERCH_NUMA_AREAS], 0);
	EXPECT_LE(pages.misplaced[PERCH_NUMA_AREAS], 16);
	EXPECT_EQ(pages.misplaced[PERCH_NUMA_STACKS], 0);
	ASSERT_EQ(perch_stop(), 0);
}

static void run_refused(void *arg)
{
	setenv("PERCH_STATS", "1", 1);
	if (harness_refuse(arg) || perch_start(NULL))
		exit(1);
	put_load(LIGHT);
	if (perch_dump(2) || perch_stop())
		exit(2);
}

TEST_TIMEOUT(a_refusal_is_said_once_and_it_goes_on, 60)
{
	struct harness_captured c;
	const char *first;

	if (nodes_here() < 2)
		SKIP("one node only");
	ASSERT_EQ(harness_capture(&c, run_refused, (void *)"mbind"), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, "\nplacement: memory is not bound: mbind to node ");
	EXPECT_CONTAINS(c.text, "perch: placement: memory is not bound: mbind to node ");
	first = strstr(c.text, "(a filter refuses it); pages placed + misplaced: areas ");
	EXPECT_NE(first, NULL);
	harness_release(&c);
	ASSERT_EQ(harness_capture(&c, run_refused, (void *)"move_pages"), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, "perch: placement: memory is bound to ");
	EXPECT_CONTAINS(c.text,
			"where memory is is not told: move_pages: Operation not permitted (a filter refuses it)");
	harness_release(&c);
}

TEST_TIMEOUT(a_policy_of_the_process_is_followed, 60)
{
	struct perch_numa_pages pages;

	if (nodes_here() < 2)
		SKIP("one node only");
	numa_set_interleave_mask(numa_all_nodes_ptr);
	ASSERT_EQ(perch_start(NULL), 0);
	put_load(LIGHT);
	ASSERT_EQ(perch_numa_verify(&pages), 0);
	log_pages(&pages);
	EXPECT_EQ(pages.bound, 0);
	EXPECT_CONTAINS(pages.note, "a memory policy of its own");
	EXPECT_GT(pages.misplaced[PERCH_NUMA_STACKS], 0);
	ASSERT_EQ(perch_stop(), 0);
}

/* ---- a node that is full ---- */

/* Pages of `node` until there is none left. */
static void fill(int node)
{
	size_t size = (size_t)numa_node_size64(node, NULL), i;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ASSERT_NE(p, MAP_FAILED);
	/* preferred: numa_tonode_memory() would have the process killed for the last page */
	ASSERT_EQ(place_bind(p, size, node), 0);
	for (i = 0; i < size; i += PAGE) {
		p[i] = 1;
		/* the last few are handed out now and then, as others are freed */
		if (i % (256 * PAGE) == 0 && node_of(p + i) != node && node_of(p + i - PAGE) != node)
			break;
	}
	harness_log("%zu MiB took all of node %d", i >> 20, node);
}

TEST_TIMEOUT(a_full_node_takes_from_the_nearest_and_it_is_counted, 100)
{
	struct perch_numa_pages pages;
	struct bitmask *cpus;
	int node = -1;

	if (nodes_here() < 2)
		SKIP("one node only");
	if ((uint64_t)numa_node_size64(numa_max_node(), NULL) > (uint64_t)1 << 31)
		SKIP("node %d has too much memory to fill it", numa_max_node());
	/* the last that has CPUs and memory: what else runs is on the first */
	cpus = numa_allocate_cpumask();
	for (int n = numa_max_node(); n > 0 && node < 0; n--)
		if (!numa_node_to_cpus(n, cpus) && numa_bitmask_weight(cpus) && numa_node_size64(n, NULL) > 0)
			node = n;
	if (node < 0)
		SKIP("no such node");
	ASSERT_EQ(numa_sched_setaffinity(0, cpus), 0);
	fill(node);
	ASSERT_EQ(perch_start(NULL), 0);
	put_load(LIGHT);
	ASSERT_EQ(perch_numa_verify(&pages), 0);
	log_pages(&pages);
	EXPECT_EQ(pages.bound, 1);
	EXPECT_GT(pages.misplaced[PERCH_NUMA_STACKS], 0);
	ASSERT_EQ(perch_stop(), 0);
}
