/* SPDX-License-Identifier: MIT */
/* exit_test.c - a worker that the program ends as a pthread: a clear end, and no hang. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/core/overflow.h"
#include "tests/harness/harness.h"

static void run(void *(*fn)(void *))
{
	perch_attr_t attr;
	perch_t t;

	overflow_leaves_no_core();
	if (perch_start(NULL))
		_exit(2);
	perch_attr_init(&attr);
	perch_attr_setname(&attr, "culprit");
	if (perch_create(&t, &attr, fn, NULL) || perch_join(t, NULL))
		_exit(3);
	_exit(4);
}

static void ends_by_abort(void (*fn)(void *), const char *said)
{
	struct harness_captured c;

	if (SANITIZER_THREAD)
		SKIP("the sanitizer ends the process by itself, in pthread_exit()");
	ASSERT_EQ(harness_capture(&c, fn, NULL), 0);
	EXPECT_TRUE(WIFSIGNALED(c.status));
	EXPECT_EQ(WTERMSIG(c.status), SIGABRT);
	EXPECT_CONTAINS(c.text, said);
	harness_release(&c);
}

static void *exits(void *arg)
{
	pthread_exit(arg);
}

static void run_exits(void *unused)
{
	(void)unused;
	run(exits);
}

TEST(pthread_exit_in_a_thread)
{
	ends_by_abort(run_exits, "pthread_exit() or pthread_cancel() of a worker, in thread 'culprit'");
}

static void *cancels_itself(void *arg)
{
	pthread_cancel(pthread_self());
	pthread_testcancel();
	return arg;
}

static void run_cancels_itself(void *unused)
{
	(void)unused;
	run(cancels_itself);
}

TEST(pthread_cancel_of_oneself)
{
	ends_by_abort(run_cancels_itself, "in thread 'culprit'");
}

/* In a task, which a thief may run. */
static void task_exits(size_t lo, size_t hi, void *unused)
{
	(void)unused;
	if (lo <= 500 && 500 < hi)
		pthread_exit(NULL);
}

static void *loop(void *arg)
{
	perch_for(0, 1000, 1, task_exits, NULL);
	return arg;
}

static void run_loop(void *unused)
{
	(void)unused;
	run(loop);
}

TEST(pthread_exit_in_a_loop)
{
	ends_by_abort(run_loop, "pthread_exit() or pthread_cancel() of a worker");
}

static pthread_t of_worker;

static void *tell(void *arg)
{
	of_worker = pthread_self();
	return arg;
}

/* While it sleeps for I/O, in a call that is a cancellation point. */
static void *reads(void *fd)
{
	char b;

	perch_read(*(int *)fd, &b, 1);
	return fd;
}

static void cancel_asleep(void *unused)
{
	const struct perch_config one = {.procs = 1};
	int end[2];
	perch_t t;

	(void)unused;
	overflow_leaves_no_core();
	if (pipe(end) || perch_start(&one) || perch_create(&t, NULL, tell, NULL) || perch_join(t, NULL) ||
	    perch_create(&t, NULL, reads, &end[0]))
		_exit(2);
	usleep(50000); /* mostly it sleeps by then; if not, it will be found later */
	pthread_cancel(of_worker);
	perch_join(t, NULL);
	_exit(4);
}

TEST(pthread_cancel_of_a_worker_that_sleeps)
{
	ends_by_abort(cancel_asleep, "pthread_cancel() of a worker: workers end in perch_stop()");
}

/* A pthread of the program's own may end in what it has perch call. */
static perch_once_t once = PERCH_ONCE_INIT;

static void exits_in_once(void)
{
	pthread_exit(&once);
}

static void *calls_once(void *arg)
{
	perch_once(&once, exits_in_once);
	return arg;
}

TEST(pthread_exit_of_another_pthread)
{
	void *result = NULL;
	pthread_t p;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(pthread_create(&p, NULL, calls_once, NULL), 0);
	ASSERT_EQ(pthread_join(p, &result), 0);
	EXPECT_EQ(result, &once);
	ASSERT_EQ(perch_stop(), 0);
}
