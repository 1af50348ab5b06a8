/* SPDX-License-Identifier: MIT */
/*
 * follow_test.c - CPUs are taken from the process and given back while it runs: by
 * taskset, in its cpuset, its quota, or altogether (the last three by files that
 * describe them). The processors follow within a second, and nothing is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/sched/handoff.h"
#include "core/sched/sched.h"
#include "numa/watch.h"
#include "tests/harness/gather.h"
#include "tests/numa/machine.h"
#include "tests/resize/load.h"

/* A second, and room for a machine that is busy with other things; how long it took is logged. */
#define SOON 10

static int first, last;
static unsigned cpus;

FIXTURE(follow)
{
	struct load l;
	struct machine m;
};
FIXTURE_SETUP(follow)
{
	cpus = cpus_of_process(&first, &last);
	if (cpus < 2)
		SKIP("needs two CPUs");
	machine_make(&self->m);
}
FIXTURE_TEARDOWN(follow)
{
	if (perch_procs())
		EXPECT_EQ(perch_stop(), 0);
	machine_remove(&self->m);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* ---- taskset ---- */

static void *where(void *arg)
{
	*(int *)arg = sched_getcpu();
	return NULL;
}

static void expect_on(int cpu)
{
	for (int i = 0; i < 20; i++) {
		perch_t t;
		int at = -1;

		ASSERT_EQ(perch_create(&t, NULL, where, &at), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
		EXPECT_EQ(at, cpu);
	}
}

static void expect_follows(struct load *l, bool all)
{
	ASSERT_EQ(perch_start(NULL), 0);
	load_begin(l);
	for (int i = 0; i < 2; i++) {
		put_on(last, all);
		EXPECT_TRUE(procs_become(1, SOON));
		pause_ms(300); /* who had lost its processor has noticed */
		expect_on(last);
		put_on(first, all);
		pause_ms(1000);
		EXPECT_EQ(perch_procs(), 1);
		expect_on(first);
		put_everywhere(all);
		EXPECT_TRUE(procs_become(cpus, SOON));
	}
	load_end(l);
}

TEST_F_TIMEOUT(follow, taskset_of_the_process, 60)
{
	expect_follows(&self->l, false);
}

TEST_F_TIMEOUT(follow, taskset_of_every_pthread, 60)
{
	expect_follows(&self->l, true);
}

/* Each of the workers that have the duty is where its processor is. */
static bool all_at_home(void)
{
	for (unsigned i = 0; i < sched_set()->count; i++) {
		struct processor *p = sched_set()->processor[i];
		struct worker *w = seat_holder(p, 0);
		cpu_set_t mask;

		if (processor_retired(p) || !w || !w->tid)
			continue;
		ASSERT_EQ(sched_getaffinity(w->tid, sizeof(mask), &mask), 0);
		if (CPU_COUNT(&mask) != 1 || !CPU_ISSET((size_t)p->cpu, &mask))
			return false;
	}
	return true;
}

TEST_F_TIMEOUT(follow, workers_are_put_back, 60)
{
	/* a hand-off would put another worker there */
	const struct perch_config config = {.handoff = PERCH_HANDOFF_OFF};
	uint64_t until;

	ASSERT_EQ(perch_start(&config), 0);
	load_begin(&self->l);
	pause_ms(50);
	EXPECT_TRUE(all_at_home());
	put_everywhere(true);
	EXPECT_FALSE(all_at_home());
	until = harness_now() + SOON * UINT64_C(1000000000);
	while (!all_at_home() && harness_now() < until)
		pause_ms(5);
	EXPECT_TRUE(all_at_home());
	EXPECT_EQ(perch_procs(), cpus);
	load_end(&self->l);
}

static void hustle(struct load *l, bool all)
{
	uint64_t until;

	ASSERT_EQ(perch_start(NULL), 0);
	load_begin(l);
	until = harness_now() + 3000000000u;
	for (unsigned i = 0; harness_now() < until; i++) {
		if (i % 3 == 2)
			put_everywhere(all);
		else
			put_on(i % 3 ? last : first, all);
		pause_ms(10);
	}
	put_everywhere(all);
	EXPECT_TRUE(procs_become(cpus, SOON));
	load_end(l);
}

TEST_F_TIMEOUT(follow, taskset_every_10_ms, 60)
{
	hustle(&self->l, false);
}

TEST_F_TIMEOUT(follow, taskset_of_every_pthread_every_10_ms, 60)
{
	hustle(&self->l, true);
}

/* Fewer than all were asked for: one that goes is replaced by another. */
TEST_F_TIMEOUT(follow, another_cpu_in_its_place, 60)
{
	const struct perch_config config = {.procs = 1};

	ASSERT_EQ(perch_start(&config), 0);
	load_begin(&self->l);
	expect_on(first);
	for (int i = 0; i < 3; i++) {
		put_on(last, false);
		pause_ms(1500);
		EXPECT_EQ(perch_procs(), 1);
		expect_on(last);
		put_on(first, false);
		pause_ms(1500);
		EXPECT_EQ(perch_procs(), 1);
		expect_on(first);
	}
	put_everywhere(false);
	load_end(&self->l);
}

/* What was asked for by hand is not overridden, nor when CPUs come back. */
TEST_F_TIMEOUT(follow, a_number_that_was_set_stays_set, 60)
{
	ASSERT_EQ(perch_start(NULL), 0);
	load_begin(&self->l);
	ASSERT_EQ(perch_set_procs(1), 0);
	pause_ms(700);
	EXPECT_EQ(perch_procs(), 1);
	put_on(last, false);
	pause_ms(1000);
	EXPECT_EQ(perch_set_procs(2), -EINVAL); /* more than there are now */
	put_everywhere(false);
	pause_ms(1000);
	EXPECT_EQ(perch_procs(), 1);
	ASSERT_EQ(perch_set_procs(cpus), 0);
	put_on(last, false);
	EXPECT_TRUE(procs_become(1, SOON));
	put_everywhere(false);
	EXPECT_TRUE(procs_become(cpus, SOON));
	load_end(&self->l);
}

TEST_F_TIMEOUT(follow, off, 60)
{
	const struct perch_config config = {.follow = PERCH_FOLLOW_OFF};

	ASSERT_EQ(perch_start(&config), 0);
	load_begin(&self->l);
	put_on(last, false);
	pause_ms(1000);
	EXPECT_EQ(perch_procs(), cpus);
	put_everywhere(false);
	load_end(&self->l);
}

/* ---- a worker is put where no processor is, and nobody comes to move it back ---- */

static void expect_right_elsewhere(const struct perch_config *config, struct load *l)
{
	ASSERT_EQ(perch_start(config), 0);
	ASSERT_EQ(perch_procs(), 1);
	load_begin(l);
	for (int i = 0; i < 100; i++) {
		put_on(i % 2 ? first : last, true);
		pause_ms(i % 10 ? 3 : 50);
	}
	put_on(last, true); /* and it stays there */
	load_end(l);
}

TEST_F_TIMEOUT(follow, a_worker_on_a_cpu_without_a_processor, 60)
{
	const struct perch_config config = {.procs = 1, .follow = PERCH_FOLLOW_OFF};

	expect_right_elsewhere(&config, &self->l);
}

TEST_F_TIMEOUT(follow, two_workers_on_a_cpu_without_a_processor, 60)
{
	const struct perch_config config = {.procs = 1, .workers = 2, .follow = PERCH_FOLLOW_OFF};

	expect_right_elsewhere(&config, &self->l);
}

/* ---- described by files ---- */

static void described(struct machine *m)
{
	machine_write(m, "/sys/devices/system/cpu/online", "0-%d", last);
	machine_write(m, "/proc/self/cgroup", "4:cpu:/a/b\n0::/a");
	machine_write(m, "/proc/self/mountinfo",
		      "30 23 0:26 / /cg rw - cgroup2 none rw\n31 23 0:27 / /v1 rw - cgroup none rw,cpu");
	machine_write(m, "/cg/a/cpu.max", "max 100000");
	machine_write(m, "/cg/a/cpuset.cpus.effective", "0-%d", last);
	machine_write(m, "/v1/a/b/cpu.cfs_quota_us", "-1");
	machine_write(m, "/v1/a/b/cpu.cfs_period_us", "100000");
	watch_root = m->root;
}

TEST_F_TIMEOUT(follow, the_quota, 60)
{
	described(&self->m);
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_procs(), cpus);
	load_begin(&self->l);
	machine_write(&self->m, "/cg/a/cpu.max", "100000 100000");
	EXPECT_TRUE(procs_become(1, SOON));
	machine_write(&self->m, "/cg/a/cpu.max", "110000 100000");
	EXPECT_TRUE(procs_become(2, SOON));
	machine_write(&self->m, "/v1/a/b/cpu.cfs_quota_us", "40000");
	EXPECT_TRUE(procs_become(1, SOON));
	machine_write(&self->m, "/v1/a/b/cpu.cfs_quota_us", "-1");
	EXPECT_TRUE(procs_become(2, SOON));
	load_end(&self->l);
}

/* ---- a control group of this machine, where one can be made ---- */

static bool put_text(const char *directory, const char *file, const char *text)
{
	char path[256];
	int fd;
	bool done;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return done;
}

/* Where the cpu controller is mounted, version 1; NULL: nowhere, or not ours to change. */
static const char *make_group(char *group, size_t size)
{
	static const char *const at[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"};

	for (unsigned i = 0; i < 2; i++) {
		snprintf(group, size, "%s/perch-test.%llx", at[i], (unsigned long long)harness_random());
		if (!mkdir(group, 0755))
			return at[i];
	}
	return NULL;
}

TEST_F_TIMEOUT(follow, a_group_of_this_machine, 60)
{
	char group[128], self_pid[16];
	const char *top = make_group(group, sizeof(group));

	if (!top)
		SKIP("no control group with the cpu controller of version 1 can be made here");
	snprintf(self_pid, sizeof(self_pid), "%d", (int)getpid());
	if (!put_text(group, "cpu.cfs_quota_us", "-1") || !put_text(group, "cgroup.procs", self_pid)) {
		rmdir(group);
		SKIP("%s: %s", group, strerror(errno));
	}
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_procs(), cpus);
	load_begin(&self->l);
	EXPECT_TRUE(put_text(group, "cpu.cfs_quota_us", "95000")); /* of 100,000 */
	EXPECT_TRUE(procs_become(1, SOON));
	EXPECT_TRUE(put_text(group, "cpu.cfs_quota_us", "-1"));
	EXPECT_TRUE(procs_become(cpus, SOON));
	EXPECT_TRUE(put_text(group, "cpu.cfs_quota_us", "95000"));
	EXPECT_TRUE(procs_become(1, SOON));
	/* out of the group */
	EXPECT_TRUE(put_text(top, "cgroup.procs", self_pid));
	EXPECT_TRUE(procs_become(cpus, SOON));
	load_end(&self->l);
	EXPECT_EQ(rmdir(group), 0);
}

TEST_F_TIMEOUT(follow, the_cpuset, 60)
{
	described(&self->m);
	ASSERT_EQ(perch_start(NULL), 0);
	load_begin(&self->l);
	machine_write(&self->m, "/cg/a/cpuset.cpus.effective", "%d", last);
	EXPECT_TRUE(procs_become(1, SOON));
	pause_ms(300);
	expect_on(last);
	machine_write(&self->m, "/cg/a/cpuset.cpus.effective", "0-%d", last);
	EXPECT_TRUE(procs_become(cpus, SOON));
	load_end(&self->l);
}

TEST_F_TIMEOUT(follow, a_cpu_that_goes_off, 60)
{
	described(&self->m);
	ASSERT_EQ(perch_start(NULL), 0);
	load_begin(&self->l);
	for (int i = 0; i < 3; i++) {
		machine_write(&self->m, "/sys/devices/system/cpu/online", "%d", i % 2 ? first : last);
		EXPECT_TRUE(procs_become(1, SOON));
		machine_write(&self->m, "/sys/devices/system/cpu/online", "0-%d", last);
		EXPECT_TRUE(procs_become(cpus, SOON));
	}
	load_end(&self->l);
}

/* What cannot be read takes nothing away, and is said once. */
TEST_F_TIMEOUT(follow, files_that_are_broken_for_a_while, 60)
{
	described(&self->m);
	ASSERT_EQ(perch_start(NULL), 0);
	load_begin(&self->l);
	machine_write(&self->m, "/cg/a/cpu.max", "much");
	pause_ms(1000);
	EXPECT_EQ(perch_procs(), cpus);
	machine_write(&self->m, "/cg/a/cpu.max", "100000 100000");
	EXPECT_TRUE(procs_become(1, SOON));
	load_end(&self->l);
}

/* ---- an idle process is not woken for it; when it has work again, it looks ---- */

TEST_F_TIMEOUT(follow, after_having_been_idle, 60)
{
	described(&self->m);
	ASSERT_EQ(perch_start(NULL), 0);
	pause_ms(1000);
	machine_write(&self->m, "/cg/a/cpu.max", "100000 100000");
	pause_ms(1500);
	EXPECT_EQ(perch_procs(), cpus);
	load_begin(&self->l);
	EXPECT_TRUE(procs_become(1, SOON));
	load_end(&self->l);
}
