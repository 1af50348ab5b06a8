/* SPDX-License-Identifier: MIT */
/* segv_test.c - SIGSEGV and SIGBUS that are no overflow do what they do without perch. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/core/overflow.h"
#include "tests/harness/harness.h"

static void *run(void *(*fn)(void *), void *arg)
{
	void *result = NULL;
	perch_t t;

	ASSERT_EQ(perch_create(&t, NULL, fn, arg), 0);
	ASSERT_EQ(perch_join(t, &result), 0);
	return result;
}

static void *raise_it(void *signal)
{
	raise((int)(intptr_t)signal);
	return signal;
}

/* ---- no handler ---- */

TEST_SIGNAL(sent_to_itself, SIGSEGV)
{
	overflow_leaves_no_core();
	signal(SIGSEGV, SIG_DFL); /* a sanitizer has one */
	ASSERT_EQ(perch_start(NULL), 0);
	run(raise_it, (void *)SIGSEGV);
}

TEST_SIGNAL(sigbus_sent_to_itself, SIGBUS)
{
	overflow_leaves_no_core();
	signal(SIGBUS, SIG_DFL);
	ASSERT_EQ(perch_start(NULL), 0);
	run(raise_it, (void *)SIGBUS);
}

TEST_SIGNAL(sent_to_the_process, SIGSEGV)
{
	overflow_leaves_no_core();
	signal(SIGSEGV, SIG_DFL);
	ASSERT_EQ(perch_start(NULL), 0);
	kill(getpid(), SIGSEGV);
	for (;;)
		pause();
}

TEST(is_ignored_where_it_was)
{
	signal(SIGSEGV, SIG_IGN);
	ASSERT_EQ(perch_start(NULL), 0);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ((intptr_t)run(raise_it, (void *)SIGSEGV), SIGSEGV);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- the program's own ---- */

static struct {
	int calls;
	sigset_t mask;
	siginfo_t info;
	uintptr_t frame;
} seen;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	char here;

	(void)signal;
	(void)context;
	seen.calls++;
	seen.info = *info;
	seen.frame = (uintptr_t)&here;
	pthread_sigmask(SIG_SETMASK, NULL, &seen.mask);
}

static void install(int signal, int flags)
{
	struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};

	sigemptyset(&a.sa_mask);
	sigaddset(&a.sa_mask, SIGUSR1);
	ASSERT_EQ(sigaction(signal, &a, NULL), 0);
}

/* Is the signal's handler another than on_signal()? Then perch has taken it again. */
static bool taken_again(int signal)
{
	struct sigaction now;

	ASSERT_EQ(sigaction(signal, NULL, &now), 0);
	return now.sa_sigaction != on_signal && now.sa_handler != SIG_DFL;
}

/* In a thread: the monitor looks while one runs. */
static void *until_taken_again(void *signal)
{
	while (!taken_again((int)(intptr_t)signal))
		perch_yield();
	return NULL;
}

FIXTURE(signals)
{
	char unused;
};

FIXTURE_VARIANT(signals)
{
	int signal;
};

FIXTURE_VARIANT_ADD(signals, segv){.signal = SIGSEGV};
FIXTURE_VARIANT_ADD(signals, bus){.signal = SIGBUS};

FIXTURE_SETUP(signals)
{
	if (SANITIZER_THREAD)
		SKIP("the sanitizer calls handlers by itself, later and with a mask of its own");
	overflow_leaves_no_core();
	memset(&seen, 0, sizeof(seen));
}

FIXTURE_TEARDOWN(signals)
{
	EXPECT_EQ(perch_stop(), 0);
}

static void *send_value(void *signal)
{
	siginfo_t info = {.si_signo = (int)(intptr_t)signal, .si_code = SI_QUEUE};

	info.si_pid = getpid();
	info.si_value.sival_int = 42;
	syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), info.si_signo, &info);
	return signal;
}

TEST_F(signals, come_with_the_mask_and_what_the_sender_gave)
{
	install(variant->signal, 0);
	ASSERT_EQ(perch_start(NULL), 0);
	for (int i = 1; i <= 3; i++) {
		run(send_value, (void *)(intptr_t)variant->signal);
		EXPECT_EQ(seen.calls, i);
		EXPECT_EQ(seen.info.si_value.sival_int, 42);
		EXPECT_EQ(seen.info.si_code, SI_QUEUE);
		EXPECT_EQ(sigismember(&seen.mask, SIGUSR1), 1);
		EXPECT_EQ(sigismember(&seen.mask, SIGUSR2), 0);
		EXPECT_EQ(sigismember(&seen.mask, variant->signal), 1);
		run(until_taken_again, (void *)(intptr_t)variant->signal);
	}
}

TEST_F(signals, are_not_blocked_in_a_handler_with_nodefer)
{
	install(variant->signal, SA_NODEFER);
	ASSERT_EQ(perch_start(NULL), 0);
	run(raise_it, (void *)(intptr_t)variant->signal);
	EXPECT_EQ(seen.calls, 1);
	EXPECT_EQ(sigismember(&seen.mask, variant->signal), 0);
}

static void *on_which_stack(void *signal)
{
	char here;

	raise((int)(intptr_t)signal);
	EXPECT_LT((uintptr_t)&here - seen.frame, 65536u);
	return NULL;
}

TEST_F(signals, are_handled_on_the_threads_stack)
{
	install(variant->signal, 0);
	ASSERT_EQ(perch_start(NULL), 0);
	run(on_which_stack, (void *)(intptr_t)variant->signal);
	EXPECT_EQ(seen.calls, 1);
}

static void second_kills(void *signal)
{
	overflow_leaves_no_core();
	install((int)(intptr_t)signal, SA_RESETHAND);
	if (perch_start(NULL))
		_exit(9);
	run(raise_it, signal);
	if (seen.calls != 1)
		_exit(10);
	run(raise_it, signal);
	_exit(11);
}

TEST_F(signals, are_handled_once_with_resethand)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, second_kills, (void *)(intptr_t)variant->signal), 0);
	EXPECT_TRUE(WIFSIGNALED(c.status));
	EXPECT_EQ(WTERMSIG(c.status), variant->signal);
	harness_release(&c);
	ASSERT_EQ(perch_start(NULL), 0); /* for the tear-down */
}

/* ---- probing ---- */

static sigjmp_buf back;
static int faults;

static void on_probe(int signal)
{
	(void)signal;
	faults++;
	siglongjmp(back, 1);
}

static bool readable(const volatile char *p)
{
	volatile bool yes = true;

	if (sigsetjmp(back, 0))
		return false;
	(void)*p;
	return yes;
}

static void *probe_often(void *page)
{
	for (int i = 0; i < 1000; i++) {
		EXPECT_FALSE(readable(page));
		EXPECT_TRUE(readable((char *)&faults));
		if (i % 100 == 0)
			perch_sleep(3000000); /* some after it was taken again */
	}
	return NULL;
}

TEST(memory_is_probed_by_a_handler_that_jumps)
{
	struct sigaction a = {.sa_handler = on_probe, .sa_flags = SA_NODEFER};
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (SANITIZER_THREAD)
		SKIP("the sanitizer calls handlers by itself");
	ASSERT_NE(page, MAP_FAILED);
	ASSERT_EQ(sigaction(SIGSEGV, &a, NULL), 0);
	ASSERT_EQ(perch_start(NULL), 0);
	run(probe_often, page);
	EXPECT_EQ(faults, 1000);
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- reports stay ---- */

static void overflow_later(void *unused)
{
	(void)unused;
	overflow_leaves_no_core();
	install(SIGSEGV, 0);
	if (perch_start(NULL))
		_exit(9);
	run(raise_it, (void *)SIGSEGV);
	if (seen.calls != 1)
		_exit(10);
	run(until_taken_again, (void *)SIGSEGV);
	run(overflow_in_thread, NULL);
	_exit(11);
}

TEST(an_overflow_is_told_after_others_were_handled)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, overflow_later, NULL), 0);
	EXPECT_TRUE(WIFSIGNALED(c.status));
	EXPECT_EQ(WTERMSIG(c.status), SIGABRT);
	EXPECT_CONTAINS(c.text, "overflowed its stack");
	harness_release(&c);
}

static void handler_of_later(void *unused)
{
	(void)unused;
	overflow_leaves_no_core();
	if (perch_start(NULL))
		_exit(9);
	install(SIGSEGV, 0);
	for (int i = 1; i <= 20; i++) {
		run(raise_it, (void *)SIGSEGV);
		if (seen.calls != i || taken_again(SIGSEGV))
			_exit(10);
	}
	_exit(11);
}

/* One that the program installs after the start is its own business. */
TEST(a_handler_of_later_stays)
{
	struct harness_captured c;

	ASSERT_EQ(harness_capture(&c, handler_of_later, NULL), 0);
	EXPECT_TRUE(WIFEXITED(c.status));
	EXPECT_EQ(WEXITSTATUS(c.status), 11);
	harness_release(&c);
}
