/* SPDX-License-Identifier: MIT */
/* stack_test.c - sizes, guards, growth by touch, trimming, and running out. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/core/overflow.h"
#include "tests/harness/gather.h"

#define PAGE ((size_t)4096)

static size_t resident(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	ASSERT_NE(f, NULL);
	EXPECT_EQ(fscanf(f, "%*s %zu", &pages), 1);
	fclose(f);
	return pages * PAGE;
}

static perch_t spawn(size_t stack, const char *name, void *(*fn)(void *), void *arg)
{
	perch_attr_t a;
	perch_t t = 0;

	perch_attr_init(&a);
	EXPECT_EQ(perch_attr_setstacksize(&a, stack), 0);
	if (name)
		EXPECT_EQ(perch_attr_setname(&a, name), 0);
	ASSERT_EQ(perch_create(&t, &a, fn, arg), 0);
	return t;
}

/* Touch every page down to `bytes` below here. */
static __attribute__((noinline)) void *descend(void *arg)
{
	size_t bytes = (uintptr_t)arg;
	char page[PAGE];
	volatile char *touched = page;

	touched[0] = 1;
	if (bytes > 2 * PAGE)
		descend((void *)(bytes - PAGE - 200));
	__asm__ volatile("" : : "r"(touched) : "memory");
	return arg;
}

/* ---- all of a stack can be used ---- */

/* What a sanitizer keeps of its own would be counted as ours. */
static bool sanitized(void)
{
	return SANITIZER_ADDRESS + SANITIZER_THREAD > 0;
}

FIXTURE(size)
{
	int unused;
};
FIXTURE_VARIANT(size)
{
	size_t bytes;
};
FIXTURE_VARIANT_ADD(size, least){PERCH_STACK_MIN};
FIXTURE_VARIANT_ADD(size, of_64K){(size_t)64 << 10};
FIXTURE_VARIANT_ADD(size, odd){300000};
FIXTURE_VARIANT_ADD(size, of_8M){(size_t)8 << 20};
FIXTURE_VARIANT_ADD(size, of_64M){(size_t)64 << 20};
FIXTURE_VARIANT_ADD(size, most){PERCH_STACK_MAX};

FIXTURE_SETUP(size)
{
	ASSERT_EQ(perch_start(NULL), 0);
}

FIXTURE_TEARDOWN(size)
{
	EXPECT_EQ(perch_stop(), 0);
}

TEST_F(size, can_be_used)
{
	/* what is left over: the guard, the header, and the frames of the library below us */
	size_t bytes = variant->bytes > (size_t)64 << 20 ? (size_t)64 << 20 : variant->bytes;
	void *result;
	perch_t t;

	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		bytes /= 2; /* frames are larger */
	for (int i = 0; i < 3; i++) {
		t = spawn(variant->bytes, NULL, descend, (void *)(bytes - 2 * PAGE));
		ASSERT_EQ(perch_join(t, &result), 0);
		ASSERT_EQ((size_t)result, bytes - 2 * PAGE);
	}
}

static uint32_t go_on, there;

static void *stay(void *arg)
{
	count_up(&there);
	while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE))
		perch_yield();
	return arg;
}

TEST_F(size, takes_memory_only_as_it_is_touched)
{
	/* the address sanitizer's shadow of the largest is 128 MiB, which it sees to at each start */
	enum { N = SANITIZER_ADDRESS ? 3 : 20 };
	size_t before;
	perch_t t[N];

	/* the first brings up what every runtime needs */
	t[0] = spawn(variant->bytes, NULL, descend, (void *)PAGE);
	ASSERT_EQ(perch_join(t[0], NULL), 0);
	before = resident();
	for (int i = 0; i < N; i++)
		t[i] = spawn(variant->bytes, NULL, stay, NULL);
	ASSERT_TRUE(gather(&there, N, 40));
	if (!sanitized())
		EXPECT_LT(resident() - before, N * 4 * PAGE);
	__atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < N; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
}

/* ---- deep stacks are given back ---- */

static void *descend_and_wait(void *wg)
{
	descend((void *)((size_t)900 << 10));
	count_up(&there);
	perch_waitgroup_wait(wg);
	return NULL;
}

TEST(deep_stacks_are_trimmed_after_a_while)
{
	enum { N = 160 }; /* more than a CPU keeps of one class */
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	size_t before, deep, after;
	perch_t t[N];

	ASSERT_EQ(perch_start(NULL), 0);
	before = resident();
	ASSERT_EQ(perch_waitgroup_add(&wg, 1), 0);
	for (int i = 0; i < N; i++)
		t[i] = spawn((size_t)1 << 20, NULL, descend_and_wait, &wg);
	ASSERT_TRUE(gather(&there, N, 20));
	deep = resident();
	EXPECT_GT(deep - before, (size_t)N * (800 << 10));
	ASSERT_EQ(perch_waitgroup_done(&wg), 0);
	for (int i = 0; i < N; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	/* the runtime sleeps meanwhile; what CPUs keep, 32 each, stays as it is */
	for (int i = 0; i < (sanitized() ? 30 : 300); i++) {
		after = resident();
		if (after - before < (size_t)perch_procs() * 32 * (910 << 10) + (4u << 20))
			break;
		usleep(100000);
	}
	if (!sanitized())
		EXPECT_LT(after - before, (size_t)perch_procs() * 32 * (910 << 10) + (4u << 20));
	harness_log("%zu MiB before, %zu deep, %zu after", before >> 20, deep >> 20, after >> 20);
	EXPECT_EQ(perch_stop(), 0);
	if (!sanitized())
		EXPECT_LT(resident(), before + (8u << 20));
}

/* ---- who makes and ends threads makes no kernel call for it ---- */

static unsigned long given_back;

/* In place of the C library's. */
int madvise(void *address, size_t length, int advice)
{
	if (advice == MADV_DONTNEED)
		__atomic_fetch_add(&given_back, 1, __ATOMIC_RELAXED);
	return (int)syscall(SYS_madvise, address, length, advice);
}

static void *yield_once(void *arg)
{
	perch_yield();
	return arg;
}

static void *bursts(void *arg)
{
	perch_t t[256];

	for (int round = 0; round < (sanitized() ? 5 : 40); round++) {
		for (int i = 0; i < 256; i++)
			t[i] = spawn(0, NULL, yield_once, NULL);
		for (int i = 0; i < 256; i++)
			if (perch_join(t[i], NULL))
				abort();
	}
	return arg;
}

TEST(bursts_of_threads_give_nothing_back_on_the_way)
{
	unsigned long before;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_join(spawn(0, NULL, bursts, NULL), NULL), 0);
	before = __atomic_load_n(&given_back, __ATOMIC_RELAXED);
	ASSERT_EQ(perch_join(spawn(0, NULL, bursts, NULL), NULL), 0);
	/* each stack that left a CPU's list cost a call once: some 9,000 here */
	EXPECT_LT(__atomic_load_n(&given_back, __ATOMIC_RELAXED) - before, 600u);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- overflow ---- */

struct overflow {
	size_t stack;
	const char *name;
	bool task; /* in a task that another worker took */
};

static void overflow_in_task(void *arg)
{
	overflow_in_thread(arg);
}

static void overflow_child(void *arg)
{
	struct overflow *o = arg;

	overflow_leaves_no_core();
	if (perch_start(NULL))
		_exit(9);
	if (o->task) {
		perch_call_t c;

		perch_fork(&c, overflow_in_task, NULL);
		perch_sync(&c);
	} else {
		perch_join(spawn(o->stack, o->name, overflow_in_thread, NULL), NULL);
	}
	_exit(8);
}

static void expect_report(struct overflow o, const char *name, const char *size)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, overflow_child, &o), 0);
	EXPECT_TRUE(WIFSIGNALED(c.status));
	EXPECT_EQ(WTERMSIG(c.status), SIGABRT);
	EXPECT_CONTAINS(c.text, "overflowed its stack");
	EXPECT_CONTAINS(c.text, name);
	EXPECT_CONTAINS(c.text, size);
	EXPECT_CONTAINS(c.text, "perch_attr_setstacksize(), or PERCH_STACK_SIZE");
	EXPECT_CONTAINS(c.text, "backtrace");
	/* a recursion is told once, by name, and what is above it is reached */
	EXPECT_CONTAINS(c.text, " overflow_below+");
	EXPECT_CONTAINS(c.text, "\n    ... this one ");
	EXPECT_CONTAINS(c.text, " overflow_in_");                /* ..._thread or, where that is inlined, ..._task */
	EXPECT_LT(c.length, SANITIZER_THREAD ? SIZE_MAX : 8192); /* with what the sanitizer says of the abort */
	harness_release(&c);
}

TEST(overflow_names_the_thread_and_its_size)
{
	expect_report((struct overflow){0, "deep thought", false}, "'deep thought'", " 65536 bytes");
	expect_report((struct overflow){PERCH_STACK_MIN, "small", false}, "'small'", " 16384 bytes");
	expect_report((struct overflow){(size_t)4 << 20, NULL, false}, "''", " 4194304 bytes");
}

TEST(overflow_in_a_task)
{
	expect_report((struct overflow){0, NULL, true}, "thread", " 65536 bytes");
}

/* A fault that is no overflow is none of ours: it goes to who was there before. */
static void on_segv(int signal)
{
	(void)signal;
	_exit(33);
}

static void *fault(void *arg)
{
	static volatile char *volatile unmapped = (char *)16; /* not NULL: UBSan would be first */

	*unmapped = 1;
	return arg;
}

static void fault_child(void *arg)
{
	overflow_leaves_no_core();
	if (arg)
		signal(SIGSEGV, on_segv);
	else
		signal(SIGSEGV, SIG_DFL);
	if (perch_start(NULL))
		_exit(9);
	perch_join(spawn(0, NULL, fault, NULL), NULL);
	_exit(8);
}

TEST(other_faults_go_where_they_went_before)
{
	struct harness_captured c;
	int x;

	ASSERT_EQ(harness_capture(&c, fault_child, &x), 0);
	EXPECT_TRUE(WIFEXITED(c.status));
	EXPECT_EQ(WEXITSTATUS(c.status), 33);
	harness_release(&c);
	ASSERT_EQ(harness_capture(&c, fault_child, NULL), 0);
	EXPECT_TRUE(WIFSIGNALED(c.status));
	EXPECT_EQ(WTERMSIG(c.status), SIGSEGV);
	EXPECT_STREQ(c.text, "");
	harness_release(&c);
}

TEST(handlers_are_given_back)
{
	struct sigaction before[2], now;

	sigaction(SIGSEGV, NULL, &before[0]);
	sigaction(SIGBUS, NULL, &before[1]);
	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	sigaction(SIGSEGV, NULL, &now);
	EXPECT_TRUE(now.sa_sigaction == before[0].sa_sigaction);
	sigaction(SIGBUS, NULL, &now);
	EXPECT_TRUE(now.sa_sigaction == before[1].sa_sigaction);
}

/* ---- running out ---- */

static void *wait_for_it(void *wg)
{
	perch_waitgroup_wait(wg);
	return (void *)77;
}

/* Each parks once, or never runs. On a busy machine that takes its time. */
static void let_them_take_their_stacks(void)
{
	struct timespec nap = {0, 1000000};
	struct perch_stats stats;

	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(perch_stats_get(&stats), 0);
		if (stats.parks + stats.finished >= stats.spawned)
			break;
		nanosleep(&nap, NULL);
	}
}

/* Spawn threads that all stay until no stack can be had any more. Those before
 * must live, and their stacks be of use again. */
static void spawn_until_refused(unsigned most, size_t stack)
{
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	perch_t *t = calloc(most, sizeof(*t));
	unsigned n = 0, never_ran = 0;
	perch_attr_t a;
	int r = 0;

	ASSERT_NE(t, NULL);
	perch_attr_init(&a);
	perch_attr_setstacksize(&a, stack);
	ASSERT_EQ(perch_waitgroup_add(&wg, 1), 0);
	while (n < most) {
		perch_t handle = 99;

		r = perch_create(&handle, &a, wait_for_it, &wg);
		if (r) {
			EXPECT_EQ(handle, 99);
			break;
		}
		t[n++] = handle;
		if (n % 64 == 0)
			let_them_take_their_stacks();
	}
	EXPECT_EQ(r, -ENOMEM);
	EXPECT_GT(n, 16);
	ASSERT_EQ(perch_waitgroup_done(&wg), 0);
	for (unsigned i = 0; i < n; i++) {
		void *result = NULL;

		r = perch_join(t[i], &result);
		if (r == -ENOMEM) {
			EXPECT_NULL(result);
			never_ran++;
		} else {
			ASSERT_EQ(r, 0);
			ASSERT_EQ((uintptr_t)result, 77);
		}
	}
	harness_log("%u created until the first was refused, of which %u never ran", n, never_ran);
	EXPECT_LT(never_ran, n / 2 + 64);
	/* everything else goes on */
	for (unsigned i = 0; i < 100; i++) {
		void *result;

		/* those that are free may lie with another CPU for a while */
		for (int tries = 0; tries < 2000 && (r = perch_create(&t[0], &a, wait_for_it, &wg)) == -ENOMEM; tries++)
			harness_delay(1000000);
		ASSERT_EQ(r, 0);
		ASSERT_EQ(perch_join(t[0], &result), 0);
		ASSERT_EQ((uintptr_t)result, 77);
	}
	free(t);
}

/* Before anything starts: else each pthread's first malloc() maps 128 MiB for an arena, at any time, and gives
 * back the half. */
static void one_arena(void)
{
	ASSERT_EQ(mallopt(M_ARENA_MAX, 1), 1);
}

static size_t address_space(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	ASSERT_NE(f, NULL);
	ASSERT_EQ(fscanf(f, "%zu", &pages), 1);
	fclose(f);
	return pages * PAGE;
}

static void limit_addresses(size_t more)
{
	size_t all = address_space() + more;

	ASSERT_EQ(setrlimit(RLIMIT_AS, &(struct rlimit){all, all}), 0);
}

TEST(addresses_run_out)
{
	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		SKIP("the sanitizer needs its addresses");
	one_arena();
	ASSERT_EQ(perch_start(NULL), 0);
	limit_addresses((size_t)512 << 20);
	spawn_until_refused(5000, (size_t)8 << 20);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- detached threads without a stack ---- */

static void *go_many(void *wg)
{
	perch_attr_t a;

	perch_attr_init(&a);
	perch_attr_setstacksize(&a, (size_t)8 << 20);
	perch_attr_setdetachstate(&a, PERCH_CREATE_DETACHED);
	/* none of them runs before all are there: the only processor is ours */
	for (int i = 0; i < 400; i++)
		ASSERT_EQ(perch_create(NULL, &a, wait_for_it, wg), 0);
	return NULL;
}

static void too_many(void *unused)
{
	const struct perch_config config = {.procs = 1, .handoff = PERCH_HANDOFF_OFF};
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	struct perch_stats s;

	(void)unused;
	one_arena();
	ASSERT_EQ(perch_start(&config), 0);
	ASSERT_EQ(perch_waitgroup_add(&wg, 1), 0);
	limit_addresses((size_t)512 << 20);
	ASSERT_EQ(perch_join(spawn(0, NULL, go_many, &wg), NULL), 0);
	/* some 60 wait, the others have ended without a stack; never so: this test's time-out */
	do
		ASSERT_EQ(perch_stats_get(&s), 0);
	while (s.finished < 300);
	ASSERT_EQ(perch_waitgroup_done(&wg), 0);
	ASSERT_EQ(perch_stop(), 0);
}

TEST(detached_threads_without_a_stack_are_told_once)
{
	struct harness_captured c;
	const char *line;
	unsigned lines = 0;

	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		SKIP("the sanitizer needs its addresses");
	ASSERT_EQ(harness_capture(&c, too_many, NULL), 0);
	harness_log("%s", c.text);
	EXPECT_EQ(c.status, 0);
	for (line = strstr(c.text, "never ran"); line; line = strstr(line + 1, "never ran"))
		lines++;
	EXPECT_EQ(lines, 2); /* the first, and how many */
	harness_release(&c);
}

/* Each worker's own stack takes 8 MiB of addresses: as many workers as there are CPUs may be too many. */
static void start_two(void)
{
	struct perch_config config = PERCH_CONFIG_INIT;
	cpu_set_t set;

	config.procs = sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) > 1 ? 2 : 1;
	ASSERT_EQ(perch_start(&config), 0);
}

TEST(starts_where_addresses_are_short)
{
	perch_t t;
	void *result;

	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		SKIP("the sanitizer needs its addresses");
	one_arena();
	limit_addresses((size_t)300 << 20);
	start_two();
	for (int i = 0; i < 1000; i++) {
		t = spawn(0, NULL, descend, (void *)PAGE);
		ASSERT_EQ(perch_join(t, &result), 0);
	}
	EXPECT_EQ(perch_stop(), 0);
}

/* Whatever there is: what is set aside for descriptors leaves enough for stacks. */
TEST_TIMEOUT(starts_with_any_number_of_addresses, 120)
{
	struct rlimit limit;

	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		SKIP("the sanitizer needs its addresses");
	one_arena();
	ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
	for (size_t mib = 200; mib <= 700; mib += 20) {
		struct rlimit lower = {address_space() + (mib << 20), limit.rlim_max};

		ASSERT_EQ(setrlimit(RLIMIT_AS, &lower), 0);
		start_two();
		for (int i = 0; i < 100; i++) {
			perch_t t = spawn(0, NULL, descend, (void *)PAGE);

			ASSERT_EQ(perch_join(t, NULL), 0);
		}
		ASSERT_EQ(perch_stop(), 0);
		ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
	}
}

TEST(no_addresses_no_start)
{
	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		SKIP("the sanitizer needs its addresses");
	limit_addresses(200 << 10);
	EXPECT_EQ(perch_start(NULL), -ENOMEM);
	EXPECT_EQ(perch_procs(), 0);
	EXPECT_EQ(perch_create(NULL, NULL, descend, NULL), -EINVAL);
}

TEST_TIMEOUT(maps_run_out, 120)
{
	const struct perch_config config = {.guard = PERCH_GUARD_MPROTECT};

	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		SKIP("too many mappings for a sanitizer");
	ASSERT_EQ(perch_start(&config), 0);
	spawn_until_refused(200000, PERCH_STACK_MIN);
	EXPECT_EQ(perch_stop(), 0);
}

/* Whoever cannot get a stack for a task that was taken runs it himself. */
static void add_one(void *arg)
{
	count_up(arg);
}

static void *fork_some(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		perch_call_t c[4];

		for (int k = 0; k < 4; k++)
			ASSERT_EQ(perch_fork(&c[k], add_one, arg), 0);
		for (int k = 0; k < 4; k++)
			ASSERT_EQ(perch_sync(&c[k]), 0);
	}
	return NULL;
}

TEST(tasks_without_a_stack_are_run_by_their_forker)
{
	perch_t t[4];
	uint32_t n = 0;

	if (SANITIZER_ADDRESS || SANITIZER_THREAD)
		SKIP("the sanitizer needs its addresses");
	one_arena();
	ASSERT_EQ(perch_start(NULL), 0);
	limit_addresses(40 << 10);
	/* without addresses for a slab there is not one stack: perch_create says so, or the join */
	for (int i = 0; i < 4; i++)
		if (perch_create(&t[i], NULL, fork_some, &n))
			t[i] = 0;
	for (int i = 0; i < 4; i++)
		if (t[i])
			EXPECT_EQ(perch_join(t[i], NULL), -ENOMEM);
	EXPECT_EQ(n, 0);
	fork_some(&n);
	EXPECT_EQ(n, 8000);
	EXPECT_EQ(perch_stop(), 0);
}
