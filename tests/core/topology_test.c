/* SPDX-License-Identifier: MIT */
/* topology_test.c - the runtime on this machine's CPUs, described as two nodes by PERCH_TOPOLOGY. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "tests/harness/harness.h"
#include "tests/harness/helpers.h"

#define MANY 7000 /* more than a ring and a fair queue hold */

static int released;

static void count(void *arg)
{
	while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE))
		perch_yield();
	__atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
}

static void *many(void *arg)
{
	for (int i = 0; i < MANY; i++)
		if (perch_go(count, arg))
			exit(2);
	if (perch_dump(2))
		exit(2);
	__atomic_store_n(&released, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void run(void *arg)
{
	struct perch_stats s = {0};
	perch_t t;
	int ran = 0, r;

	setenv("PERCH_TOPOLOGY", arg, 1);
	setenv("PERCH_STATS", "1", 1);
	r = perch_start(NULL);
	if (r)
		exit(-r);
	setenv("PERCH_TOPOLOGY", "no matter any more", 1);
	if (perch_create(&t, NULL, many, &ran) || perch_join(t, NULL) || perch_stats_get(&s))
		exit(3);
	fprintf(stderr, "spilled: %s\n", s.spilled ? "some" : "none");
	if (perch_stop() || ran != MANY)
		exit(4);
	exit(0);
}

/* Every other CPU that we may use on node 0, and on node 5. */
static void describe_halves(char *text, size_t size, bool but_last)
{
	char list[2][2048] = {"", ""};
	size_t used[2] = {0, 0};
	cpu_set_t set;
	int n = 0, all;

	ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
	all = CPU_COUNT(&set);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int half = n % 2;

		if (!CPU_ISSET(cpu, &set) || ++n == all * but_last)
			continue;
		used[half] += (size_t)snprintf(list[half] + used[half], sizeof(list[half]) - used[half], "%s%d",
					       used[half] ? "," : "", cpu);
		ASSERT_LT(used[half], sizeof(list[half]));
	}
	snprintf(text, size, "node0=%s node5=%s:4G distance=10,30/40,10", used[0] ? list[0] : "none",
		 used[1] ? list[1] : "none");
}

static int highest_cpu(void)
{
	cpu_set_t set;
	int cpu = CPU_SETSIZE - 1;

	if (!sched_getaffinity(0, sizeof(set), &set))
		while (cpu > 0 && !CPU_ISSET(cpu, &set))
			cpu--;
	return cpu;
}

TEST_TIMEOUT(two_nodes_where_there_may_be_one, 60)
{
	struct harness_captured c;
	char text[5000];

	describe_halves(text, sizeof(text), false);
	harness_log("%s", text);
	ASSERT_EQ(harness_capture(&c, run, text), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, "\ntopology: 2 nodes, emulated\n");
	EXPECT_CONTAINS(c.text, "perch: topology: 2 nodes, emulated\n");
	/* shuffled, they go to inboxes, which have no end */
	if (!getenv("PERCH_SHUFFLE"))
		EXPECT_CONTAINS(c.text, "spilled: some\n");
	EXPECT_CONTAINS(c.text, ", node 0; ring");
	if (!strstr(text, "none"))
		EXPECT_CONTAINS(c.text, ", node 5; ring");
	harness_release(&c);
}

static void run_more(void *arg)
{
	struct perch_config config = PERCH_CONFIG_INIT;

	setenv("PERCH_TOPOLOGY", arg, 1);
	config.procs = 1;
	if (perch_start(&config))
		exit(1);
	/* the program's own variable by now */
	unsetenv("PERCH_TOPOLOGY");
	exit(perch_set_procs(2) || perch_dump(2) || perch_stop());
}

TEST(a_processor_that_comes_later_is_on_the_described_node)
{
	struct harness_captured c;
	char text[5000];

	describe_halves(text, sizeof(text), false);
	if (strstr(text, "none"))
		SKIP("one CPU only");
	ASSERT_EQ(harness_capture(&c, run_more, text), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, ", node 0; ring");
	EXPECT_CONTAINS(c.text, ", node 5; ring");
	harness_release(&c);
}

TEST(without_it_nothing_is_emulated)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, run, (char *)""), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, "perch: topology: ");
	EXPECT_NULL(strstr(c.text, "emulated"));
	harness_release(&c);
}

TEST(a_bad_one_is_refused)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, run, (char *)"2x2 distance=11,20/20,10"), 0);
	EXPECT_EQ(c.status, EINVAL << 8);
	EXPECT_CONTAINS(c.text, "perch: PERCH_TOPOLOGY: column 14: distance of a node to itself is 10, not 11\n");
	harness_release(&c);
}

TEST(one_that_lacks_a_cpu_is_refused)
{
	struct harness_captured c;
	char text[5000], says[64];
	int cpu = highest_cpu();

	if (cpu)
		describe_halves(text, sizeof(text), true);
	else
		snprintf(text, sizeof(text), "node0=1");
	if (!strncmp(text, "node0=none node5=none", 21))
		SKIP("one CPU only");
	ASSERT_EQ(harness_capture(&c, run, text), 0);
	EXPECT_EQ(c.status, EINVAL << 8);
	snprintf(says, sizeof(says), "PERCH_TOPOLOGY: CPU %d is to be used, but no node", cpu);
	EXPECT_CONTAINS(c.text, says);
	harness_release(&c);
}
