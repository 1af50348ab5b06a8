/* SPDX-License-Identifier: MIT */
/* fork_test.c - fork(2) in a program that uses perch. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/gather.h"

static uint32_t released, ran_in_child, in_child;

static void *until_released(void *arg)
{
	/* a copy of the parent's thread, run a second time, would show here */
	if (__atomic_load_n(&in_child, __ATOMIC_ACQUIRE))
		count_up(&ran_in_child);
	while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE))
		perch_yield();
	return arg;
}

static void add_one(void *arg)
{
	count_up(arg);
}

static void nothing(size_t lo, size_t hi, void *context)
{
	(void)lo;
	(void)hi;
	(void)context;
}

static bool calls_fail_in_child(void)
{
	perch_waitgroup_t wg = PERCH_WAITGROUP_INIT;
	struct perch_stats s;
	uint32_t n = 0;
	perch_call_t c;
	perch_t t = 5;

	EXPECT_EQ(perch_create(&t, NULL, until_released, NULL), -EPERM);
	EXPECT_EQ(t, 5);
	EXPECT_EQ(perch_go(add_one, &n), -EPERM);
	EXPECT_EQ(perch_join(5, NULL), -EPERM);
	EXPECT_EQ(perch_detach(5), -EPERM);
	EXPECT_EQ(perch_start(NULL), -EPERM);
	EXPECT_EQ(perch_run(NULL, until_released, NULL, NULL), -EPERM);
	EXPECT_EQ(perch_stats_get(&s), -EPERM);
	EXPECT_EQ(perch_for(0, 10, 1, nothing, NULL), -EPERM);
	EXPECT_NE(perch_fork(&c, add_one, &n), 0);
	EXPECT_EQ(perch_sync(&c), -EINVAL);
	EXPECT_EQ(perch_waitgroup_add(&wg, 1), 0);
	EXPECT_EQ(perch_waitgroup_wait(&wg), -EPERM);
	EXPECT_EQ(perch_waitgroup_done(&wg), 0);
	EXPECT_EQ(perch_waitgroup_wait(&wg), 0);
	EXPECT_EQ(perch_procs(), 0);
	EXPECT_EQ(n, 0);
	return true;
}

static unsigned count_in(const char *text, const char *part)
{
	unsigned n = 0;

	while ((text = strstr(text, part))) {
		n++;
		text += strlen(part);
	}
	return n;
}

static void child_of_pthread(void *arg)
{
	(void)arg;
	__atomic_store_n(&in_child, 1, __ATOMIC_RELEASE);
	calls_fail_in_child();
	perch_yield(); /* the system's: this pthread is no worker */
	EXPECT_EQ(perch_stop(), -EPERM);
	EXPECT_EQ(ran_in_child, 0);
}

/* Everything that a queue can hold is in one when the fork happens. */
static void fill_queues(perch_t *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, until_released, NULL), 0);
}

enum { N = 10000 };
static perch_t t[N];

TEST(calls_in_the_child_say_so_once)
{
	struct harness_captured c;

	ASSERT_EQ(perch_start(NULL), 0);
	fill_queues(t, N);
	ASSERT_EQ(harness_capture(&c, child_of_pthread, NULL), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_CONTAINS(c.text, "fork()");
	EXPECT_EQ(count_in(c.text, "perch: "), 1);
	harness_release(&c);
	/* the parent does not notice */
	__atomic_store_n(&released, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < N; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
}

static void child_of_thread(void *arg)
{
	perch_t self = *(perch_t *)arg;

	__atomic_store_n(&in_child, 1, __ATOMIC_RELEASE);
	calls_fail_in_child();
	EXPECT_EQ(perch_self(), self);
	for (int i = 0; i < 1000; i++)
		EXPECT_EQ(perch_yield(), -EPERM);
	EXPECT_EQ(ran_in_child, 0);
}

static void *fork_in_thread(void *arg)
{
	struct harness_captured c;
	perch_t self = perch_self();

	ASSERT_EQ(harness_capture(&c, child_of_thread, &self), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_EQ(count_in(c.text, "perch: "), 1);
	harness_release(&c);
	return arg;
}

TEST(forked_in_a_thread)
{
	perch_attr_t a;
	perch_t f;

	ASSERT_EQ(perch_start(NULL), 0);
	perch_attr_init(&a);
	perch_attr_setstacksize(&a, (size_t)1 << 20);
	fill_queues(t, N);
	ASSERT_EQ(perch_create(&f, &a, fork_in_thread, NULL), 0);
	ASSERT_EQ(perch_join(f, NULL), 0);
	__atomic_store_n(&released, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < N; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- while another pthread starts and stops the runtime ---- */

static void *start_and_stop(void *ended)
{
	while (!__atomic_load_n((uint32_t *)ended, __ATOMIC_ACQUIRE)) {
		int r = perch_start(NULL);

		ASSERT_EQ(r, 0);
		ASSERT_EQ(perch_stop(), 0);
	}
	return NULL;
}

static void start_in_child(void *arg)
{
	int r = perch_start(NULL);

	(void)arg;
	/* as the moment is: in the child of a running program, or of one that is not */
	if (r == -EPERM)
		_exit(perch_stop() == -EPERM ? 1 : 9);
	_exit(r || perch_stop() ? 9 : 2);
}

TEST_TIMEOUT(forked_while_another_starts_and_stops, 120)
{
	unsigned forked[3] = {0};
	uint32_t ended = 0;
	pthread_t other;

	if (SANITIZER_THREAD)
		SKIP("the sanitizer makes no pthreads in the child of a process that has several");
	ASSERT_EQ(pthread_create(&other, NULL, start_and_stop, &ended), 0);
	for (int i = 0; i < 200; i++) {
		struct harness_captured c;

		/* one that hangs: this test's time-out */
		ASSERT_EQ(harness_capture(&c, start_in_child, NULL), 0);
		ASSERT_TRUE(WIFEXITED(c.status));
		ASSERT_LE(WEXITSTATUS(c.status), 2);
		forked[WEXITSTATUS(c.status)]++;
		harness_release(&c);
	}
	__atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
	pthread_join(other, NULL);
	harness_log("%u children of a running program, %u of another", forked[1], forked[2]);
}

static void *exec_in_thread(void *arg)
{
	struct harness_captured c;
	char *argv[] = {"/bin/echo", "hello from exec", NULL};

	ASSERT_EQ(harness_execute(&c, argv), 0);
	EXPECT_EQ(c.status, 0);
	EXPECT_STREQ(c.text, "hello from exec\n");
	harness_release(&c);
	return arg;
}

TEST(the_child_may_exec)
{
	perch_attr_t a;
	perch_t f;

	ASSERT_EQ(perch_start(NULL), 0);
	exec_in_thread(NULL);
	perch_attr_init(&a);
	perch_attr_setstacksize(&a, (size_t)1 << 20);
	ASSERT_EQ(perch_create(&f, &a, exec_in_thread, NULL), 0);
	ASSERT_EQ(perch_join(f, NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
}

static void use_perch(void *arg)
{
	void *result;
	perch_t f;

	if (perch_start(NULL) || perch_create(&f, NULL, until_released, arg) || perch_join(f, &result) ||
	    result != arg || perch_stop())
		_exit(5);
}

/* A fork while the runtime is not up is an ordinary one. */
TEST(forked_before_start_and_after_stop)
{
	struct harness_captured c;
	int x;

	released = 1;
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(harness_capture(&c, use_perch, &x), 0);
		EXPECT_EQ(c.status, 0);
		harness_release(&c);
		use_perch(&x);
	}
}
