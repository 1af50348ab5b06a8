/* SPDX-License-Identifier: MIT */
/* children_test.c - pthreads and processes that threads make have what the process has. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/harness.h"

/* What a shell's child has, in two lines. */
#define COMMAND "grep Cpus_allowed: /proc/self/status && cat /proc/self/timerslack_ns"

struct inherited {
	cpu_set_t cpus;
	unsigned long slack, slice;
};

static struct inherited mine(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {0};
	struct inherited has;

	memset(&has, 0, sizeof(has));
	sched_getaffinity(0, sizeof(has.cpus), &has.cpus);
	has.slack = (unsigned long)prctl(PR_GET_TIMERSLACK);
	/* 0 before Linux 6.12 */
	if (!syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0))
		has.slice = attr.runtime;
	return has;
}

static void same(struct inherited has, struct inherited wanted)
{
	EXPECT_EQ(CPU_COUNT(&has.cpus), CPU_COUNT(&wanted.cpus));
	EXPECT_TRUE(CPU_EQUAL(&has.cpus, &wanted.cpus));
	EXPECT_EQ(has.slack, wanted.slack);
	EXPECT_EQ(has.slice, wanted.slice);
}

FIXTURE(child)
{
	struct inherited process;
	char told[256]; /* by COMMAND */
};

static void read_all(FILE *from, char text[256])
{
	size_t n = fread(text, 1, 255, from);

	text[n] = 0;
}

static void by_popen(char text[256])
{
	FILE *f = popen(COMMAND, "r"); /* NOLINT(cert-env33-c): it is what is tested */

	ASSERT_NE(f, NULL);
	read_all(f, text);
	EXPECT_EQ(pclose(f), 0);
}

FIXTURE_SETUP(child)
{
	prctl(PR_SET_TIMERSLACK, 70000); /* not the kernel's default */
	self->process = mine();
	by_popen(self->told);
	ASSERT_EQ(perch_start(NULL), 0);
}

FIXTURE_TEARDOWN(child)
{
	EXPECT_EQ(perch_stop(), 0);
}

/* The worker has its own before and behind it. */
static void *in_thread(void *fn)
{
	struct inherited before = mine();

	EXPECT_EQ(CPU_COUNT(&before.cpus), 1);
	EXPECT_EQ(before.slack, 1);
	((void (*)(void))fn)();
	same(mine(), before);
	return NULL;
}

static void run(void (*fn)(void))
{
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, in_thread, (void *)fn), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
}

static struct inherited seen; /* by the pthread */

static void *tell(void *unused)
{
	seen = mine();
	return unused;
}

static void make_pthread(void)
{
	pthread_t p;

	ASSERT_EQ(pthread_create(&p, NULL, tell, NULL), 0);
	ASSERT_EQ(pthread_join(p, NULL), 0);
}

TEST_F(child, a_pthread)
{
	run(make_pthread);
	same(seen, self->process);
}

static int tell_c11(void *unused)
{
	(void)unused;
	seen = mine();
	return 0;
}

static void make_thrd(void)
{
	thrd_t p;

	ASSERT_EQ(thrd_create(&p, tell_c11, NULL), thrd_success);
	ASSERT_EQ(thrd_join(p, NULL), thrd_success);
}

TEST_F(child, a_thread_of_c11)
{
	if (SANITIZER_THREAD)
		SKIP("the sanitizer does not know of thrd_create()");
	run(make_thrd);
	same(seen, self->process);
}

/* What the program itself asks for counts. */
static void make_pinned(void)
{
	pthread_attr_t attr;
	cpu_set_t own;
	pthread_t p;

	ASSERT_EQ(sched_getaffinity(0, sizeof(own), &own), 0);
	ASSERT_EQ(pthread_attr_init(&attr), 0);
	ASSERT_EQ(pthread_attr_setaffinity_np(&attr, sizeof(own), &own), 0);
	ASSERT_EQ(pthread_create(&p, &attr, tell, NULL), 0);
	ASSERT_EQ(pthread_join(p, NULL), 0);
	pthread_attr_destroy(&attr);
}

TEST_F(child, a_pthread_with_an_affinity_of_its_own)
{
	run(make_pinned);
	EXPECT_EQ(CPU_COUNT(&seen.cpus), 1);
	EXPECT_EQ(seen.slack, self->process.slack);
}

static struct inherited *shared; /* with a child */

static void make_fork(void)
{
	int status;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid) {
		*shared = mine();
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST_F(child, a_process)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(shared, MAP_FAILED);
	run(make_fork);
	same(*shared, self->process);
}

static char told[256];

static void make_popen(void)
{
	by_popen(told);
}

TEST_F(child, by_popen)
{
	run(make_popen);
	EXPECT_STREQ(told, self->told);
}

/* Its output goes to where ours went when there was no thread. */
static void make_system(void)
{
	char command[256], name[] = "/tmp/children.XXXXXX";
	int fd = mkstemp(name);
	FILE *f;

	ASSERT_GE(fd, 0);
	snprintf(command, sizeof(command), "(%s) >%s", COMMAND, name);
	EXPECT_EQ(system(command), 0); /* NOLINT(cert-env33-c): it is what is tested */
	f = fdopen(fd, "r");
	ASSERT_NE(f, NULL);
	read_all(f, told);
	fclose(f);
	unlink(name);
}

TEST_F(child, by_system)
{
	run(make_system);
	EXPECT_STREQ(told, self->told);
}

typedef int spawn_call(pid_t *restrict pid, const char *restrict file, const posix_spawn_file_actions_t *restrict,
		       const posix_spawnattr_t *restrict, char *const argv[restrict], char *const envp[restrict]);

static void spawn(spawn_call *call, const char *file)
{
	char *const argv[] = {"sh", "-c", COMMAND, NULL};
	posix_spawn_file_actions_t actions;
	int out[2], status;
	pid_t pid;
	FILE *f;

	ASSERT_EQ(pipe(out), 0);
	ASSERT_EQ(posix_spawn_file_actions_init(&actions), 0);
	ASSERT_EQ(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
	ASSERT_EQ(call(&pid, file, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	f = fdopen(out[0], "r");
	ASSERT_NE(f, NULL);
	read_all(f, told);
	fclose(f);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

static void make_spawn(void)
{
	spawn(posix_spawn, "/bin/sh");
}

TEST_F(child, by_posix_spawn)
{
	run(make_spawn);
	EXPECT_STREQ(told, self->told);
}

static void make_spawnp(void)
{
	spawn(posix_spawnp, "sh");
}

TEST_F(child, by_posix_spawnp)
{
	run(make_spawnp);
	EXPECT_STREQ(told, self->told);
}

/* What the process may use now, not what it started with. */
TEST_F(child, after_the_affinity_of_the_process_has_changed)
{
	cpu_set_t one;
	int cpu = 0;

	if (CPU_COUNT(&self->process.cpus) < 2)
		SKIP("one CPU");
	while (!CPU_ISSET(cpu, &self->process.cpus))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
	run(make_pthread);
	EXPECT_TRUE(CPU_EQUAL(&seen.cpus, &one));
}

/* A failure is passed on, and the worker has its own again (in_thread() looks). */
static void make_none(void)
{
	char *const argv[] = {"none", NULL};
	pid_t pid;

	EXPECT_EQ(posix_spawn(&pid, "/nowhere/none", NULL, NULL, argv, environ), ENOENT);
}

TEST_F(child, that_does_not_come)
{
	run(make_none);
}
