/* SPDX-License-Identifier: MIT */
#include "tests/resize/load.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "rseq/sanitizer.h"
#include "tests/harness/harness.h"

/* ---- the tree: what a node has below it follows from its number ---- */

#define DEPTH (SANITIZER_THREAD || SANITIZER_ADDRESS ? 8 : 10)

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdu;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53u;
	return x ^ x >> 33;
}

struct node {
	uint64_t name, nodes;
	unsigned depth;
	perch_waitgroup_t *wg;
};

static unsigned children_of(const struct node *n)
{
	return n->depth ? (unsigned)(mix(n->name) % 5) : 0;
}

static struct node child_of(const struct node *n, unsigned i)
{
	return (struct node){.name = mix(n->name + i + 1), .depth = n->depth - 1};
}

static uint64_t count_alone(const struct node *n)
{
	uint64_t nodes = 1;

	for (unsigned i = 0; i < children_of(n); i++) {
		struct node c = child_of(n, i);

		nodes += count_alone(&c);
	}
	return nodes;
}

static void visit(void *arg);

static void visit_and_tell(void *arg)
{
	struct node *n = arg;
	perch_waitgroup_t *wg = n->wg;

	visit(n);
	ASSERT_EQ(perch_waitgroup_done(wg), 0);
}

static void visit(void *arg)
{
	struct node *n = arg;
	unsigned count = children_of(n);
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	struct node child[4];
	perch_call_t call[4];
	bool threads = n->depth > 3 && n->name % 8 == 0;

	n->nodes = 1;
	if (n->name % 16 == 1)
		perch_yield();
	if (threads)
		ASSERT_EQ(perch_waitgroup_add(&wg, count), 0);
	for (unsigned i = 0; i < count; i++) {
		child[i] = child_of(n, i);
		child[i].wg = &wg;
		if (threads)
			ASSERT_EQ(perch_go(visit_and_tell, &child[i]), 0);
		else
			ASSERT_EQ(perch_fork(&call[i], visit, &child[i]), 0);
	}
	if (threads)
		ASSERT_EQ(perch_waitgroup_wait(&wg), 0);
	for (unsigned i = count; i-- > 0;) {
		if (!threads)
			ASSERT_EQ(perch_sync(&call[i]), 0);
		n->nodes += child[i].nodes;
	}
}

static void *trees(void *arg)
{
	struct load *l = arg;
	uint64_t name = (uint64_t)(uintptr_t)perch_self();

	do {
		struct node root = {.name = name = mix(name + 1), .depth = DEPTH};

		visit(&root);
		if (root.nodes != count_alone(&root))
			__atomic_add_fetch(&l->wrong, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&l->trees, 1, __ATOMIC_RELAXED);
	} while (!__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE));
	return NULL;
}

void load_begin(struct load *l)
{
	perch_attr_t a;

	*l = (struct load){0};
	perch_attr_init(&a);
	perch_attr_setstacksize(&a, (size_t)256 << 10);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_create(&l->thread[i], &a, trees, l), 0);
}

void load_end(struct load *l)
{
	__atomic_store_n(&l->stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_join(l->thread[i], NULL), 0);
	EXPECT_EQ(l->wrong, 0);
	EXPECT_GT(l->trees, 0);
	harness_log("%llu trees", (unsigned long long)l->trees);
}

bool procs_become(unsigned n, double seconds)
{
	uint64_t since = harness_now(), until = since + (uint64_t)(seconds * 1e9);

	while (perch_procs() != n) {
		if (harness_now() > until)
			return false;
		nanosleep(&(struct timespec){0, 2000000}, NULL);
	}
	harness_log("%u processors after %.0f ms", n, (double)(harness_now() - since) * 1e-6);
	return true;
}

/* ---- where ---- */

static cpu_set_t all_cpus;

unsigned cpus_of_process(int *first, int *last)
{
	if (!CPU_COUNT(&all_cpus))
		ASSERT_EQ(sched_getaffinity(0, sizeof(all_cpus), &all_cpus), 0);
	*first = -1;
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all_cpus)) {
			*last = i;
			if (*first < 0)
				*first = i;
		}
	return (unsigned)CPU_COUNT(&all_cpus);
}

static void put(const cpu_set_t *set, bool all)
{
	DIR *d;
	struct dirent *e;

	if (!all) {
		ASSERT_EQ(sched_setaffinity(getpid(), sizeof(*set), set), 0);
		return;
	}
	d = opendir("/proc/self/task");
	ASSERT_NE(d, NULL);
	while ((e = readdir(d))) {
		pid_t tid = (pid_t)atoi(e->d_name);

		if (tid > 0 && sched_setaffinity(tid, sizeof(*set), set))
			ASSERT_EQ(errno, ESRCH);
	}
	closedir(d);
}

void put_on(int cpu, bool all)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	put(&one, all);
}

void put_everywhere(bool all)
{
	put(&all_cpus, all);
}
