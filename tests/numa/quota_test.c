/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "numa/quota.h"
#include "tests/harness/harness.h"
#include "tests/numa/machine.h"

FIXTURE(quota)
{
	struct machine m;
	struct quota q;
	char error[320];
};
FIXTURE_SETUP(quota)
{
	machine_make(&self->m);
}
FIXTURE_TEARDOWN(quota)
{
	machine_remove(&self->m);
}

#define READ() quota_read(self->m.root, &self->q, self->error, sizeof(self->error))

TEST_F(quota, no_control_groups)
{
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 0);
	EXPECT_STREQ(self->q.group, "");
}

static void version_2(const struct machine *m)
{
	machine_write(m, "/proc/self/cgroup", "0::/pod/box/job");
	machine_write(m, "/proc/self/mountinfo",
		      "20 1 8:1 / / rw - ext4 /dev/sda rw\n30 23 0:26 / /cg rw - cgroup2 none rw");
	machine_write(m, "/cg/pod/box/job/cpu.max", "max 100000");
	machine_write(m, "/cg/pod/box/cpu.max", "max 100000");
	machine_write(m, "/cg/pod/cpu.max", "max 100000");
}

TEST_F(quota, version_2_no_limit)
{
	version_2(&self->m);
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 0);
}

TEST_F(quota, version_2_a_group_above_binds)
{
	version_2(&self->m);
	machine_write(&self->m, "/cg/pod/box/job/cpu.max", "800000 100000");
	machine_write(&self->m, "/cg/pod/cpu.max", "30000 20000");
	machine_write(&self->m, "/cg/cpu.max", "400000 100000");
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(self->q.quota_us, 30000);
	EXPECT_EQ(self->q.period_us, 20000);
	EXPECT_STREQ(self->q.group, "/cg/pod");
	EXPECT_EQ(quota_cpus(&self->q), 2);
}

TEST_F(quota, version_2_the_own_group_binds)
{
	version_2(&self->m);
	machine_write(&self->m, "/cg/pod/box/job/cpu.max", "10000 100000");
	machine_write(&self->m, "/cg/pod/cpu.max", "30000 20000");
	EXPECT_EQ(READ(), 0);
	EXPECT_STREQ(self->q.group, "/cg/pod/box/job");
	EXPECT_EQ(quota_cpus(&self->q), 1);
}

TEST_F(quota, version_2_a_namespace_shows_its_own_root)
{
	version_2(&self->m);
	machine_write(&self->m, "/proc/self/cgroup", "0::/");
	machine_write(&self->m, "/cg/cpu.max", "300000 100000");
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 3);
	EXPECT_STREQ(self->q.group, "/cg");
	/* a process that was moved in from outside of the namespace */
	machine_write(&self->m, "/proc/self/cgroup", "0::/../other");
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 3);
}

TEST_F(quota, a_group_whose_name_begins_with_dots)
{
	version_2(&self->m);
	machine_write(&self->m, "/proc/self/cgroup", "0::/..x/a..");
	machine_write(&self->m, "/cg/..x/cpu.max", "200000 100000");
	machine_write(&self->m, "/cg/..x/a../cpu.max", "max 100000");
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 2);
	EXPECT_STREQ(self->q.group, "/cg/..x");
}

TEST_F(quota, version_1_chain)
{
	machine_write(&self->m, "/proc/self/cgroup", "4:cpu,cpuacct:/a/b\n3:cpuset:/\n0::/");
	machine_write(
		&self->m, "/proc/self/mountinfo",
		"30 23 0:26 / /v1cpuset rw - cgroup none rw,cpuset\n31 23 0:27 / /v1 rw - cgroup none rw,cpu,cpuacct");
	machine_write(&self->m, "/v1/cpu.cfs_quota_us", "-1");
	machine_write(&self->m, "/v1/a/cpu.cfs_quota_us", "250000");
	machine_write(&self->m, "/v1/a/cpu.cfs_period_us", "100000");
	machine_write(&self->m, "/v1/a/b/cpu.cfs_quota_us", "-1");
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 3);
	EXPECT_STREQ(self->q.group, "/v1/a");
	machine_write(&self->m, "/v1/a/b/cpu.cfs_quota_us", "200000");
	machine_write(&self->m, "/v1/a/b/cpu.cfs_period_us", "100000");
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 2);
}

TEST_F(quota, version_1_in_a_container)
{
	machine_write(&self->m, "/proc/self/cgroup", "4:cpu:/docker/abc/inner");
	machine_write(&self->m, "/proc/self/mountinfo", "31 23 0:27 /docker/abc /v1 rw - cgroup none rw,cpu");
	machine_write(&self->m, "/v1/inner/cpu.cfs_quota_us", "-1");
	machine_write(&self->m, "/v1/cpu.cfs_quota_us", "50000");
	machine_write(&self->m, "/v1/cpu.cfs_period_us", "100000");
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 1);
	EXPECT_STREQ(self->q.group, "/v1");
}

TEST_F(quota, hybrid_the_smaller_of_both)
{
	machine_write(&self->m, "/proc/self/cgroup", "4:cpu:/a\n0::/b");
	machine_write(&self->m, "/proc/self/mountinfo",
		      "31 23 0:27 / /v1 rw - cgroup none rw,cpu\n32 23 0:28 / /v2 rw - cgroup2 none rw");
	machine_write(&self->m, "/v1/a/cpu.cfs_quota_us", "700000");
	machine_write(&self->m, "/v1/a/cpu.cfs_period_us", "100000");
	machine_write(&self->m, "/v2/b/cpu.max", "500000 100000");
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 5);
	machine_write(&self->m, "/v2/b/cpu.max", "900000 100000");
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 7);
}

TEST_F(quota, broken_files_are_named)
{
	static const char *const bad[] = {"maximum 100000", "100000", "0 100000", "100000 0", "1 2 3", ""};

	version_2(&self->m);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		machine_write(&self->m, "/cg/pod/cpu.max", "%s", bad[i]);
		harness_log("'%s'", bad[i]);
		EXPECT_EQ(READ(), -EINVAL);
		EXPECT_CONTAINS(self->error, "/cg/pod/cpu.max");
	}
	machine_unlink(&self->m, "/proc/self/mountinfo");
	EXPECT_EQ(READ(), -ENOENT);
	EXPECT_CONTAINS(self->error, "/proc/self/mountinfo");
}

TEST(this_machine)
{
	struct quota q;
	char error[320] = "";

	EXPECT_EQ(quota_read("", &q, error, sizeof(error)), 0);
	EXPECT_STREQ(error, "");
	EXPECT_GE(quota_cpus(&q), 0);
}

TEST_F(quota, version_1_broken_files_are_named)
{
	static const char *const bad[] = {"lots", "", "0", "100000 1"};

	machine_write(&self->m, "/proc/self/cgroup", "4:cpu:/a");
	machine_write(&self->m, "/proc/self/mountinfo", "31 23 0:27 / /v1 rw - cgroup none rw,cpu");
	machine_write(&self->m, "/v1/a/cpu.cfs_quota_us", "100000");
	EXPECT_EQ(READ(), -ENOENT); /* a limit without its period */
	EXPECT_CONTAINS(self->error, "/v1/a/cpu.cfs_period_us");
	machine_write(&self->m, "/v1/a/cpu.cfs_period_us", "0");
	EXPECT_EQ(READ(), -EINVAL);
	machine_write(&self->m, "/v1/a/cpu.cfs_period_us", "100000");
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 1);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		machine_write(&self->m, "/v1/a/cpu.cfs_quota_us", "%s", bad[i]);
		harness_log("'%s'", bad[i]);
		EXPECT_EQ(READ(), -EINVAL);
		EXPECT_CONTAINS(self->error, "/v1/a/cpu.cfs_quota_us");
	}
	/* where the process is, but nothing is mounted that tells of it */
	machine_unlink(&self->m, "/v1/a/cpu.cfs_quota_us");
	EXPECT_EQ(READ(), 0);
	EXPECT_EQ(quota_cpus(&self->q), 0);
}
