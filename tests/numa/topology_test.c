/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "numa/topology.h"
#include "tests/harness/harness.h"
#include "tests/numa/machine.h"

#define CPU_DIR "/sys/devices/system/cpu"
#define NODE_DIR "/sys/devices/system/node"

FIXTURE(topology)
{
	struct machine m;
	char error[320];
};
FIXTURE_SETUP(topology)
{
	machine_make(&self->m);
}
FIXTURE_TEARDOWN(topology)
{
	machine_remove(&self->m);
}

static struct topology *discover(struct machine *m, const char *allowed, int *error, char *message, size_t size)
{
	struct bitmask *set = machine_set(allowed);
	struct topology *t = topology_discover_in(m->root, set, error, message, size);

	numa_bitmask_free(set);
	return t;
}

#define DISCOVER(cpus, result) discover(&self->m, cpus, result, self->error, sizeof(self->error))

TEST_F(topology, two_sockets)
{
	struct topology *t;
	int error = 1;

	machine_two_sockets(&self->m);
	t = DISCOVER("0-15", &error);
	ASSERT_NE(t, NULL);
	EXPECT_EQ(error, 0);
	EXPECT_EQ(t->cpus, 128);
	EXPECT_EQ(topology_nodes(t), 2);
	EXPECT_EQ(t->nodes_present, 2);
	for (int cpu = 0; cpu < 16; cpu++) {
		EXPECT_EQ(topology_node_of_cpu(t, cpu), cpu % 8 / 4);
		EXPECT_EQ(t->cpu[cpu].package, cpu % 8 / 4);
		EXPECT_EQ(t->cpu[cpu].core, cpu % 8);
		EXPECT_EQ(t->cpu[cpu].cache, cpu % 8 / 2 * 2);
		EXPECT_TRUE(t->cpu[cpu].allowed);
	}
	EXPECT_EQ(topology_node_of_cpu(t, 16), -1);
	EXPECT_EQ(topology_node_of_cpu(t, -1), -1);
	EXPECT_EQ(topology_node_of_cpu(t, 5000), -1);
	EXPECT_EQ(topology_distance(t, 0, 0), 10);
	EXPECT_EQ(topology_distance(t, 0, 1), 21);
	EXPECT_EQ(topology_distance(t, 0, 2), 0);
	EXPECT_EQ(t->node[1].memory, 2048ul << 20);
	EXPECT_EQ(t->node[1].cpus, 8);
	EXPECT_EQ(topology_memory_node(t, 1), 1);
	EXPECT_EQ(topology_memory_node(t, 2), -1);
	EXPECT_EQ(t->cores_unknown, 0);
	EXPECT_EQ(t->caches_unknown, 0);
	EXPECT_TRUE(t->nodes_told);
	EXPECT_STREQ(t->note, "");
	topology_free(t);
}

TEST_F(topology, sparse_numbers_and_one_way_distances)
{
	static const int node[] = {1, 5, 6, 9}, distance[4][4] = {
							{10, 20, 30, 17},
							{24, 10, 14, 40},
							{16, 28, 10, 50},
							{17, 40, 50, 10},
						};
	struct topology *t;

	machine_sparse(&self->m);
	t = DISCOVER("3,64", NULL);
	ASSERT_NE(t, NULL);
	EXPECT_EQ(topology_nodes(t), 10);
	EXPECT_EQ(t->nodes_present, 4);
	for (int i = 0; i < 4; i++) {
		EXPECT_TRUE(topology_node_present(t, node[i]));
		for (int j = 0; j < 4; j++)
			EXPECT_EQ(topology_distance(t, node[i], node[j]), distance[i][j]);
	}
	EXPECT_FALSE(topology_node_present(t, 0));
	EXPECT_FALSE(topology_node_present(t, 7));
	EXPECT_EQ(topology_distance(t, 0, 1), 0);
	EXPECT_EQ(topology_node_of_cpu(t, 0), -1);
	EXPECT_EQ(topology_node_of_cpu(t, 3), 1);
	EXPECT_EQ(topology_node_of_cpu(t, 9), 5);
	EXPECT_EQ(topology_node_of_cpu(t, 65), 6);
	EXPECT_TRUE(t->cpu[64].allowed);
	EXPECT_FALSE(t->cpu[65].allowed);
	/* memory only */
	EXPECT_EQ(t->node[9].cpus, 0);
	EXPECT_EQ(topology_memory_node(t, 9), 9);
	/* CPUs only: the nearest with memory, from there */
	EXPECT_EQ(t->node[6].memory, 0);
	EXPECT_EQ(topology_memory_node(t, 6), 1);
	EXPECT_EQ(t->caches_unknown, 6);
	topology_free(t);
}

TEST_F(topology, prints_what_it_found)
{
	struct topology *t;
	char text[2048];
	FILE *out = fmemopen(text, sizeof(text), "w");

	machine_sparse(&self->m);
	t = DISCOVER("2", NULL);
	ASSERT_NE(t, NULL);
	topology_print(t, out);
	fclose(out);
	EXPECT_CONTAINS(text, "topology: 4 nodes, placement of memory does not work");
	EXPECT_CONTAINS(text, "node 5: CPUs 8-9; 256 MiB; distances 1:24 5:10 6:14 9:40\n");
	EXPECT_CONTAINS(text, "node 9: CPUs none; 4096 MiB");
	EXPECT_CONTAINS(text, "last-level cache not told for 6 CPUs");
	topology_free(t);
}

TEST_F(topology, a_kernel_without_numa_is_noted)
{
	struct topology *t;

	machine_write(&self->m, CPU_DIR "/possible", "0-3");
	machine_write(&self->m, CPU_DIR "/online", "0,2");
	t = DISCOVER("0,2", NULL);
	ASSERT_NE(t, NULL);
	EXPECT_FALSE(t->nodes_told);
	EXPECT_CONTAINS(t->note, NODE_DIR " is not there");
	EXPECT_EQ(t->nodes_present, 1);
	EXPECT_EQ(topology_node_of_cpu(t, 2), 0);
	EXPECT_EQ(topology_node_of_cpu(t, 1), -1);
	EXPECT_EQ(topology_distance(t, 0, 0), 10);
	EXPECT_EQ(t->cores_unknown, 2);
	topology_free(t);
}

TEST_F(topology, no_sysfs_is_an_error)
{
	int error = 0;

	EXPECT_NULL(DISCOVER("0", &error));
	EXPECT_EQ(error, -ENOENT);
	EXPECT_CONTAINS(self->error, CPU_DIR "/possible");
}

/* Each broken or missing file is an error that names it, never one node. */
FIXTURE(broken)
{
	struct machine m;
};
FIXTURE_VARIANT(broken)
{
	const char *file, *text; /* NULL: removed */
	int error;
	const char *says;
};
FIXTURE_VARIANT_ADD(broken, no_online){NODE_DIR "/online", NULL, -ENOENT, "No such file"};
FIXTURE_VARIANT_ADD(broken, empty_online){NODE_DIR "/online", "", -EINVAL, "empty"};
FIXTURE_VARIANT_ADD(broken, no_cpulist){NODE_DIR "/node1/cpulist", NULL, -ENOENT, "No such file"};
FIXTURE_VARIANT_ADD(broken, bad_cpulist){NODE_DIR "/node1/cpulist", "4-", -EINVAL, "'4-'"};
FIXTURE_VARIANT_ADD(broken, cpu_twice){NODE_DIR "/node1/cpulist", "3-7", -EINVAL, "another node"};
FIXTURE_VARIANT_ADD(broken, cpu_impossible){NODE_DIR "/node1/cpulist", "4-7,128", -EINVAL, "not possible"};
FIXTURE_VARIANT_ADD(broken, no_distance){NODE_DIR "/node0/distance", NULL, -ENOENT, "No such file"};
FIXTURE_VARIANT_ADD(broken, short_distance){NODE_DIR "/node0/distance", "10", -EINVAL, "one distance for each"};
FIXTURE_VARIANT_ADD(broken, long_distance){NODE_DIR "/node0/distance", "10 20 30", -EINVAL, "one distance for each"};
FIXTURE_VARIANT_ADD(broken, zero_distance){NODE_DIR "/node0/distance", "10 0", -EINVAL, "one distance for each"};
FIXTURE_VARIANT_ADD(broken, no_meminfo){NODE_DIR "/node0/meminfo", NULL, -ENOENT, "No such file"};
FIXTURE_VARIANT_ADD(broken, bad_meminfo){NODE_DIR "/node0/meminfo", "Node 0 MemFree: 1 kB", -EINVAL, "MemTotal"};
FIXTURE_VARIANT_ADD(broken, bad_siblings){CPU_DIR "/cpu3/topology/thread_siblings_list", "?", -EINVAL, "'?'"};
FIXTURE_VARIANT_ADD(broken, others_siblings){CPU_DIR "/cpu3/topology/thread_siblings_list", "2", -EINVAL, "not in"};
FIXTURE_VARIANT_ADD(broken, bad_package){CPU_DIR "/cpu3/topology/physical_package_id", "x", -EINVAL, "'x'"};
FIXTURE_VARIANT_ADD(broken, bad_cache){CPU_DIR "/cpu3/cache/index2/shared_cpu_list", "x", -EINVAL, "'x'"};
FIXTURE_SETUP(broken)
{
	machine_make(&self->m);
	machine_two_sockets(&self->m);
}
FIXTURE_TEARDOWN(broken)
{
	machine_remove(&self->m);
}

TEST_F(broken, is_an_error_that_names_the_file)
{
	struct bitmask *allowed = machine_set("0-3");
	char message[320] = "";
	int error = 0;

	if (variant->text)
		machine_write(&self->m, variant->file, "%s", variant->text);
	else
		machine_unlink(&self->m, variant->file);
	EXPECT_NULL(topology_discover_in(self->m.root, allowed, &error, message, sizeof(message)));
	EXPECT_EQ(error, variant->error);
	EXPECT_CONTAINS(message, variant->file);
	EXPECT_CONTAINS(message, variant->says);
	numa_bitmask_free(allowed);
}

TEST_F(topology, an_allowed_cpu_without_a_node_is_an_error)
{
	int error = 0;

	machine_two_sockets(&self->m);
	EXPECT_NULL(DISCOVER("0-16", &error));
	EXPECT_EQ(error, -EINVAL);
	EXPECT_CONTAINS(self->error, "CPU 16");
	EXPECT_NULL(DISCOVER("4000", &error));
	EXPECT_CONTAINS(self->error, "CPU 4000");
}

TEST_F(topology, missing_siblings_and_caches_are_counted)
{
	struct topology *t;

	machine_two_sockets(&self->m);
	machine_unlink(&self->m, CPU_DIR "/cpu3/topology/thread_siblings_list");
	machine_unlink(&self->m, CPU_DIR "/cpu5/cache/index2/shared_cpu_list");
	t = DISCOVER("0-15", NULL);
	ASSERT_NE(t, NULL);
	EXPECT_EQ(t->cores_unknown, 1);
	EXPECT_EQ(t->cpu[3].core, 3);
	EXPECT_EQ(t->cpu[5].cache, 5); /* the level below still tells: shared by 5 and 13 */
	topology_free(t);
}

TEST(flat)
{
	struct bitmask *set = machine_set("1,70");
	struct topology *t = topology_flat(set, "the test says so");

	ASSERT_NE(t, NULL);
	EXPECT_EQ(t->nodes_present, 1);
	EXPECT_EQ(topology_node_of_cpu(t, 70), 0);
	EXPECT_EQ(topology_node_of_cpu(t, 0), -1);
	EXPECT_EQ(topology_memory_node(t, 0), 0);
	EXPECT_FALSE(t->nodes_told);
	EXPECT_STREQ(t->note, "the test says so");
	topology_free(t);
	numa_bitmask_free(set);
}
