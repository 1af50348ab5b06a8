/* SPDX-License-Identifier: MIT */
/* dump_test.c - perch_dump() shows what is, and does not mind what moves. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/see/dump.h"
#include "core/thread/fibre.h"
#include "core/thread/thread.h"
#include "rseq/percpu.h"
#include "tests/see/child.h"
#include "tests/see/dumped.h"

static unsigned times(const char *text, const char *part)
{
	unsigned n = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		n++;
	return n;
}

/* A dump in which this is to be found, and nobody is on his way; else the last of
 * half a minute. */
static char *dump_with(const char *part)
{
	for (int i = 0;; i++) {
		char *text = dump();

		if ((strstr(text, part) && !strstr(text, "went on while")) || i == 3000)
			return text;
		free(text);
		sleep_ms(10);
	}
}

FIXTURE(dump)
{
	perch_waitgroup_t gate; /* what threads wait for in these tests */
};
FIXTURE_VARIANT(dump)
{
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(dump, all_cpus){PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(dump, alone){{.workers = 1}};
FIXTURE_VARIANT_ADD(dump, crowded){{.workers = 6}};

FIXTURE_SETUP(dump)
{
	ASSERT_EQ(perch_waitgroup_init(&self->gate), 0);
	ASSERT_EQ(perch_waitgroup_add(&self->gate, 1), 0);
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(dump)
{
	EXPECT_EQ(perch_stop(), 0);
}

static perch_t named(const char *name, void *(*fn)(void *), void *arg)
{
	perch_attr_t a;
	perch_t t;

	ASSERT_EQ(perch_attr_init(&a), 0);
	ASSERT_EQ(perch_attr_setname(&a, name), 0);
	ASSERT_EQ(perch_create(&t, &a, fn, arg), 0);
	return t;
}

TEST(errors)
{
	int closed, full, readable;

	EXPECT_EQ(perch_dump(2), -EINVAL);
	ASSERT_EQ(perch_start(NULL), 0);
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	readable = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(full, 0);
	ASSERT_GE(readable, 0);
	closed = dup(readable);
	close(closed);
	errno = 77;
	EXPECT_EQ(perch_dump(-1), -EBADF);
	EXPECT_EQ(perch_dump(closed), -EBADF);
	EXPECT_EQ(perch_dump(readable), -EBADF);
	EXPECT_EQ(perch_dump(full), -ENOSPC);
	EXPECT_EQ(errno, 77);
	EXPECT_EQ(perch_stop(), 0);
	EXPECT_EQ(perch_dump(2), -EINVAL);
}

TEST_F(dump, says_what_there_is)
{
	char *text = dump(), line[128];

	snprintf(line, sizeof(line), "perch " PERCH_VERSION ": process %d, up for 0.", (int)getpid());
	EXPECT_CONTAINS(text, line);
	snprintf(line, sizeof(line), "; %u processors, %u workers; threads: 0 created, 0 ended\n", perch_procs(),
		 perch_workers());
	EXPECT_CONTAINS(text, line);
	EXPECT_EQ(times(text, "\nprocessor "), perch_procs());
	EXPECT_EQ(times(text, "\nworker "), perch_workers());
	EXPECT_EQ(times(text, "ring 0 shared + 0 private, fair queue 0, inbox empty, no timers"), perch_procs());
	EXPECT_CONTAINS(text, "\noverflow queue of node 0: 0\n");
	EXPECT_CONTAINS(text, "\nthreads: 0 wait, 0 ready, 0 run\n");
	free(text);
	text = dump_with("asleep");
	EXPECT_CONTAINS(text, "asleep");
	free(text);
}

/* Static, and yet to be named. */
static __attribute__((noinline)) void *wait_in_the_test(void *gate)
{
	ASSERT_EQ(perch_waitgroup_wait(gate), 0);
	__asm__ volatile(""); /* no tail call: it shall be seen */
	return NULL;
}

static __attribute__((noinline)) void *and_from_another_place(void *gate)
{
	ASSERT_EQ(perch_waitgroup_wait(gate), 0);
	__asm__ volatile("");
	return gate;
}

TEST_F(dump, a_waiting_thread)
{
	perch_t t = named("patience", wait_in_the_test, &self->gate);
	char *text = dump_with("\nthreads: 1 wait"), part[128];
	const char *entry;

	sleep_ms(50);
	free(text);
	text = dump();
	snprintf(part, sizeof(part), ", at %#lx; stack of 64 KiB\n    %#llx 'patience'\n    #0  0x",
		 (unsigned long)(uintptr_t)&self->gate, (unsigned long long)t);
	EXPECT_CONTAINS(text, part);
	entry = strstr(text, "\n1 thread waits in waitgroup wait, ");
	ASSERT_NE(entry, NULL);
	EXPECT_CONTAINS(entry, " wait_in_the_test+0x");
	EXPECT_CONTAINS(entry, " perch_switch_enter+0x");
	free(text);
	EXPECT_EQ(perch_waitgroup_done(&self->gate), 0);
	EXPECT_EQ(perch_join(t, NULL), 0);
}

/* addr2line's view: what is printed as module+offset lies in the function. */
TEST_F(dump, addresses_can_be_looked_up)
{
	perch_t t = named("patience", wait_in_the_test, &self->gate);
	char *text = dump_with("wait_in_the_test"), *line = strstr(text, "wait_in_the_test"), *module;
	unsigned long address, offset, in_function;
	struct harness_captured c;
	char number[32], path[512];

	ASSERT_NE(line, NULL);
	ASSERT_EQ(sscanf(line, "wait_in_the_test+%lx", &in_function), 1);
	while (line[-1] != '\n')
		line--;
	ASSERT_EQ(sscanf(line, " #%*u %lx", &address), 1);
	EXPECT_EQ(address - in_function, (uintptr_t)wait_in_the_test);
	module = strchr(line, '(');
	ASSERT_NE(module, NULL);
	ASSERT_EQ(sscanf(module, "(%511[^+]+%lx)", path, &offset), 2);
	if (access("/usr/bin/addr2line", X_OK) == 0) {
		snprintf(number, sizeof(number), "%#lx", offset);
		ASSERT_EQ(harness_execute(&c, (char *[]){"/usr/bin/addr2line", "-f", "-i", "-e", path, number, NULL}),
			  0);
		EXPECT_CONTAINS(c.text, "wait_in_the_test");
		harness_release(&c);
	}
	free(text);
	EXPECT_EQ(perch_waitgroup_done(&self->gate), 0);
	EXPECT_EQ(perch_join(t, NULL), 0);
}

/* Each that waits is a thread of the thread sanitizer's, of which it has 8,128. */
#define MANY (SANITIZER_THREAD ? 2000 : 10000)
#define MANY_TEXT (SANITIZER_THREAD ? "2,00" : "10,00")

TEST_F_TIMEOUT(dump, ten_thousand_are_one_entry, 60)
{
	perch_t *t = calloc(MANY + 5, sizeof(*t));
	char *text, part[64];
	uint64_t began;

	ASSERT_NE(t, NULL);
	for (int i = 0; i < MANY; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, wait_in_the_test, &self->gate), 0);
	for (int i = 0; i < 5; i++)
		t[MANY + i] = named("apart", and_from_another_place, &self->gate);
	snprintf(part, sizeof(part), "\nthreads: %s5 wait, 0 ready, 0 run\n", MANY_TEXT);
	free(dump_with(part));
	began = harness_now();
	text = dump();
	EXPECT_LT(harness_now() - began, 5000000000u);
	harness_log("a dump of %d threads: %.1f ms, %zu bytes", MANY, (double)(harness_now() - began) * 1e-6,
		    strlen(text));
	EXPECT_LT(strlen(text), 65536);
	EXPECT_CONTAINS(text, part);
	snprintf(part, sizeof(part), "\n%s0 threads wait in waitgroup wait, ", MANY_TEXT);
	EXPECT_CONTAINS(text, part);
	EXPECT_CONTAINS(text, "\n5 threads wait in waitgroup wait, ");
	EXPECT_EQ(times(text, " wait in "), 2);
	EXPECT_EQ(times(text, " wait_in_the_test+0x"), 1);
	EXPECT_EQ(times(text, " and_from_another_place+0x"), 1);
	EXPECT_EQ(times(text, "'apart'"), 5);
	EXPECT_EQ(times(text, " and others\n"), 1);
	free(text);
	EXPECT_EQ(perch_waitgroup_done(&self->gate), 0);
	for (int i = 0; i < MANY + 5; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	free(t);
}

/* The ages are a range, and so are the objects; names come first, all counted. */
TEST_F(dump, what_is_folded_is_said)
{
	perch_waitgroup_t more[70];
	perch_t t[73];
	const char *entry;
	char *text;

	for (int i = 0; i < 70; i++) {
		ASSERT_EQ(perch_waitgroup_init(&more[i]), 0);
		ASSERT_EQ(perch_waitgroup_add(&more[i], 1), 0);
	}
	t[0] = named("first", wait_in_the_test, &self->gate);
	free(dump_with("\nthreads: 1 wait"));
	sleep_ms(300);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_create(&t[1 + i], NULL, wait_in_the_test, &more[i]), 0);
	text = dump_with("\nthreads: 3 wait");
	EXPECT_CONTAINS(text, "\n3 threads wait in waitgroup wait, 0.");
	EXPECT_CONTAINS(text, " s to 0.");
	EXPECT_CONTAINS(text, ", at 3 objects: 0x");
	EXPECT_EQ(times(text, "'first'"), 1);
	free(text);
	for (int i = 2; i < 70; i++)
		t[1 + i] = named(i % 2 ? "odd" : "even", wait_in_the_test, &more[i]);
	text = dump_with("\nthreads: 71 wait");
	EXPECT_CONTAINS(text, ", at more than 64 objects: 0x");
	/* below the workers' lines: one may still be leaving the last, and names it */
	entry = strstr(text, "\nthreads: 71 wait");
	ASSERT_NE(entry, NULL);
	EXPECT_EQ(times(entry, "'odd'") + times(entry, "'even'") + times(entry, "'first'"), 8);
	EXPECT_CONTAINS(text, " and others\n");
	free(text);
	EXPECT_EQ(perch_waitgroup_done(&self->gate), 0);
	for (int i = 0; i < 70; i++)
		ASSERT_EQ(perch_waitgroup_done(&more[i]), 0);
	for (int i = 0; i < 71; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
}

static __attribute__((noinline)) void *descend(void *gate, unsigned depth)
{
	void *r = depth ? descend(gate, depth - 1) : wait_in_the_test(gate);

	__asm__ volatile("");
	return r;
}

struct descent {
	perch_waitgroup_t *gate;
	unsigned depth;
};

static void *start_descent(void *arg)
{
	struct descent *d = arg;

	return descend(d->gate, d->depth);
}

TEST_F(dump, no_flood_when_all_differ)
{
	enum { N = 250, LONG = 30 };
	struct descent *d = calloc(N * LONG, sizeof(*d));
	perch_t *t = calloc(N * LONG, sizeof(*t));
	perch_attr_t a;
	char *text;

	ASSERT_NE(d, NULL);
	ASSERT_NE(t, NULL);
	ASSERT_EQ(perch_attr_init(&a), 0);
	/* each depth is a backtrace of its own, up to the frames that are kept */
	for (int i = 0; i < N; i++) {
		d[i] = (struct descent){&self->gate, (unsigned)i};
		ASSERT_EQ(perch_attr_setstacksize(&a, 128 << 10), 0);
		ASSERT_EQ(perch_create(&t[i], &a, start_descent, &d[i]), 0);
	}
	text = dump_with("\nthreads: 250 wait");
	EXPECT_GT(times(text, " waits in "), 30);
	EXPECT_LT(times(text, " waits in "), 60);
	EXPECT_CONTAINS(text, "... (only 48 frames are shown)");
	EXPECT_LT(strlen(text), 512 << 10);
	free(text);
	EXPECT_EQ(perch_waitgroup_done(&self->gate), 0);
	for (int i = 0; i < N; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	free(t);
	free(d);
}

static void *join_it(void *t)
{
	ASSERT_EQ(perch_join(*(perch_t *)t, NULL), 0);
	return NULL;
}

TEST_F(dump, a_join_names_the_thread)
{
	perch_t t = named("slow one", wait_in_the_test, &self->gate), j = named("joiner", join_it, &t);
	char *text = dump_with(" in join"), part[128];

	snprintf(part, sizeof(part), ", at thread %#llx 'slow one'; ", (unsigned long long)t);
	EXPECT_CONTAINS(text, "\n1 thread waits in join, ");
	EXPECT_CONTAINS(text, part);
	EXPECT_CONTAINS(text, "'joiner'");
	free(text);
	EXPECT_EQ(perch_waitgroup_done(&self->gate), 0);
	EXPECT_EQ(perch_join(j, NULL), 0);
}

/* ---- the other states ---- */

static void *nothing(void *arg)
{
	return arg;
}

static void *yield_twice(void *arg)
{
	perch_yield();
	perch_yield();
	return arg;
}

/* Alone on the only worker, so that it is known what the others do. */
static void *look_around(void *arg)
{
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	perch_t fresh, ended, ready, woken;
	char *text;

	/* one that was woken waits no longer, though it has not run yet */
	ASSERT_EQ(perch_waitgroup_add(&wg, 1), 0);
	woken = named("woken", wait_in_the_test, &wg);
	ASSERT_EQ(perch_yield(), 0);
	text = dump();
	EXPECT_CONTAINS(text, "\nthreads: 1 wait, 0 ready, 1 run\n");
	free(text);
	ASSERT_EQ(perch_waitgroup_done(&wg), 0);
	text = dump();
	EXPECT_CONTAINS(text, "\nthreads: 0 wait, 1 ready, 1 run\n");
	EXPECT_CONTAINS(text, " wait_in_the_test+0x");
	free(text);
	ASSERT_EQ(perch_join(woken, NULL), 0);

	ASSERT_EQ(perch_create(&ended, NULL, nothing, NULL), 0);
	ASSERT_EQ(perch_yield(), 0);
	ready = named("half way", yield_twice, NULL);
	ASSERT_EQ(perch_yield(), 0);
	fresh = named("fresh", nothing, NULL);
	text = dump();
	EXPECT_CONTAINS(text, "\nthreads: 0 wait, 1 ready, 1 run, 1 not started, 1 ended, not joined\n");
	EXPECT_CONTAINS(text, "\n1 thread runs; stack of 64 KiB\n");
	EXPECT_CONTAINS(text, " 'the looker'\n");
	EXPECT_CONTAINS(text, "\n1 thread is ready to run; stack of 64 KiB\n");
	EXPECT_CONTAINS(text, " yield_twice+0x");
	EXPECT_CONTAINS(text, " 'half way'\n");
	EXPECT_CONTAINS(text, "\n1 thread has not started; stack of 64 KiB\n");
	EXPECT_CONTAINS(text, " 'fresh'\n");
	EXPECT_CONTAINS(text, "\n1 thread has ended, and was not joined\n");
	EXPECT_CONTAINS(text, "ring 0 shared + 1 private, fair queue 1, inbox empty");
	EXPECT_CONTAINS(text, ", runs thread 0x");
	free(text);
	EXPECT_EQ(perch_join(fresh, NULL), 0);
	EXPECT_EQ(perch_join(ready, NULL), 0);
	EXPECT_EQ(perch_join(ended, NULL), 0);
	return arg;
}

TEST(all_states)
{
	const struct perch_config config = {.workers = 1};
	perch_t t;

	ASSERT_EQ(perch_start(&config), 0);
	t = named("the looker", look_around, NULL);
	EXPECT_EQ(perch_join(t, NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
}

static bool was_inline, by_locks;

static void *look_from_joiners_stack(void *joiner)
{
	uintptr_t distance = (uintptr_t)joiner - (uintptr_t)__builtin_frame_address(0);
	char *text;

	if (distance > 4096)
		return NULL;
	was_inline = true;
	text = dump();
	EXPECT_CONTAINS(text, "\nthreads: 0 wait, 0 ready, 1 run, 1 in join, stack lent\n");
	EXPECT_CONTAINS(text, "\n1 thread waits in join, of a thread that has its stack; stack of 8 MiB\n");
	/* the second is in what the pthread of perch_run() waits for, once it does */
	EXPECT_GE(times(text, "'main'"), 1);
	EXPECT_LE(times(text, "'main'"), 2);
	free(text);
	return NULL;
}

/* The lodger waits: its backtrace goes down into the joiner's frames, once. */
static void *wait_on_joiners_stack(void *gate)
{
	return wait_in_the_test(gate);
}

static perch_waitgroup_t inline_gate = PERCH_WAITGROUP_INIT;

static void *look_and_open(void *arg)
{
	char *text = dump();

	(void)arg;
	if (was_inline) {
		EXPECT_CONTAINS(text, "\nthreads: 1 wait, 0 ready, 1 run, 1 in join, stack lent\n");
		EXPECT_CONTAINS(text, " main_that_joins+0x");
		EXPECT_EQ(times(text, " wait_in_the_test+0x"), 1);
	}
	free(text);
	perch_waitgroup_done(&inline_gate);
	return NULL;
}

static __attribute__((noinline)) void *main_that_joins(void *arg)
{
	perch_t t, other;
	char here;

	by_locks = percpu_locked;
	/* the first may answer a request that the worker left before it slept: others
	 * may take it then, and it gets a stack of its own */
	for (int i = 0; i < 3 && !was_inline; i++) {
		ASSERT_EQ(perch_create(&t, NULL, look_from_joiners_stack, &here), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	ASSERT_EQ(perch_waitgroup_add(&inline_gate, 1), 0);
	ASSERT_EQ(perch_create(&other, NULL, look_and_open, NULL), 0);
	ASSERT_EQ(perch_create(&t, NULL, wait_on_joiners_stack, &inline_gate), 0);
	ASSERT_EQ(perch_join(t, NULL), 0);
	ASSERT_EQ(perch_join(other, NULL), 0);
	return arg;
}

TEST(a_stack_that_is_lent)
{
	const struct perch_config config = {.workers = 1};

	ASSERT_EQ(perch_run(&config, main_that_joins, NULL, NULL), 0);
#if defined(__GNUC__) && !defined(__clang__) && FIBRE_REUSE
	if (!by_locks) {
		EXPECT_TRUE(was_inline);
		return;
	}
#endif
	SKIP("this build, or the way by locks, runs no thread on its joiner's stack");
}

static void *dump_on_a_small_stack(void *arg)
{
	char *text = dump();

	EXPECT_CONTAINS(text, "1 run");
	free(text);
	return arg;
}

TEST_F(dump, from_a_thread_with_the_least_stack)
{
	perch_attr_t a;
	perch_t t;

	ASSERT_EQ(perch_attr_init(&a), 0);
	/* the sanitizers' frames are larger */
	ASSERT_EQ(perch_attr_setstacksize(&a, FIBRE_REUSE ? PERCH_STACK_MIN : 64 << 10), 0);
	ASSERT_EQ(perch_create(&t, &a, dump_on_a_small_stack, NULL), 0);
	EXPECT_EQ(perch_join(t, NULL), 0);
}

/* ---- who is not a thread ---- */

static uint32_t stranger_tid;

static void *wait_outside(void *gate)
{
	__atomic_store_n(&stranger_tid, (uint32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	EXPECT_EQ(perch_waitgroup_wait(gate), 0);
	return NULL;
}

TEST_F(dump, pthreads_that_wait)
{
	char *text, part[128];
	pthread_t p;

	ASSERT_EQ(pthread_create(&p, NULL, wait_outside, &self->gate), 0);
	ASSERT_TRUE(reaches(&stranger_tid, 1));
	snprintf(part, sizeof(part), "\npthread %u, which is no worker, waits in waitgroup wait, ", stranger_tid);
	text = dump_with(part);
	EXPECT_CONTAINS(text, part);
	EXPECT_EQ(times(text, "which is no worker"), 1);
	free(text);
	EXPECT_EQ(perch_waitgroup_done(&self->gate), 0);
	ASSERT_EQ(pthread_join(p, NULL), 0);
	text = dump();
	EXPECT_EQ(times(text, "which is no worker"), 0);
	free(text);
}

static void *wait_for_a_while(void *gate)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += 3630;
	EXPECT_EQ(perch_waitgroup_timedwait(gate, &t), 0);
	return NULL;
}

TEST_F(dump, timers)
{
	perch_t t;
	char *text;

	ASSERT_EQ(perch_create(&t, NULL, wait_for_a_while, &self->gate), 0);
	text = dump_with("next timer in ");
	EXPECT_CONTAINS(text, "next timer in 60 min\n");
	free(text);
	EXPECT_EQ(perch_waitgroup_done(&self->gate), 0);
	EXPECT_EQ(perch_join(t, NULL), 0);
}

static void describe(struct text *t, unsigned reason, const void *object)
{
	if (reason == PARK_WAITGROUP)
		text_put(t, " (described %#lx)", (unsigned long)(uintptr_t)object);
}

TEST_F(dump, objects_may_be_described)
{
	char *text, part[128];
	perch_t t;

	dump_describe = describe;
	ASSERT_EQ(perch_create(&t, NULL, wait_in_the_test, &self->gate), 0);
	text = dump_with("described");
	snprintf(part, sizeof(part), " (described %#lx)", (unsigned long)(uintptr_t)&self->gate);
	EXPECT_CONTAINS(text, part);
	free(text);
	EXPECT_EQ(perch_waitgroup_done(&self->gate), 0);
	EXPECT_EQ(perch_join(t, NULL), 0);
}

/* ---- while everything moves ---- */

static uint32_t over;

static void done_with(void *wg)
{
	perch_waitgroup_done(wg);
}

static __attribute__((noinline)) uint64_t tree(unsigned depth)
{
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	volatile char frame[200];
	uint64_t r = 1;

	frame[depth] = 1;
	if (!depth)
		return frame[0];
	perch_waitgroup_add(&wg, 2);
	ASSERT_EQ(perch_go(done_with, &wg), 0);
	r += tree(depth - 1);
	ASSERT_EQ(perch_go(done_with, &wg), 0);
	ASSERT_EQ(perch_waitgroup_wait(&wg), 0);
	return r;
}

static void *turbulence(void *arg)
{
	for (unsigned i = 0; !__atomic_load_n(&over, __ATOMIC_ACQUIRE); i++) {
		perch_call_t c[2];
		perch_t t;

		tree(i % 9);
		t = named("comes and goes", yield_twice, NULL);
		ASSERT_EQ(perch_fork(&c[0], (void (*)(void *))(uintptr_t)nothing, NULL), 0);
		ASSERT_EQ(perch_fork(&c[1], (void (*)(void *))(uintptr_t)yield_twice, NULL), 0);
		perch_yield();
		ASSERT_EQ(perch_sync(&c[1]), 0);
		ASSERT_EQ(perch_sync(&c[0]), 0);
		ASSERT_EQ(perch_join(t, NULL), 0);
	}
	return arg;
}

static void *dump_again_and_again(void *dumps)
{
	do {
		char *text = dump();

		EXPECT_CONTAINS(text, "\nthreads: ");
		free(text);
		count_one(dumps);
	} while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE));
	return NULL;
}

TEST_F_TIMEOUT(dump, in_a_storm, 60)
{
	uint32_t dumps = 0;
	perch_t t[40];
	pthread_t p[2];

	for (int i = 0; i < 40; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, turbulence, NULL), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, dump_again_and_again, &dumps), 0);
	sleep_ms(2000);
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	for (int i = 0; i < 40; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	harness_log("%u dumps", dumps);
	EXPECT_GE(dumps, 2);
}

static void *dump_whenever_it_can(void *dumps)
{
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		int fd = memfd_create("dump", MFD_CLOEXEC), r = perch_dump(fd);

		if (r)
			EXPECT_EQ(r, -EINVAL);
		else
			count_one(dumps);
		close(fd);
	}
	return NULL;
}

TEST_TIMEOUT(beside_start_and_stop, 60)
{
	uint32_t dumps = 0;
	pthread_t p[2];

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_stop(), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, dump_whenever_it_can, &dumps), 0);
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(perch_start(NULL), 0);
		/* many that have ended and are joined by nobody: a dump takes its time */
		for (int k = 0; k < (SANITIZER_THREAD ? 400 : 30000); k++)
			named("left behind", nothing, NULL);
		ASSERT_EQ(perch_stop(), 0);
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	harness_log("%u dumps", dumps);
}
