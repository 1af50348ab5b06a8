/* SPDX-License-Identifier: MIT */
/*
 * refused_calls_test.c - each system call that the runtime makes is refused, with EPERM and with
 * ENOSYS, from the start and after its first use. Which they are is seen by tracing, so that a
 * new one is covered the day it comes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/harness.h"
#include "tests/refuse/traced.h"
#include "tests/refuse/work.h"

/* Runs beside each other: they mostly sleep. */
#define BESIDE 4
/* Seconds of one run, after which it hangs. */
#define PATIENCE 30

/* Without these there is no process, no memory, or no pthread, with or without perch; nobody
 * refuses getpid(); and glibc ends a process that may not register a pthread for rseq. */
static const int vital[] = {
	SYS_brk,  SYS_clone,    SYS_exit,   SYS_exit_group,      SYS_execve,       SYS_futex,          SYS_getpid,
	SYS_mmap, SYS_mprotect, SYS_munmap, SYS_restart_syscall, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rseq,
};

/* What the work itself asks for: it is told. */
static const int own[] = {
	SYS_clock_nanosleep,
	SYS_close,
	SYS_openat,
	SYS_ppoll,
	SYS_read,
	SYS_recvfrom,
	SYS_sendto,
	SYS_socketpair,
	SYS_unlink,
	SYS_write,
#ifdef SYS_poll
	SYS_poll,
#endif
};

static bool among(int number, const int *set, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (set[i] == number)
			return true;
	return false;
}

static void work_once(void)
{
	const char *wrong;

	traced_mark();
	if (perch_start(NULL))
		_exit(2);
	wrong = work();
	if (wrong || perch_stop())
		_exit(3);
	traced_mark();
}

struct run {
	int number, error;
	bool later;
	pid_t pid;
	int out; /* what it writes */
};

/* Exits with 0: all went well; 4: not started, and the line says why. */
static void refused(const struct run *r)
{
	struct rlimit none = {0, 0};
	const char *wrong = NULL;
	int result;

	setrlimit(RLIMIT_CORE, &none);
	alarm(PATIENCE);
	if (!r->later && harness_refuse_number(r->number, r->error))
		_exit(5);
	result = perch_start(NULL);
	if (result)
		_exit(r->later || result >= 0 ? 6 : 4);
	if (r->later)
		wrong = work();
	if (!wrong && r->later && harness_refuse_number(r->number, r->error))
		_exit(5);
	if (!wrong)
		wrong = work();
	if (wrong) {
		fprintf(stderr, "%s\n", wrong);
		_exit(7);
	}
	_exit(perch_stop() ? 8 : 0);
}

static void begin(struct run *r)
{
	int out[2];

	ASSERT_EQ(pipe(out), 0);
	r->pid = fork();
	ASSERT_GE(r->pid, 0);
	if (!r->pid) {
		dup2(out[1], STDERR_FILENO);
		close(out[0]);
		close(out[1]);
		refused(r);
	}
	close(out[1]);
	r->out = out[0];
}

static void end(struct run *r)
{
	char text[4096];
	size_t n = 0;
	ssize_t k;
	int status;

	while ((k = read(r->out, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)k;
	text[n] = 0;
	close(r->out);
	ASSERT_EQ(waitpid(r->pid, &status, 0), r->pid);
	if (!status)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 4 && n)
		harness_log("call %d, error %d, from the start: not started: %s", r->number, r->error, text);
	else
		harness_log("call %d, error %d, %s: status %#x: %s", r->number, r->error,
			    r->later ? "later" : "from the start", (unsigned)status, text);
	EXPECT_EQ(status, 4 << 8);
	EXPECT_GT(n, 0u);
}

static bool made[TRACED_CALLS];

static void with(int error, bool later)
{
	struct run run[BESIDE];
	int calls = 0, running = 0;

	if (SANITIZER_THREAD || SANITIZER_ADDRESS)
		SKIP("the sanitizer makes calls of its own");
	ASSERT_EQ(traced(work_once, made), 0);
	for (int number = 0; number < TRACED_CALLS; number++) {
		if (!made[number] || among(number, vital, sizeof(vital) / sizeof(vital[0])) ||
		    among(number, own, sizeof(own) / sizeof(own[0])))
			continue;
		calls++;
		if (running == BESIDE) {
			end(&run[0]);
			memmove(run, run + 1, (BESIDE - 1) * sizeof(*run));
			running--;
		}
		run[running] = (struct run){.number = number, .error = error, .later = later};
		begin(&run[running++]);
	}
	for (int i = 0; i < running; i++)
		end(&run[i]);
	harness_log("%d calls", calls);
	EXPECT_GE(calls, 15); /* else it was not seen what is made */
}

TEST_TIMEOUT(eperm_from_the_start, 120)
{
	with(EPERM, false);
}

TEST_TIMEOUT(enosys_from_the_start, 120)
{
	with(ENOSYS, false);
}

TEST_TIMEOUT(eperm_later, 120)
{
	with(EPERM, true);
}

TEST_TIMEOUT(enosys_later, 120)
{
	with(ENOSYS, true);
}
