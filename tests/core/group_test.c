/* SPDX-License-Identifier: MIT */
/* group_test.c - which node's memory a group of CPUs gets, and what is said when it cannot be had. */
#include <errno.h>
#include <numaif.h>
#include <string.h>
#include <unistd.h>

#include "core/thread/group.h"
#include "numa/place.h"
#include "numa/topology.h"
#include "tests/harness/harness.h"
#include "tests/harness/helpers.h"

FIXTURE(group)
{
	struct topology *t;
	char note[GROUP_NOTE];
};

/* Three nodes in a row, the middle one without memory; node 5 far behind, with some. */
FIXTURE_SETUP(group)
{
	struct topology *t = self->t = topology_make(4, 6);
	static const int where[] = {0, 1, 2, 5};

	ASSERT_NE(t, NULL);
	for (unsigned i = 0; i < 4; i++) {
		int node = where[i];

		t->node[node] = (struct topology_node){.present = true, .cpus = 1, .memory = node == 1 ? 0 : 1 << 30};
		t->cpu[i].node = node;
		for (unsigned k = 0; k < 4; k++)
			t->distance[node * t->nodes + where[k]] =
				(uint16_t)(10 + 10 * (node > where[k] ? node - where[k] : where[k] - node));
	}
	t->nodes_present = 4;
	t->nodes_told = true;
	/* nearer to 2 than to 0 */
	t->distance[1 * t->nodes + 2] = 15;
	topology_find_memory_nodes(t);
}
FIXTURE_TEARDOWN(group)
{
	group_stop();
	topology_free(self->t);
}

TEST_F(group, the_nearest_node_with_memory)
{
	self->t->emulated = true;
	group_start(self->t);
	EXPECT_TRUE(group_several);
	EXPECT_FALSE(group_binds());
	EXPECT_EQ(group_nodes(), 3);
	EXPECT_EQ(group_node(0), 0);
	EXPECT_EQ(group_node(1), 2);
	EXPECT_EQ(group_node(2), 2);
	EXPECT_EQ(group_node(3), -1);
	EXPECT_EQ(group_node(5), 5);
	group_note(self->note);
	EXPECT_CONTAINS(self->note, "memory is not bound: the nodes are only described");
}

TEST_F(group, nodes_that_come_later)
{
	self->t->emulated = true;
	self->t->node[5].present = false;
	group_start(self->t);
	EXPECT_EQ(group_node(5), -1);
	self->t->node[5].present = true;
	self->t->node[0].present = false;
	group_learn(self->t);
	EXPECT_EQ(group_node(5), 5);
	EXPECT_EQ(group_node(0), 0);
}

TEST_F(group, without_libnuma_it_says_why)
{
	self->t->placement = false;
	strcpy(self->t->note, "the reason");
	ASSERT_EQ(harness_refuse("get_mempolicy"), 0);
	group_start(self->t);
	EXPECT_TRUE(group_several);
	EXPECT_FALSE(group_binds());
	group_note(self->note);
	EXPECT_STREQ(self->note, "memory is not bound: the reason");
}

/* The kernel's answer for a cpuset that leaves one of the nodes: here, the only one there is. */
TEST_F(group, memory_only_where_the_process_may_have_it)
{
	unsigned long mask[16] = {0};

	if (get_mempolicy(NULL, mask, 1025, NULL, MPOL_F_MEMS_ALLOWED))
		SKIP("get_mempolicy: %s", strerror(errno));
	if (mask[0] != 1)
		SKIP("not just node 0");
	topology_ask_libnuma(self->t);
	ASSERT_TRUE(self->t->placement);
	EXPECT_FALSE(self->t->node[0].closed);
	EXPECT_TRUE(self->t->node[5].closed);
	group_start(self->t);
	EXPECT_FALSE(group_several);
	EXPECT_EQ(group_nodes(), 1);
	EXPECT_EQ(group_node(1), 0);
	EXPECT_EQ(group_node(2), 0);
	EXPECT_EQ(group_node(5), 0);
	group_note(self->note);
	EXPECT_STREQ(self->note, "");
}

TEST_F(group, a_refusal_is_noted_and_memory_is_had_all_the_same)
{
	char *p;

	self->t->placement = true;
	/* then each node is taken for allowed */
	ASSERT_EQ(harness_refuse("get_mempolicy"), 0);
	ASSERT_EQ(harness_refuse("mbind"), 0);
	group_start(self->t);
	EXPECT_TRUE(group_binds());
	group_note(self->note);
	EXPECT_STREQ(self->note, "");
	p = group_alloc(0, 100);
	ASSERT_NE(p, NULL);
	memset(p, 1, 100);
	group_note(self->note);
	EXPECT_CONTAINS(self->note,
			"memory is not bound: mbind to node 0: Operation not permitted (a filter refuses it)");
	EXPECT_FALSE(group_binds());
	/* once: and no more calls */
	ASSERT_EQ(harness_forbid("mbind"), 0);
	ASSERT_NE(group_alloc(5, 100), NULL);
	group_note(self->note);
	EXPECT_NULL(strstr(self->note, "node 5"));
}

TEST_F(group, a_node_that_the_kernel_does_not_know)
{
	if (harness_refuse("get_mempolicy"))
		SKIP("no filters here");
	self->t->placement = true;
	self->t->node[5].memory_node = 5;
	group_start(self->t);
	if (get_mempolicy(NULL, NULL, 0, NULL, 0) == 0)
		SKIP("no filters here");
	if (!access("/sys/devices/system/node/node5", F_OK) || access("/sys/devices/system/node/node0", F_OK))
		SKIP("the kernel has a node 5, or none");
	ASSERT_NE(group_alloc(5, 100), NULL);
	group_note(self->note);
	EXPECT_CONTAINS(self->note, "memory is not bound everywhere: mbind to node 5: Invalid argument");
	EXPECT_TRUE(group_binds());
	ASSERT_NE(group_alloc(0, 100), NULL);
}

TEST_F(group, a_policy_of_the_process_is_followed)
{
	unsigned long mask = 1;

	if (set_mempolicy(MPOL_INTERLEAVE, &mask, 64))
		SKIP("set_mempolicy: %s", strerror(errno));
	/* as many nodes as there are */
	self->t->placement = true;
	ASSERT_EQ(place_own_policy(), true);
	set_mempolicy(MPOL_LOCAL, NULL, 0);
	EXPECT_EQ(place_own_policy(), false);
	set_mempolicy(MPOL_DEFAULT, NULL, 0);
	EXPECT_EQ(place_own_policy(), false);
}

static bool zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void what_is_given(void)
{
	struct group_slab slab[64];
	size_t total = 0, asked = 0, n;
	char *old[300] = {NULL};

	for (unsigned i = 0; i < 300; i++) {
		size_t size = i % 50 == 49 ? 300000 : 1 + i * 37;
		char *p = old[i] = group_alloc(i % 3 ? 0 : 5, size);

		ASSERT_NE(p, NULL);
		EXPECT_EQ((uintptr_t)p % 64, 0);
		EXPECT_TRUE(zero(p, size));
		memset(p, (int)(i % 255 + 1), size);
		asked += size;
	}
	for (unsigned i = 0; i < 300; i++)
		EXPECT_EQ(old[i][0], (char)(i % 255 + 1));
	n = group_copy_allocated(slab, 64);
	for (size_t i = 0; i < n && i < 64; i++)
		total += slab[i].used;
	if (group_several) {
		EXPECT_LT(n, 64);
		EXPECT_GE(total, asked);
		EXPECT_LT(total, asked + 64 * 300);
	} else {
		EXPECT_EQ(n, 300);
	}
}

TEST_F(group, what_is_given_is_zero_and_stays)
{
	self->t->emulated = true;
	group_start(self->t);
	what_is_given();
	group_stop();
	EXPECT_EQ(group_copy_allocated(NULL, 0), 0);
	/* and where all memory is alike */
	for (int node = 1; node < 6; node++)
		self->t->node[node].present = false;
	self->t->node[0].present = true;
	group_start(self->t);
	EXPECT_FALSE(group_several);
	what_is_given();
}
