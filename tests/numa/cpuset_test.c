/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>

#include "numa/cpuset.h"
#include "tests/harness/harness.h"
#include "tests/numa/machine.h"

TEST(allowed_is_the_affinity_mask)
{
	struct bitmask *set;
	cpu_set_t *mask = CPU_ALLOC(8192);
	int n = 0;

	ASSERT_EQ(sched_getaffinity(0, CPU_ALLOC_SIZE(8192), mask), 0);
	ASSERT_EQ(cpuset_allowed(&set), 0);
	for (int cpu = 0; cpu < 8192; cpu++) {
		EXPECT_EQ(!!CPU_ISSET_S((size_t)cpu, CPU_ALLOC_SIZE(8192), mask),
			  numa_bitmask_isbitset(set, (unsigned)cpu));
		n += !!CPU_ISSET_S((size_t)cpu, CPU_ALLOC_SIZE(8192), mask);
	}
	EXPECT_EQ(cpuset_count(set), n);
	EXPECT_GT(n, 0);
	numa_bitmask_free(set);
	CPU_FREE(mask);
}

TEST(allowed_follows_the_affinity_mask)
{
	struct bitmask *set;
	int cpu, last = -1;

	ASSERT_EQ(cpuset_allowed(&set), 0);
	cpuset_for_each(c, set) last = c;
	numa_bitmask_free(set);
	for (cpu = 0; cpu <= last; cpu += last ? last : 1) { /* the first and the last */
		cpu_set_t mask;

		CPU_ZERO(&mask);
		CPU_SET((size_t)cpu, &mask);
		if (sched_setaffinity(0, sizeof(mask), &mask)) {
			EXPECT_EQ(cpu, 0); /* CPU 0 may not be ours */
			continue;
		}
		ASSERT_EQ(cpuset_allowed(&set), 0);
		EXPECT_EQ(cpuset_count(set), 1);
		EXPECT_EQ(cpuset_next(set, 0), cpu);
		numa_bitmask_free(set);
	}
}

TEST(possible_holds_every_allowed_cpu)
{
	struct bitmask *set;
	char error[320] = "";
	int possible = cpuset_possible();

	ASSERT_EQ(cpuset_allowed(&set), 0);
	cpuset_for_each(cpu, set) EXPECT_LT(cpu, possible);
	numa_bitmask_free(set);
	EXPECT_EQ(cpuset_possible_in("", error, sizeof(error)), possible);
	EXPECT_STREQ(error, "");
}

TEST(iteration)
{
	struct bitmask *set = machine_set("0,63-64,127,1000");
	static const int expected[] = {0, 63, 64, 127, 1000};
	int n = 0;

	cpuset_for_each(cpu, set)
	{
		ASSERT_LT(n, 5);
		EXPECT_EQ(cpu, expected[n]);
		n++;
	}
	EXPECT_EQ(n, 5);
	EXPECT_EQ(cpuset_next(set, 128), 1000);
	EXPECT_EQ(cpuset_next(set, 1001), -1);
	EXPECT_EQ(cpuset_next(set, 1 << 20), -1);
	numa_bitmask_free(set);
}

FIXTURE(groups)
{
	struct machine m;
	struct bitmask *set;
	char error[320];
};
FIXTURE_SETUP(groups)
{
	machine_make(&self->m);
	self->set = machine_set("0-7");
}
FIXTURE_TEARDOWN(groups)
{
	numa_bitmask_free(self->set);
	machine_remove(&self->m);
}

static void expect_set(const struct bitmask *set, const char *list)
{
	struct bitmask *expected = machine_set(list);

	for (unsigned cpu = 0; cpu < 64; cpu++)
		EXPECT_EQ(numa_bitmask_isbitset(set, cpu), numa_bitmask_isbitset(expected, cpu));
	numa_bitmask_free(expected);
}

TEST_F(groups, none)
{
	EXPECT_EQ(cpuset_cut(self->m.root, self->set, self->error, sizeof(self->error)), 0);
	expect_set(self->set, "0-7");
}

TEST_F(groups, version_2_nearest_that_has_one)
{
	machine_write(&self->m, "/proc/self/cgroup", "0::/a/b");
	machine_write(&self->m, "/proc/self/mountinfo", "30 23 0:26 / /cg rw shared:4 - cgroup2 cgroup2 rw");
	machine_write(&self->m, "/cg/a/cpuset.cpus.effective", "2-5,70");
	machine_write(&self->m, "/cg/cpuset.cpus.effective", "0-7");
	machine_write(&self->m, "/cg/a/b/cgroup.procs", "1");
	EXPECT_EQ(cpuset_cut(self->m.root, self->set, self->error, sizeof(self->error)), 0);
	expect_set(self->set, "2-5");
}

TEST_F(groups, hybrid_cuts_by_both)
{
	machine_write(&self->m, "/proc/self/cgroup", "3:cpuset,x:/a\n2:cpusets:/wrong\n0::/b");
	machine_write(&self->m, "/proc/self/mountinfo",
		      "30 23 0:26 / /v1 rw - cgroup none rw,xattr,cpuset\n31 23 0:27 / /v2 rw - cgroup2 none rw");
	machine_write(&self->m, "/v1/a/cpuset.effective_cpus", "0-3");
	machine_write(&self->m, "/v2/b/cpuset.cpus.effective", "2-7");
	EXPECT_EQ(cpuset_cut(self->m.root, self->set, self->error, sizeof(self->error)), 0);
	expect_set(self->set, "2-3");
}

TEST_F(groups, version_1_in_a_container)
{
	/* the group is told from the host's root, and is what is mounted */
	machine_write(&self->m, "/proc/self/cgroup", "3:cpuset:/docker/abc");
	machine_write(&self->m, "/proc/self/mountinfo", "30 23 0:26 /docker/abc /v\\0401 rw - cgroup none rw,cpuset");
	machine_write(&self->m, "/v 1/cpuset.cpus", "4");
	EXPECT_EQ(cpuset_cut(self->m.root, self->set, self->error, sizeof(self->error)), 0);
	expect_set(self->set, "4");
}

TEST_F(groups, nothing_in_common_is_not_ours)
{
	machine_write(&self->m, "/proc/self/cgroup", "0::/");
	machine_write(&self->m, "/proc/self/mountinfo", "30 23 0:26 / /cg rw - cgroup2 none rw");
	machine_write(&self->m, "/cg/cpuset.cpus.effective", "8-9");
	EXPECT_EQ(cpuset_cut(self->m.root, self->set, self->error, sizeof(self->error)), 0);
	expect_set(self->set, "0-7");
}

TEST_F(groups, a_broken_file_is_named)
{
	machine_write(&self->m, "/proc/self/cgroup", "0::/");
	machine_write(&self->m, "/proc/self/mountinfo", "30 23 0:26 / /cg rw - cgroup2 none rw");
	machine_write(&self->m, "/cg/cpuset.cpus.effective", "all");
	EXPECT_EQ(cpuset_cut(self->m.root, self->set, self->error, sizeof(self->error)), -EINVAL);
	EXPECT_CONTAINS(self->error, "/cg/cpuset.cpus.effective");
	EXPECT_CONTAINS(self->error, "'all'");
	expect_set(self->set, "0-7");
	machine_write(&self->m, "/proc/self/cgroup", "nonsense");
	EXPECT_EQ(cpuset_cut(self->m.root, self->set, self->error, sizeof(self->error)), -EINVAL);
	EXPECT_CONTAINS(self->error, "/proc/self/cgroup");
}

TEST_F(groups, possible)
{
	EXPECT_EQ(cpuset_possible_in(self->m.root, self->error, sizeof(self->error)), -ENOENT);
	EXPECT_CONTAINS(self->error, "/sys/devices/system/cpu/possible: No such file");
	machine_write(&self->m, "/sys/devices/system/cpu/possible", "0-3,64-1999");
	EXPECT_EQ(cpuset_possible_in(self->m.root, self->error, sizeof(self->error)), 2000);
	machine_write(&self->m, "/sys/devices/system/cpu/possible", "%s", "");
	EXPECT_EQ(cpuset_possible_in(self->m.root, self->error, sizeof(self->error)), -EINVAL);
}
