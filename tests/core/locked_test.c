/* SPDX-License-Identifier: MIT */
/* locked_test.c - mlockall(), before the start or after it: what is used is locked, not what is
 * reserved. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>
#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/harness.h"

#define THREADS 2000

FIXTURE(locked)
{
	char unused;
};

FIXTURE_VARIANT(locked)
{
	int flags;
	bool before;
};

FIXTURE_VARIANT_ADD(locked, before){.flags = MCL_CURRENT | MCL_FUTURE, .before = true};
FIXTURE_VARIANT_ADD(locked, after){.flags = MCL_CURRENT | MCL_FUTURE};
FIXTURE_VARIANT_ADD(locked, before_on_fault){.flags = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT, .before = true};
FIXTURE_VARIANT_ADD(locked, after_on_fault){.flags = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT};

FIXTURE_SETUP(locked)
{
	if (SANITIZER_THREAD || SANITIZER_ADDRESS)
		SKIP("the sanitizer's own reservations would be filled");
}

FIXTURE_TEARDOWN(locked)
{
}

/* KiB, as /proc tells it. */
static long status_of(const char *field)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)))
			sscanf(line + strlen(field), ": %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

static perch_event_t gate = PERCH_EVENT_INIT;

static void *waits(void *arg)
{
	perch_event_wait(&gate);
	return arg;
}

static bool threads_run(void)
{
	static perch_t t[THREADS];
	void *p[100];
	bool good = true;

	gate = (perch_event_t)PERCH_EVENT_INIT;
	for (int i = 0; i < THREADS; i++)
		good &= !perch_create(&t[i], NULL, waits, NULL);
	perch_event_set(&gate);
	for (int i = 0; i < THREADS && good; i++)
		good &= !perch_join(t[i], NULL);
	for (int i = 0; i < 100; i++) {
		p[i] = perch_zalloc(1000);
		for (int k = 0; p[i] && k < 1000; k++)
			good &= !((char *)p[i])[k];
		if (p[i])
			memset(p[i], 1, 1000);
		good &= p[i] != NULL;
	}
	for (int i = 0; i < 100; i++)
		perch_free(p[i]);
	perch_trim();
	return good;
}

static bool may_lock_all(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};

	return !setrlimit(RLIMIT_MEMLOCK, &r) ||
	       (!syscall(SYS_capget, &header, data) && data[0].effective & 1u << CAP_IPC_LOCK);
}

/* Exits with 77: not allowed here. */
static void lock_and_run(const int flags, bool before)
{
	alarm(20);
	if (!may_lock_all())
		_exit(77);
	if (before && mlockall(flags))
		_exit(77);
	for (int i = 0; i < 2; i++) { /* once more, in what is left from before */
		if (perch_start(NULL))
			_exit(2);
		if (!before && !i && mlockall(flags))
			_exit(77);
		for (int k = 0; k < 2; k++)
			if (!threads_run())
				_exit(3);
		if (status_of("VmRSS") > 400 << 10 || status_of("VmLck") <= 0)
			_exit(4);
		if (perch_stop())
			_exit(5);
	}
	_exit(0);
}

TEST_F_TIMEOUT(locked, threads_run, 60)
{
	int status;
	pid_t pid;

	(void)self;
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		lock_and_run(variant->flags, variant->before);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("mlockall() is not allowed here");
	EXPECT_EQ(status, 0);
}

static void with_a_small_limit(void *unused)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	const struct rlimit small = {2 << 20, 2 << 20};

	(void)unused;
	if (syscall(SYS_capget, &header, data))
		_exit(77);
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	if (syscall(SYS_capset, &header, data) || setrlimit(RLIMIT_MEMLOCK, &small) || mlockall(MCL_FUTURE))
		_exit(77);
	_exit(perch_start(NULL) == -ENOMEM ? 0 : 2);
}

TEST_F(locked, a_small_limit_is_named)
{
	struct harness_captured c;

	(void)self;
	(void)variant;
	ASSERT_EQ(harness_capture(&c, with_a_small_limit, NULL), 0);
	if (WIFEXITED(c.status) && WEXITSTATUS(c.status) == 77)
		SKIP("mlockall() is not allowed here");
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, "RLIMIT_MEMLOCK allows 2097152 bytes");
	harness_release(&c);
}
