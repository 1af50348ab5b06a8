/* SPDX-License-Identifier: MIT */
/* described_test.c - machines described by a text: what a text says, what is refused and where, and that
 * a machine that was read can be written and is the same when read again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "numa/cpuset.h"
#include "numa/described.h"
#include "tests/harness/harness.h"
#include "tests/numa/machine.h"

static struct topology *parse(const char *text, const char *allowed, int *error, char *message, size_t size)
{
	struct bitmask *set = machine_set(allowed);
	struct topology *t = topology_parse(text, set, error, message, size);

	numa_bitmask_free(set);
	return t;
}

/* Of a text that must be good. */
static struct topology *good(const char *text, const char *allowed)
{
	char message[320] = "";
	int error = 1;
	struct topology *t = parse(text, allowed, &error, message, sizeof(message));

	EXPECT_STREQ(message, "");
	ASSERT_NE(t, NULL);
	EXPECT_EQ(error, 0);
	EXPECT_TRUE(t->emulated);
	EXPECT_TRUE(t->nodes_told);
	EXPECT_FALSE(t->placement);
	return t;
}

/* free() it. */
static char *describe(const struct topology *t)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	ASSERT_NE(out, NULL);
	topology_describe(t, out);
	fclose(out);
	return text;
}

/* All that is of the machine. */
static void expect_same(const struct topology *a, const struct topology *b)
{
	ASSERT_EQ(a->cpus, b->cpus);
	ASSERT_EQ(a->nodes, b->nodes);
	EXPECT_EQ(a->nodes_present, b->nodes_present);
	EXPECT_EQ(a->cores_unknown, b->cores_unknown);
	EXPECT_EQ(a->caches_unknown, b->caches_unknown);
	for (int cpu = 0; cpu < a->cpus; cpu++) {
		EXPECT_EQ(a->cpu[cpu].node, b->cpu[cpu].node);
		EXPECT_EQ(a->cpu[cpu].package, b->cpu[cpu].package);
		EXPECT_EQ(a->cpu[cpu].core, b->cpu[cpu].core);
		EXPECT_EQ(a->cpu[cpu].cache, b->cpu[cpu].cache);
	}
	for (int node = 0; node < a->nodes; node++) {
		EXPECT_EQ(a->node[node].present, b->node[node].present);
		EXPECT_EQ(a->node[node].cpus, b->node[node].cpus);
		EXPECT_EQ(a->node[node].memory, b->node[node].memory);
		EXPECT_EQ(a->node[node].memory_node, b->node[node].memory_node);
		for (int to = 0; to < a->nodes; to++)
			EXPECT_EQ(topology_distance(a, node, to), topology_distance(b, node, to));
	}
}

/* Returns what it was described as; free() it. */
static char *round_trip(const struct topology *t)
{
	char *text = describe(t), *again;
	struct topology *read;

	harness_log("%s", text);
	read = good(text, "");
	expect_same(t, read);
	again = describe(read);
	EXPECT_STREQ(again, text);
	free(again);
	topology_free(read);
	return text;
}

/* What a text is, written out. */
static const struct {
	const char *text, *says;
} texts[] = {
	{"2x2", "node0=0-1:1G node1=2-3:1G distance=10,20/20,10"},
	{"1x1", "node0=0:1G distance=10"},
	{" ;2x1\n", "node0=0:1G node1=1:1G distance=10,20/20,10"},
	{"1x2x2", "node0=0-3:1G distance=10 core=0-1/2-3"},
	{"2x1x1", "node0=0:1G node1=1:1G distance=10,20/20,10 core=0/1"},
	{"distance=10,31/32,10;2x1", "node0=0:1G node1=1:1G distance=10,31/32,10"},
	{"node0=0", "node0=0:1G distance=10"},
	{"node0=0:0", "node0=0:0 distance=10"},
	{"node0=0:5 node1=1:3K;node2=2:1024K node3=3:7M node4=4:8T "
	 "distance=10,11,12,13,14/11,10,11,12,13/12,11,10,11,12/"
	 "13,12,11,10,11/14,13,12,11,10",
	 "node0=0:5 node1=1:3K node2=2:1M node3=3:7M node4=4:8T distance=10,11,12,13,14/11,10,11,12,13/12,11,10,11,12/"
	 "13,12,11,10,11/14,13,12,11,10"},
	/* sparse; CPUs only, memory only, one way longer than the other */
	{"node7=none:64G node2=70,3-4:0 distance=10,17/28,10", "node2=3-4,70:0 node7=none:64G distance=10,17/28,10"},
	{"node0=0-3 core=3,1/2/0", "node0=0-3:1G distance=10 core=0/1,3/2"},
	{"node0=0-5 core=4,2/5,3,0", "node0=0-5:1G distance=10 core=0,3,5/2,4"},
	{"node0=0-3 core=0,1 core=2,3", "node0=0-3:1G distance=10 core=0-1/2-3"},
	{"node0=0-3 cache=2-3", "node0=0-3:1G distance=10 cache=2-3"},
	{"cache=0,2/1,3 2x2", "node0=0-1:1G node1=2-3:1G distance=10,20/20,10 cache=0,2/1,3"},
	{"2x2 package9=0,1 package3=2-3", "node0=0-1:1G node1=2-3:1G distance=10,20/20,10 package9=0-1 package3=2-3"},
	{"1x1 possible=64", "node0=0:1G distance=10 possible=64"},
	{"1x1 possible=1", "node0=0:1G distance=10"},
};

TEST(a_text_says)
{
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct topology *t = good(texts[i].text, "");
		char *text = round_trip(t);

		EXPECT_STREQ(text, texts[i].says);
		free(text);
		topology_free(t);
	}
}

TEST(a_described_machine_has_what_one_that_is_read_has)
{
	struct topology *t = good("node1=2-3,70:0 node4=5:2M node5=none:1G core=70,2/3 cache=3,2 package8=2-3,5,70 "
				  "distance=10,40,30/21,10,50/60,61,10 possible=128",
				  "3,5");

	EXPECT_EQ(t->cpus, 128);
	EXPECT_EQ(topology_nodes(t), 6);
	EXPECT_EQ(t->nodes_present, 3);
	EXPECT_FALSE(topology_node_present(t, 0));
	EXPECT_EQ(topology_node_of_cpu(t, 70), 1);
	EXPECT_EQ(topology_node_of_cpu(t, 4), -1);
	EXPECT_EQ(t->cpu[70].core, 2);
	EXPECT_EQ(t->cpu[2].core, 2);
	EXPECT_EQ(t->cpu[3].core, 3);
	EXPECT_EQ(t->cpu[5].core, 5);
	EXPECT_EQ(t->cores_unknown, 1);
	EXPECT_EQ(t->cpu[3].cache, 2);
	EXPECT_EQ(t->cpu[5].cache, -1);
	EXPECT_EQ(t->caches_unknown, 2);
	EXPECT_EQ(t->cpu[5].package, 8);
	EXPECT_EQ(topology_distance(t, 1, 4), 40);
	EXPECT_EQ(topology_distance(t, 4, 1), 21);
	EXPECT_EQ(topology_distance(t, 5, 4), 61);
	EXPECT_EQ(topology_memory_node(t, 1), 5);
	EXPECT_EQ(topology_memory_node(t, 4), 4);
	EXPECT_EQ(t->node[4].memory, 2 << 20);
	EXPECT_TRUE(t->cpu[3].allowed);
	EXPECT_FALSE(t->cpu[2].allowed);
	topology_free(t);
}

static const struct {
	const char *text;
	int column;
	const char *says;
} bad[] = {
	{"", 1, "no node is described"},
	{"  ", 3, "no node is described"},
	{"node0=none", 11, "no node has a CPU"},
	{"4", 2, "expected x and the number of cores, found the end"},
	{"4x", 3, "expected the number of cores, found the end"},
	{"4x2x", 5, "expected the number of threads, found the end"},
	{"0x2", 1, "the number of nodes is 1 to 1024, not 0"},
	{"2x0", 3, "the number of cores is 1 to 8192, not 0"},
	{"1024x9", 1, "9216 CPUs, and 8192 is the most"},
	{"1x8192x8192", 1, "and 8192 is the most"},
	{"4x2y", 4, "expected the end of this item, found 'y'"},
	{"2x2 2x2", 5, "a second shape"},
	{"2x2 node0=0", 5, "a node beside a shape"},
	{"node0=0 2x2", 9, "beside a node"},
	{"nodes=4", 5, "expected the number of a node, found 's=4'"},
	{"node=4", 5, "expected the number of a node, found '=4'"},
	{"node0", 6, "expected '=', found the end"},
	{"node0:1", 6, "expected '=', found ':1'"},
	{"node1024=0", 5, "the number of a node is 0 to 1023, not 1024"},
	{"node99999999999999999999999=0", 5, "not 99999999999999999999"},
	{"node0=", 7, "expected a CPU, found the end"},
	{"node0=a", 7, "expected a CPU, found 'a'"},
	{"node0=-1", 7, "expected a CPU, found '-1'"},
	{"node0=0-", 9, "expected a CPU, found the end"},
	{"node0=0,", 9, "expected a CPU, found the end"},
	{"node0=3-1", 7, "3-1 runs backwards"},
	{"node0=8192", 7, "a CPU is 0 to 8191, not 8192"},
	{"node0=0-3,3", 11, "CPU 3 is on node 0 already"},
	{"node0=0-3 node1=4,2-5", 19, "CPU 2 is on node 0 already"},
	{"node0=0 node0=1", 9, "node 0 is there already"},
	{"node0=0:", 9, "expected a size, found the end"},
	{"node0=0:M", 9, "expected a size, found 'M'"},
	{"node0=0:1m", 10, "expected the end of this item, found 'm'"},
	{"node0=0:9999999T", 9, "a size is 576460752303423488 bytes at most"},
	{"node0=0:99999999999999999999", 9, "a size is 0 to"},
	{"node0=nonesuch", 11, "found 'such'"},
	{"1x1 smt=2", 5, "'smt=2' is none of nodeN="},
	{"1x1 a\001long-and-longer-word-than-is-shown", 5, "'a?long-and-longer-wor' is none of"},
	{"1x1,1x1", 4, "expected the end of this item, found ',1x1'"},
	{"1x2 core=", 10, "expected a CPU, found the end"},
	{"1x2 core=0/", 12, "expected a CPU, found the end"},
	{"1x2 core=0/1-2", 12, "CPU 2 is on no node"},
	{"1x2 core=0/0", 12, "CPU 0 has a core already"},
	{"1x2x1 core=1", 12, "CPU 1 has a core already"},
	{"1x2 cache=0,1,0", 15, "CPU 0 has a cache already"},
	{"1x2 cache=5", 11, "CPU 5 is on no node"},
	{"1x2 package=0", 12, "expected the number of a package, found '=0'"},
	{"1x2 package0=0 package1=0-1", 25, "CPU 0 has a package already"},
	{"1x2 package0=7", 14, "CPU 7 is on no node"},
	{"2x1 distance=", 14, "expected a distance, found the end"},
	{"2x1 distance=11,20/20,10", 14, "distance of a node to itself is 10, not 11"},
	{"2x1 distance=10,20/20,12", 23, "distance of a node to itself is 10, not 12"},
	{"2x1 distance=10,9/20,10", 17, "a distance is 10 to 65535, not 9"},
	{"2x1 distance=10,65536/20,10", 17, "a distance is 10 to 65535, not 65536"},
	{"2x1 distance=10/20,10", 16, "expected ',' and the distance from node 0 to node 1, found '/20,10'"},
	{"2x1 distance=10,20", 19, "expected '/' and the distances from node 1, found the end"},
	{"2x1 distance=10,20,30/20,10", 19, "more distances than the 2 nodes"},
	{"2x1 distance=10,20/20,10/", 25, "more rows than the 2 nodes"},
	{"1x1 distance=10 distance=10", 17, "'distance=10' again"},
	{"1x1 possible=2 possible=2", 16, "'possible=2' again"},
	{"1x2 possible=1", 14, "there is a CPU 1, so not 1 but 2 or more are possible"},
	{"1x2 possible=0", 14, "the number of CPUs is 1 to 8192, not 0"},
};

TEST(a_bad_text_is_refused_where_it_is_bad)
{
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char message[320] = "", at[32];
		int error = 0;

		harness_log("%s", bad[i].text);
		EXPECT_NULL(parse(bad[i].text, "0", &error, message, sizeof(message)));
		EXPECT_EQ(error, -EINVAL);
		snprintf(at, sizeof(at), "column %d: ", bad[i].column);
		EXPECT_CONTAINS(message, at);
		EXPECT_CONTAINS(message, bad[i].says);
		EXPECT_NULL(strchr(message, '\n'));
	}
}

TEST(a_cpu_that_is_to_be_used_must_be_there)
{
	char message[320] = "";
	int error = 0;

	EXPECT_NULL(parse("node0=0,2", "0-2", &error, message, sizeof(message)));
	EXPECT_EQ(error, -EINVAL);
	EXPECT_STREQ(message, "CPU 1 is to be used, but no node that is described has it");
	EXPECT_NULL(parse("1x1", "4000", NULL, message, sizeof(message)));
	EXPECT_CONTAINS(message, "CPU 4000");
}

TEST(a_message_is_cut_to_its_room)
{
	char message[8] = "";

	EXPECT_NULL(parse("oops", "", NULL, message, sizeof(message)));
	EXPECT_STREQ(message, "column ");
}

/* Refused or read, but never out of bounds; run it with the address sanitizer, which sees leaks too. */
static void feed(const char *text)
{
	char message[64] = "", *copy = strdup(text); /* of its own size, so that a look behind it is seen */
	int error = 1;
	struct topology *t = parse(copy, "", &error, message, sizeof(message));

	if (t) {
		EXPECT_EQ(error, 0);
		free(describe(t));
	} else {
		EXPECT_EQ(error, -EINVAL);
		EXPECT_CONTAINS(message, "column ");
	}
	topology_free(t);
	free(copy);
}

TEST_TIMEOUT(no_text_is_too_bad, 120)
{
	static const char put[] = "09x-,/:;= kTn\xff";

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char text[256];
		size_t n = strlen(texts[i].says);

		ASSERT_LT(n, sizeof(text));
		for (size_t at = 0; at < n; at++) {
			memcpy(text, texts[i].says, n + 1);
			for (const char *c = put; *c; c++) {
				text[at] = *c;
				feed(text);
			}
			memmove(text + at, texts[i].says + at + 1, n - at);
			feed(text); /* left out */
			text[at] = 0;
			feed(text); /* cut off */
		}
	}
}

FIXTURE(machine)
{
	struct machine m;
};
FIXTURE_VARIANT(machine)
{
	void (*make)(const struct machine *m);
	const char *says;
};

static void no_numa(const struct machine *m)
{
	machine_write(m, "/sys/devices/system/cpu/possible", "0-3");
	machine_write(m, "/sys/devices/system/cpu/online", "0,2");
}

static void less_told(const struct machine *m)
{
	machine_two_sockets(m);
	for (int cpu = 3; cpu < 16; cpu += 8) {
		char path[128];

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
		machine_unlink(m, path);
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
		machine_unlink(m, path);
	}
}

FIXTURE_VARIANT_ADD(machine, two_sockets){
	machine_two_sockets,
	"node0=0-3,8-11:1G node1=4-7,12-15:2G distance=10,21/21,10 package0=0-3,8-11 package1=4-7,12-15 "
	"core=0,8/1,9/2,10/3,11/4,12/5,13/6,14/7,15 cache=0-1,8-9/2-3,10-11/4-5,12-13/6-7,14-15 possible=128"};
FIXTURE_VARIANT_ADD(machine, sparse){
	machine_sparse, "node1=2-3:512M node5=8-9:256M node6=64-65:0 node9=none:4G "
			"distance=10,20,30,17/24,10,14,40/16,28,10,50/17,40,50,10 package0=2-3 package1=8-9 "
			"package2=64-65 core=2/3/8/9/64/65 possible=72"};
FIXTURE_VARIANT_ADD(machine, no_numa){no_numa, "node0=0,2:0 distance=10 possible=4"};
FIXTURE_VARIANT_ADD(machine, less_told){
	less_told, "node0=0-3,8-11:1G node1=4-7,12-15:2G distance=10,21/21,10 package0=0-2,8-10 package1=4-7,12-15 "
		   "core=0,8/1,9/2,10/4,12/5,13/6,14/7,15 cache=0-1,8-9/2-3,10-11/4-5,12-13/6-7,14-15 possible=128"};
FIXTURE_SETUP(machine)
{
	machine_make(&self->m);
	variant->make(&self->m);
}
FIXTURE_TEARDOWN(machine)
{
	machine_remove(&self->m);
}

TEST_F(machine, is_the_same_when_written_and_read)
{
	struct bitmask *none = machine_set("");
	char message[320] = "", *text;
	struct topology *t = topology_discover_in(self->m.root, none, NULL, message, sizeof(message));

	EXPECT_STREQ(message, "");
	ASSERT_NE(t, NULL);
	EXPECT_FALSE(t->emulated);
	text = round_trip(t);
	EXPECT_STREQ(text, variant->says);
	free(text);
	topology_free(t);
	numa_bitmask_free(none);
}

TEST(this_machine_is_the_same_when_written_and_read)
{
	struct bitmask *allowed;
	struct topology *t;

	ASSERT_EQ(cpuset_allowed(&allowed), 0);
	t = topology_discover(allowed, NULL);
	ASSERT_NE(t, NULL);
	free(round_trip(t));
	topology_free(t);
	numa_bitmask_free(allowed);
}

TEST(emulated_is_said_first_and_memory_is_not_placed_where_no_node_is)
{
	struct bitmask *none = machine_set("");
	struct topology *t = topology_described("a test", "node0=0 node1023=1", none, NULL);
	char text[1024] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	ASSERT_NE(t, NULL);
	EXPECT_FALSE(t->placement);
	EXPECT_CONTAINS(t->note, numa_available() < 0 ? "libnuma" : "the kernel has no node 1023");
	topology_print(t, out);
	fclose(out);
	EXPECT_EQ(strncmp(text, "topology: emulated, 2 nodes, placement of memory does not work; ", 64), 0);
	topology_free(t);
	/* node 0 is the kernel's, too */
	t = topology_described("a test", "node0=0-5000", none, NULL);
	ASSERT_NE(t, NULL);
	EXPECT_EQ(t->placement, numa_available() >= 0 && numa_bitmask_isbitset(numa_nodes_ptr, 0));
	topology_free(t);
	numa_bitmask_free(none);
}

static void describe_badly(void *arg)
{
	struct bitmask *none = machine_set("");
	int error = 0;

	EXPECT_NULL(topology_described("PERCH_TOPOLOGY", arg, none, &error));
	numa_bitmask_free(none);
	exit(-error);
}

TEST(a_bad_setting_is_a_line_on_stderr)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, describe_badly, (char *)"distance=11 1x1"), 0);
	EXPECT_EQ(c.status, EINVAL << 8);
	EXPECT_CONTAINS(c.text, "PERCH_TOPOLOGY: column 10: distance of a node to itself is 10, not 11\n");
	harness_release(&c);
}
