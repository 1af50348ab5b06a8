/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "numa/cpuset.h"
#include "numa/watch.h"
#include "tests/harness/harness.h"
#include "tests/numa/machine.h"

FIXTURE(watch)
{
	struct machine m;
	struct watch w;
	struct watch_view v;
	struct bitmask *mask; /* of this process */
	char error[320];
};
FIXTURE_SETUP(watch)
{
	machine_make(&self->m);
	ASSERT_EQ(cpuset_affinity(&self->mask, 0), 0);
	ASSERT_EQ(watch_begin(&self->w, self->m.root, self->error, sizeof(self->error)), 0);
}
FIXTURE_TEARDOWN(watch)
{
	watch_forget(&self->v);
	watch_end(&self->w);
	numa_bitmask_free(self->mask);
	machine_remove(&self->m);
}

#define LOOK() (watch_forget(&self->v), watch_look(&self->w, &self->v, self->error, sizeof(self->error)))

static int last_of(const struct bitmask *set)
{
	int last = -1;

	cpuset_for_each(cpu, set) last = cpu;
	return last;
}

static void set_mask(pid_t tid, int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	ASSERT_EQ(sched_setaffinity(tid, sizeof(one), &one), 0);
}

TEST_F(watch, nothing_but_a_mask)
{
	EXPECT_EQ(LOOK(), 0);
	EXPECT_TRUE(numa_bitmask_equal(self->v.cpus, self->mask));
	EXPECT_EQ(watch_procs(&self->v), cpuset_count(self->mask));
}

TEST_F(watch, the_main_pthread_is_moved)
{
	int last = last_of(self->mask), first = cpuset_next(self->mask, 0);

	set_mask(getpid(), last);
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(cpuset_count(self->v.cpus), 1);
	EXPECT_EQ(cpuset_next(self->v.cpus, 0), last);
	EXPECT_EQ(watch_procs(&self->v), 1);
	set_mask(getpid(), first);
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(cpuset_next(self->v.cpus, 0), first);
}

static void *begin_pinned(void *arg)
{
	struct watch *w = arg;
	struct bitmask *mask;
	char error[320];

	ASSERT_EQ(cpuset_affinity(&mask, 0), 0);
	set_mask(0, last_of(mask));
	ASSERT_EQ(watch_begin(w, w->root, error, sizeof(error)), 0);
	numa_bitmask_free(mask);
	return NULL;
}

/* Who starts perch from a pthread that it has pinned means that mask. */
TEST_F(watch, begun_by_a_pinned_pthread)
{
	int last = last_of(self->mask), first = cpuset_next(self->mask, 0);
	pthread_t p;

	if (first == last)
		SKIP("needs two CPUs");
	watch_end(&self->w);
	ASSERT_EQ(pthread_create(&p, NULL, begin_pinned, &self->w), 0);
	ASSERT_EQ(pthread_join(p, NULL), 0);
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(cpuset_next(self->v.cpus, 0), last);
	EXPECT_EQ(cpuset_count(self->v.cpus), 1);
	set_mask(getpid(), first);
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(cpuset_next(self->v.cpus, 0), last);
}

TEST_F(watch, cpus_go_off_and_on)
{
	int last = last_of(self->mask), first = cpuset_next(self->mask, 0);

	if (first == last)
		SKIP("needs two CPUs");
	machine_write(&self->m, "/sys/devices/system/cpu/online", "%d", last);
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(cpuset_count(self->v.cpus), 1);
	EXPECT_EQ(cpuset_next(self->v.cpus, 0), last);
	machine_write(&self->m, "/sys/devices/system/cpu/online", "0-%d", last);
	EXPECT_EQ(LOOK(), 0);
	EXPECT_TRUE(numa_bitmask_equal(self->v.cpus, self->mask));
}

TEST_F(watch, the_cpuset_shrinks_and_grows)
{
	int last = last_of(self->mask), first = cpuset_next(self->mask, 0);

	if (first == last)
		SKIP("needs two CPUs");
	machine_write(&self->m, "/proc/self/cgroup", "0::/a");
	machine_write(&self->m, "/proc/self/mountinfo", "30 23 0:26 / /cg rw - cgroup2 none rw");
	machine_write(&self->m, "/cg/a/cpuset.cpus.effective", "%d", first);
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(cpuset_count(self->v.cpus), 1);
	EXPECT_EQ(cpuset_next(self->v.cpus, 0), first);
	machine_write(&self->m, "/cg/a/cpuset.cpus.effective", "0-%d", last);
	EXPECT_EQ(LOOK(), 0);
	EXPECT_TRUE(numa_bitmask_equal(self->v.cpus, self->mask));
}

static void version_2(const struct machine *m, const char *group)
{
	machine_write(m, "/proc/self/cgroup", "0::%s", group);
	machine_write(m, "/proc/self/mountinfo", "30 23 0:26 / /cg rw - cgroup2 none rw");
	machine_write(m, "/cg/a/cpu.max", "max 100000");
	machine_write(m, "/cg/b/cpu.max", "50000 100000");
}

TEST_F(watch, the_quota_changes)
{
	unsigned n = (unsigned)cpuset_count(self->mask);

	version_2(&self->m, "/a");
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(watch_procs(&self->v), n);
	machine_write(&self->m, "/cg/a/cpu.max", "100000 100000");
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(watch_procs(&self->v), 1);
	EXPECT_TRUE(numa_bitmask_equal(self->v.cpus, self->mask)); /* it may use any of them */
	machine_write(&self->m, "/cg/a/cpu.max", "%u 1000", n * 1000 + 1);
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(watch_procs(&self->v), n);
	machine_write(&self->m, "/cg/a/cpu.max", "max 100000");
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(watch_procs(&self->v), n);
}

TEST_F(watch, the_process_is_moved_to_another_group)
{
	version_2(&self->m, "/a");
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(quota_cpus(&self->v.quota), 0);
	version_2(&self->m, "/b");
	EXPECT_EQ(LOOK(), 0);
	EXPECT_EQ(quota_cpus(&self->v.quota), 1);
	EXPECT_STREQ(self->v.quota.group, "/cg/b");
}

TEST_F(watch, failures_are_told)
{
	version_2(&self->m, "/a");
	machine_write(&self->m, "/cg/a/cpu.max", "lots");
	EXPECT_EQ(LOOK(), -EINVAL);
	EXPECT_CONTAINS(self->error, "/cg/a/cpu.max");
	EXPECT_NULL(self->v.cpus);
	machine_write(&self->m, "/cg/a/cpu.max", "max 100000");
	machine_write(&self->m, "/sys/devices/system/cpu/online", "some");
	EXPECT_EQ(LOOK(), -EINVAL);
	EXPECT_CONTAINS(self->error, "/cpu/online");
	machine_unlink(&self->m, "/sys/devices/system/cpu/online");
	EXPECT_EQ(LOOK(), 0);
}

/* A process may be out of descriptors at any moment. */
TEST_F(watch, without_descriptors)
{
	struct rlimit before, none;

	version_2(&self->m, "/a");
	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){3, before.rlim_max};
	while (dup(0) >= 0)
		if (setrlimit(RLIMIT_NOFILE, &none))
			break;
	EXPECT_EQ(LOOK(), -EMFILE);
	EXPECT_NULL(self->v.cpus);
	EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(this_machine)
{
	struct bitmask *allowed;
	struct watch w;
	struct watch_view v;
	char error[320] = "";
	uint64_t since;
	int before = open("/dev/null", O_RDONLY), after;

	ASSERT_EQ(cpuset_allowed(&allowed), 0);
	ASSERT_EQ(watch_begin(&w, "", error, sizeof(error)), 0);
	since = harness_now();
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(watch_look(&w, &v, error, sizeof(error)), 0);
		EXPECT_TRUE(numa_bitmask_equal(v.cpus, allowed));
		EXPECT_GE(watch_procs(&v), 1);
		EXPECT_LE(watch_procs(&v), cpuset_count(allowed));
		watch_forget(&v);
	}
	harness_log("%.1f us a look", (double)(harness_now() - since) * 1e-6);
	after = open("/dev/null", O_RDONLY);
	EXPECT_EQ(after, before + 1); /* none was left open */
	watch_end(&w);
	numa_bitmask_free(allowed);
}
