/* SPDX-License-Identifier: MIT */
#include "tests/refuse/traced.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A call that nobody else makes: no such pid. */
#define MARK (-12345)

void traced_mark(void)
{
	syscall(SYS_getpgid, MARK);
}

static void note(pid_t tid, bool made[TRACED_CALLS], bool *within)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <
		    (long)offsetof(struct __ptrace_syscall_info, entry) ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	if (info.entry.nr == SYS_getpgid && (int)info.entry.args[0] == MARK)
		*within = !*within;
	else if (*within && info.entry.nr < TRACED_CALLS)
		made[info.entry.nr] = true;
}

int traced(void (*fn)(void), bool made[TRACED_CALLS])
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	pid_t child = fork();
	bool within = false;
	int status;

	if (child < 0)
		return -errno;
	if (!child) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(99);
		raise(SIGSTOP);
		fn();
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child)
		return -errno;
	if (!WIFSTOPPED(status))
		return WIFEXITED(status) && WEXITSTATUS(status) == 99 ? -EPERM : status;
	if (ptrace(PTRACE_SETOPTIONS, child, NULL, options) || ptrace(PTRACE_SYSCALL, child, NULL, NULL))
		return -errno;
	for (;;) {
		pid_t tid = waitpid(-1, &status, __WALL);
		long signal = 0;

		if (tid < 0)
			return -errno;
		if (!WIFSTOPPED(status)) {
			if (tid == child)
				return status;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			note(tid, made, &within);
		else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP)
			signal = WSTOPSIG(status);
		ptrace(PTRACE_SYSCALL, tid, NULL, signal);
	}
}
