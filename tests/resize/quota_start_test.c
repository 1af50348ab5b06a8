/* SPDX-License-Identifier: MIT */
/* quota_start_test.c - the CPU quota of the control groups limits the processors that a start makes. */
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include <perch/perch.h>

#include "numa/watch.h"
#include "tests/harness/harness.h"
#include "tests/numa/machine.h"

FIXTURE(quota)
{
	struct machine m;
	unsigned cpus;
};
FIXTURE_SETUP(quota)
{
	cpu_set_t mask;

	ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
	self->cpus = (unsigned)CPU_COUNT(&mask);
	if (self->cpus < 2)
		SKIP("needs two CPUs");
	machine_make(&self->m);
	machine_write(&self->m, "/proc/self/cgroup", "0::/a/b");
	machine_write(&self->m, "/proc/self/mountinfo", "30 23 0:26 / /cg rw - cgroup2 none rw");
	watch_root = self->m.root;
}
FIXTURE_TEARDOWN(quota)
{
	EXPECT_EQ(perch_stop(), 0);
	machine_remove(&self->m);
}

TEST_F(quota, limits_the_default)
{
	/* of the own group and the one above, the smaller; one and a half are two */
	machine_write(&self->m, "/cg/a/b/cpu.max", "max 100000");
	machine_write(&self->m, "/cg/a/cpu.max", "100000 100000");
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_procs(), 1);
	EXPECT_EQ(perch_workers(), 1);
	ASSERT_EQ(perch_stop(), 0);
	machine_write(&self->m, "/cg/a/cpu.max", "150000 100000");
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_procs(), 2);
}

TEST_F(quota, does_not_limit_what_was_asked_for)
{
	const struct perch_config config = {.procs = 2};

	machine_write(&self->m, "/cg/a/cpu.max", "100000 100000");
	ASSERT_EQ(perch_start(&config), 0);
	EXPECT_EQ(perch_procs(), 2);
}

static void start_and_stop(void *arg)
{
	(void)arg;
	ASSERT_EQ(perch_start(NULL), 0);
	if (perch_procs() < 2)
		_exit(5);
	ASSERT_EQ(perch_stop(), 0);
}

TEST_F(quota, that_is_not_known_is_told)
{
	struct harness_captured c;

	machine_write(&self->m, "/cg/a/cpu.max", "much");
	ASSERT_EQ(harness_capture(&c, start_and_stop, NULL), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, "perch: the CPU quota is not known");
	EXPECT_CONTAINS(c.text, "/cg/a/cpu.max");
	harness_release(&c);
	ASSERT_EQ(perch_start(NULL), 0);
}
