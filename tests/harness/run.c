/* SPDX-License-Identifier: MIT */
/* run.c - one test in a process of its own, and what became of it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/helpers.h"
#include "tests/harness/internal.h"

/* What ends the runner; it must not leave the test's processes behind. */
static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void run_body(const struct harness_case *c)
{
	const void *variant = c->variant ? c->variant->data : NULL;
	void *volatile self = NULL;
	volatile bool set_up = false;

	if (c->fixture) {
		size_t size = (c->fixture->size + 64) & ~(size_t)63;

		self = aligned_alloc(64, size);
		if (!self)
			abort();
		memset(self, 0, size);
	}
	harness_escape_tid = (pid_t)syscall(SYS_gettid);
	if (!sigsetjmp(harness_escape, 1)) {
		if (c->fixture)
			c->fixture->setup(self, variant);
		set_up = true;
		c->test->run(self, variant);
	}
	/* once more around, for the tear-down: its ASSERTs end only itself */
	if (c->fixture && set_up && !sigsetjmp(harness_escape, 1))
		c->fixture->teardown(self, variant);
	harness_escape_tid = 0;
	free(self);
}

static void child(const struct harness_case *c, const sigset_t *mask) __attribute__((__noreturn__));
static void child(const struct harness_case *c, const sigset_t *mask)
{
	int null, r;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	/* a shell that starts us in the background leaves these two ignored */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	if (c->test->signal) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none); /* this death is no accident */
		signal(c->test->signal, SIG_DFL);
	}
	sigprocmask(SIG_SETMASK, mask, NULL);
	r = harness_refuse_by_environment();
	if (r) {
		harness_log("PERCH_TEST_SECCOMP=%s: %s", getenv("PERCH_TEST_SECCOMP"), strerror(-r));
		_exit(1);
	}
	harness_stress_begin();
	run_body(c);
	harness_report->ended = true;
	if (harness_report->failures || harness_report->skipped)
		_exit(harness_report->failures ? 1 : 4);
	/* not _exit: leak checks and coverage are written at exit */
	exit(0);
}

/* Wait for the child. True when it ended, false when the time was over. */
static bool wait_child(pid_t pid, const sigset_t *waited, uint64_t deadline, int *status)
{
	for (;;) {
		uint64_t now = harness_now();
		struct timespec left = {0, 0};
		siginfo_t info;
		int sig;

		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		if (now >= deadline)
			return false;
		left.tv_sec = (time_t)((deadline - now) / 1000000000);
		left.tv_nsec = (long)((deadline - now) % 1000000000);
		sig = sigtimedwait(waited, &info, &left);
		if (sig > 0 && sig != SIGCHLD) {
			kill(-pid, SIGKILL);
			signal(sig, SIG_DFL);
			raise(sig);
			sigprocmask(SIG_UNBLOCK, waited, NULL);
			_exit(128 + sig);
		}
	}
}

static enum harness_outcome judge(const struct harness_case *c, int status)
{
	const struct harness_report *r = harness_report;
	int sig = c->test->signal;

	if (WIFSIGNALED(status)) {
		if (WTERMSIG(status) == sig && !r->failures)
			return HARNESS_PASSED;
		harness_log("%s: killed by signal %d (%s)", c->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
		return HARNESS_FAILED;
	}
	if (!r->ended) {
		harness_log("%s: the process ended before the test did, with status %d", c->name, WEXITSTATUS(status));
		return HARNESS_FAILED;
	}
	if (r->failures)
		return HARNESS_FAILED;
	if (r->skipped)
		return HARNESS_SKIPPED;
	if (sig) {
		harness_log("%s: expected death by signal %d (%s), but the test returned", c->name, sig,
			    strsignal(sig));
		return HARNESS_FAILED;
	}
	if (WEXITSTATUS(status)) {
		harness_log("%s: the test returned, but its process ended with status %d", c->name,
			    WEXITSTATUS(status));
		return HARNESS_FAILED;
	}
	return HARNESS_PASSED;
}

enum harness_outcome harness_run_case(const struct harness_case *c, double factor)
{
	double seconds = c->test->seconds == HARNESS_STRESS ? 30 + 3 * harness_stress_seconds() : c->test->seconds;
	uint64_t deadline;
	sigset_t waited, mask;
	enum harness_outcome outcome;
	int status = 0;
	pid_t pid;

	memset(harness_report, 0, sizeof(*harness_report));
	sigemptyset(&waited);
	sigaddset(&waited, SIGCHLD);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaddset(&waited, deadly[i]);
	sigprocmask(SIG_BLOCK, &waited, &mask);
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		harness_log("%s: fork: %s", c->name, strerror(errno));
		sigprocmask(SIG_SETMASK, &mask, NULL);
		return HARNESS_FAILED;
	}
	if (!pid)
		child(c, &mask);
	setpgid(pid, pid); /* whoever is first */
	deadline = harness_now() + (uint64_t)(seconds * factor * 1e9);
	if (wait_child(pid, &waited, deadline, &status)) {
		outcome = judge(c, status);
	} else {
		harness_log("%s: timed out after %.4g s", c->name, seconds * factor);
		harness_show_hang(pid);
		kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
		outcome = HARNESS_FAILED;
	}
	kill(-pid, SIGKILL); /* whatever the test left running */
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (outcome == HARNESS_FAILED)
		harness_log("%s: PERCH_TEST_SEED=%llu", c->name, (unsigned long long)harness_seed());
	return outcome;
}
