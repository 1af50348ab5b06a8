/* SPDX-License-Identifier: MIT */
/* runtime_test.c - start, stop, run, settings; what must be said, and left behind (nothing). */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

static void *same(void *arg)
{
	return arg;
}

/* ---- what a process has ---- */

struct belongings {
	unsigned maps, files, pthreads;
	size_t resident;
};

static unsigned entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	ASSERT_NE(d, NULL);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static struct belongings belongings(void)
{
	struct belongings b = {0, entries("/proc/self/fd"), entries("/proc/self/task"), 0};
	FILE *f = fopen("/proc/self/maps", "re");
	int c;

	ASSERT_NE(f, NULL);
	while ((c = getc(f)) != EOF)
		b.maps += c == '\n';
	fclose(f);
	f = fopen("/proc/self/statm", "re");
	ASSERT_NE(f, NULL);
	ASSERT_EQ(fscanf(f, "%*s %zu", &b.resident), 1);
	fclose(f);
	b.resident *= 4096;
	return b;
}

static void *some_work(void *arg)
{
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	perch_attr_t a;
	perch_t t[8];

	(void)arg;
	(void)wg;
	perch_attr_init(&a);
	perch_attr_setname(&a, "some work");
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(perch_create(&t[i], &a, same, NULL), 0);
	perch_yield();
	for (int i = 0; i < 7; i++) /* one is left: perch_stop() frees it */
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	return NULL;
}

TEST_TIMEOUT(a_thousand_starts_leave_nothing, 120)
{
	struct belongings before = {0}, after;

	for (int i = 0; i < (SANITIZER_THREAD ? 300 : 1000); i++) {
		perch_t t;

		ASSERT_EQ(perch_start(NULL), 0);
		ASSERT_EQ(perch_create(&t, NULL, some_work, NULL), 0);
		ASSERT_EQ(perch_stop(), 0);
		if (i == 20)
			before = belongings();
	}
	/* a pthread that has been joined is in /proc for a moment more, so one may have been counted before */
	for (uint64_t end = harness_now() + 5000000000u;;) {
		after = belongings();
		if (after.pthreads <= before.pthreads || harness_now() > end)
			break;
	}
	EXPECT_EQ(after.files, before.files);
	EXPECT_LE(after.pthreads, before.pthreads);
	EXPECT_EQ(after.pthreads, entries("/proc/self/task"));
	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		return; /* their own bookkeeping grows */
	/* neighbours merge or not, and malloc has arenas; one lost in each start would be 980 */
	EXPECT_LE(after.maps, before.maps + 8);
	EXPECT_LT(after.resident, before.resident + (512 << 10));
}

/* ---- states ---- */

static void *calls_from_inside(void *arg)
{
	void *status = NULL;

	EXPECT_EQ(perch_stop(), -EDEADLK);
	/* as a library does, whether the program has started it or not */
	EXPECT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
	EXPECT_EQ(perch_stop(), -EDEADLK);
	EXPECT_EQ(perch_run(NULL, same, arg, &status), 0);
	EXPECT_EQ(status, arg);
	return NULL;
}

static void *slice_of_worker(void *arg)
{
	uint64_t attr[6] = {0}; /* struct sched_attr: the slice is its fourth word */

	(void)arg;
	EXPECT_EQ(syscall(SYS_sched_getattr, 0, attr, sizeof(attr), 0), 0);
	return (void *)(uintptr_t)attr[3];
}

/* So that a woken worker need not wait for who woke it. */
TEST(workers_have_short_slices)
{
	void *slice = NULL;

	ASSERT_EQ(perch_run(NULL, slice_of_worker, NULL, &slice), 0);
	if (!slice)
		SKIP("this kernel has no slices of one's own (Linux 6.12)");
	EXPECT_EQ((uintptr_t)slice, 500000);
}

TEST(slices_that_are_refused_are_done_without)
{
	void *slice = NULL;

	ASSERT_EQ(harness_refuse("sched_setattr"), 0);
	ASSERT_EQ(perch_run(NULL, slice_of_worker, NULL, &slice), 0);
	EXPECT_NE((uintptr_t)slice, 500000);
}

TEST(started_twice_stopped_twice)
{
	perch_t t;

	EXPECT_EQ(perch_stop(), -EINVAL);
	EXPECT_EQ(perch_procs(), 0);
	EXPECT_EQ(perch_workers(), 0);
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_GT(perch_procs(), 0);
	EXPECT_EQ(perch_workers(), perch_procs());
	ASSERT_EQ(perch_create(&t, NULL, calls_from_inside, &t), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	EXPECT_EQ(perch_stop(), -EINVAL);
	EXPECT_EQ(perch_procs(), 0);
}

/* ---- two parts of one program ---- */

static void *until_told(void *told)
{
	while (!__atomic_load_n((uint32_t *)told, __ATOMIC_ACQUIRE))
		perch_yield();
	return told;
}

TEST(the_last_of_its_users_stops_it)
{
	uint32_t told = 0;
	perch_t t;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_run(NULL, same, NULL, NULL), 0);
	ASSERT_EQ(perch_create(&t, NULL, until_told, &told), 0);
	/* it does not wait for the thread, which is the other's, perhaps */
	ASSERT_EQ(perch_stop(), 0);
	EXPECT_GT(perch_procs(), 0);
	__atomic_store_n(&told, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	EXPECT_EQ(perch_procs(), 0);
	EXPECT_EQ(perch_stop(), -EINVAL);
}

static void *use_it_a_while(void *arg)
{
	for (int i = 0; i < 200; i++) {
		void *result = NULL;
		perch_t t;

		ASSERT_EQ(perch_start(NULL), 0);
		ASSERT_EQ(perch_create(&t, NULL, same, arg), 0);
		ASSERT_EQ(perch_join(t, &result), 0);
		ASSERT_EQ(result, arg);
		ASSERT_EQ(perch_stop(), 0);
	}
	return NULL;
}

/* Whoever comes while the last one stops it, finds it up, or starts it anew. */
TEST_TIMEOUT(users_come_and_go, 60)
{
	pthread_t p[4];

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, use_it_a_while, &p), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(p[i], NULL);
	EXPECT_EQ(perch_procs(), 0);
}

static void ask_for_other_settings(void *unused)
{
	const struct perch_config other = {.stack_size = (size_t)1 << 20, .steal = PERCH_STEAL_FLAT};

	(void)unused;
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_start(&other), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(perch_stop(), 0);
}

TEST(who_asks_for_other_settings_is_told)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, ask_for_other_settings, NULL), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, "stack_size=65536: 1048576 (perch_config.stack_size) has no effect");
	EXPECT_CONTAINS(c.text, "(perch_config.steal) has no effect");
	EXPECT_EQ(strstr(c.text, "procs="), NULL);
	harness_release(&c);
}

static void *stop_it(void *arg)
{
	int r = perch_stop();

	count_up((uint32_t *)arg + (r == 0 ? 0 : r == -EINVAL ? 1 : 2));
	return NULL;
}

TEST(of_many_who_stop_one_does)
{
	for (int i = 0; i < 200; i++) {
		uint32_t results[3] = {0, 0, 0};
		pthread_t p[4];
		perch_t t;

		ASSERT_EQ(perch_start(NULL), 0);
		ASSERT_EQ(perch_create(&t, NULL, some_work, NULL), 0);
		for (int k = 0; k < 4; k++)
			ASSERT_EQ(pthread_create(&p[k], NULL, stop_it, results), 0);
		for (int k = 0; k < 4; k++)
			ASSERT_EQ(pthread_join(p[k], NULL), 0);
		ASSERT_EQ(results[0], 1);
		ASSERT_EQ(results[1], 3);
		ASSERT_EQ(results[2], 0);
	}
}

/* errno belongs to the caller. */
TEST(errno_is_not_touched)
{
	perch_t t;

	errno = 4711;
	EXPECT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(errno, 4711);
	EXPECT_EQ(perch_create(&t, NULL, same, NULL), 0);
	EXPECT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(errno, 4711);
	EXPECT_EQ(perch_join(t, NULL), -ESRCH);
	EXPECT_EQ(perch_stop(), 0);
	EXPECT_EQ(errno, 4711);
}

/* ---- perch_run ---- */

static uint32_t late;

static void count_late(void *arg)
{
	for (int i = 0; i < 100; i++)
		perch_yield();
	count_up(arg);
}

static void *first_thread(void *arg)
{
	EXPECT_NE(perch_self(), 0);
	for (int i = 0; i < 50; i++)
		ASSERT_EQ(perch_go(count_late, &late), 0);
	return (char *)arg + 1;
}

TEST(run_gives_the_status_and_waits_for_all)
{
	char x[2];
	void *status = NULL;

	ASSERT_EQ(perch_run(NULL, first_thread, x, &status), 0);
	EXPECT_EQ(status, x + 1);
	EXPECT_EQ(late, 50);
	EXPECT_EQ(perch_procs(), 0);
	ASSERT_EQ(perch_run(NULL, first_thread, x, NULL), 0);
	EXPECT_EQ(late, 100);
	EXPECT_EQ(perch_run(NULL, NULL, x, &status), -EINVAL);
}

/* ---- CPUs and workers ---- */

static void *where_am_i(void *arg)
{
	int first = sched_getcpu();

	for (int i = 0; i < 200; i++) {
		if (sched_getcpu() != first)
			return arg;
		perch_yield();
	}
	return (void *)(uintptr_t)(first + 1);
}

TEST(affinity_to_the_last_cpu_only)
{
	cpu_set_t allowed, one;
	int last = -1;
	perch_t t[20];

	ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &allowed))
			last = i;
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_procs(), 1);
	EXPECT_EQ(perch_workers(), 1);
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, where_am_i, NULL), 0);
	for (int i = 0; i < 20; i++) {
		void *cpu;

		ASSERT_EQ(perch_join(t[i], &cpu), 0);
		EXPECT_EQ((uintptr_t)cpu, last + 1);
	}
	EXPECT_EQ(perch_stop(), 0);
}

/* A pthread that may run where no processor is reaches the others all the same. */
TEST(a_pthread_on_a_cpu_without_a_processor)
{
	const struct perch_config config = {.procs = 1, .workers = 1};
	cpu_set_t allowed, other;
	perch_call_t c;
	uint32_t n = 0;
	perch_t t;
	int last = -1;

	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &allowed))
			last = i;
	CPU_ZERO(&other);
	CPU_SET(last, &other);
	ASSERT_EQ(sched_setaffinity(0, sizeof(other), &other), 0);
	if (CPU_COUNT(&allowed) < 2)
		SKIP("needs two CPUs");
	for (int i = 0; i < 1000; i++) {
		void *result;

		ASSERT_EQ(perch_create(&t, NULL, same, &n), 0);
		ASSERT_EQ(perch_fork(&c, count_late, &n), 0);
		ASSERT_EQ(perch_join(t, &result), 0);
		ASSERT_EQ(result, &n);
		ASSERT_EQ(perch_sync(&c), 0);
		ASSERT_EQ(n, i + 1);
	}
	EXPECT_EQ(perch_stop(), 0);
}

FIXTURE(workers)
{
	int unused;
};
FIXTURE_VARIANT(workers)
{
	struct perch_config config;
	const char *variable;
};
FIXTURE_VARIANT_ADD(workers, one){{.workers = 1}, "1"};
FIXTURE_VARIANT_ADD(workers, four){{.workers = 4}, "4"};
FIXTURE_VARIANT_ADD(workers, eight){{.workers = 8}, "8"};
FIXTURE_VARIANT_ADD(workers, many){{.workers = 64}, "64"};
FIXTURE_SETUP(workers)
{
}
FIXTURE_TEARDOWN(workers)
{
}

static void work_and_stop(unsigned workers)
{
	perch_t t[100];

	EXPECT_EQ(perch_workers(), workers);
	EXPECT_LE(perch_procs(), workers);
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, some_work, NULL), 0);
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
}

TEST_F(workers, by_field_and_by_variable)
{
	ASSERT_EQ(perch_start(&variant->config), 0);
	work_and_stop(variant->config.workers);
	setenv("PERCH_WORKERS", variant->variable, 1);
	ASSERT_EQ(perch_start(NULL), 0);
	work_and_stop(variant->config.workers);
	/* a field that is set goes before the variable */
	ASSERT_EQ(perch_start(&(struct perch_config){.workers = 2, .procs = 1}), 0);
	EXPECT_EQ(perch_procs(), 1);
	work_and_stop(2);
}

/* ---- bad settings: each is named, with its value, and nothing has been started ---- */

static struct {
	struct perch_config config;
	int result;
} started;

static void start_child(void *arg)
{
	(void)arg;
	if (perch_start(&started.config) != started.result)
		_exit(5);
	/* ".", "..", this one, and the thread sanitizer's own */
	if (started.result && (perch_procs() || entries("/proc/self/task") != 3 + SANITIZER_THREAD))
		_exit(6);
	if (started.result && perch_create(NULL, NULL, same, NULL) != -EINVAL)
		_exit(7);
	_exit(0);
}

static void expect_said(struct perch_config config, int result, const char *name, const char *value)
{
	struct harness_captured c;

	started.config = config;
	started.result = result;
	ASSERT_EQ(harness_capture(&c, start_child, NULL), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, name);
	EXPECT_CONTAINS(c.text, value);
	EXPECT_EQ(c.length ? strchr(c.text, '\n') - c.text + 1 : 0, c.length); /* one line */
	harness_release(&c);
}

TEST(bad_fields)
{
	expect_said((struct perch_config){.procs = 60000}, -EINVAL, "procs", "60000");
	expect_said((struct perch_config){.procs = 70000}, -EINVAL, "procs", "70000");
	expect_said((struct perch_config){.workers = 70000}, -EINVAL, "workers", "70000");
	expect_said((struct perch_config){.workers = 65, .procs = 1}, -EINVAL, "workers", "65");
	expect_said((struct perch_config){.stack_size = 1}, -EINVAL, "stack_size", "'1'");
	expect_said((struct perch_config){.stack_size = PERCH_STACK_MIN - 1}, -EINVAL, "stack_size", "16383");
	expect_said((struct perch_config){.stack_size = PERCH_STACK_MAX + 1}, -EINVAL, "stack_size", "1073741825");
	expect_said((struct perch_config){.guard = (enum perch_guard)3}, -EINVAL, "guard", "3");
	expect_said((struct perch_config){.guard = (enum perch_guard) - 1}, -EINVAL, "guard", "4294967295");
	expect_said((struct perch_config){.rseq = (enum perch_rseq_mode)3}, -EINVAL, "rseq", "3");
	expect_said((struct perch_config){.stats = 2}, -EINVAL, "stats", "2");
}

TEST(bad_variables)
{
	static const char *const bad[][2] = {
		{"PERCH_PROCS", "0"},
		{"PERCH_PROCS", "-1"},
		{"PERCH_PROCS", "two"},
		{"PERCH_PROCS", "60000"},
		{"PERCH_PROCS", "1x"},
		{"PERCH_PROCS", "1K"},
		{"PERCH_WORKERS", "0"},
		{"PERCH_WORKERS", "many"},
		{"PERCH_WORKERS", "65537"},
		{"PERCH_STACK_SIZE", "16"},
		{"PERCH_STACK_SIZE", "2G"},
		{"PERCH_STACK_SIZE", "64KB"},
		{"PERCH_STACK_SIZE", "1T"},
		{"PERCH_STACK_SIZE", " 64K"},
		{"PERCH_STACK_SIZE", "99999999999999999999"},
		{"PERCH_STACK_SIZE", "17179869184G"},
		{"PERCH_GUARD", "none"},
		{"PERCH_GUARD", "AUTO"},
		{"PERCH_RSEQ", "yes"},
		{"PERCH_STATS", "2"},
		{"PERCH_STATS", "on"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *was = getenv(bad[i][0]);
		char *saved = was ? strdup(was) : NULL;

		setenv(bad[i][0], bad[i][1], 1);
		expect_said((struct perch_config)PERCH_CONFIG_INIT, -EINVAL, bad[i][0], bad[i][1]);
		if (saved)
			setenv(bad[i][0], saved, 1);
		else
			unsetenv(bad[i][0]);
		free(saved);
	}
}

TEST(good_variables)
{
	setenv("PERCH_PROCS", "1", 1);
	setenv("PERCH_WORKERS", "3", 1);
	setenv("PERCH_STACK_SIZE", "1m", 1);
	setenv("PERCH_GUARD", "mprotect", 1);
	setenv("PERCH_RSEQ", "off", 1);
	setenv("PERCH_STATS", "0", 1);
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_procs(), 1);
	work_and_stop(3);
	/* empty is as good as not set */
	setenv("PERCH_PROCS", "", 1);
	setenv("PERCH_WORKERS", "", 1);
	setenv("PERCH_STACK_SIZE", "", 1);
	setenv("PERCH_GUARD", "", 1);
	setenv("PERCH_RSEQ", "", 1);
	setenv("PERCH_STATS", "", 1);
	ASSERT_EQ(perch_start(NULL), 0);
	EXPECT_EQ(perch_workers(), perch_procs());
	EXPECT_EQ(perch_stop(), 0);
}
