/* SPDX-License-Identifier: MIT */
#include "core/thread/overflow.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/thread/stack.h"

static const int taken[] = {SIGSEGV, SIGBUS};
static struct sigaction before[2];
static struct thread *(*current_thread)(void);

static void report(struct thread *t, uintptr_t address)
{
	char line[256], name[PERCH_NAME_MAX + 1];
	void *frame[64];
	struct stack *s = t->stack;
	int n;

	thread_read_name(t, name, false);
	n = snprintf(line, sizeof(line),
		     "perch: thread '%s' (%#llx) overflowed its stack of %zu bytes: "
		     "address %#lx is in its guard; backtrace:\n",
		     name, (unsigned long long)thread_handle(t), s->size, (unsigned long)address);

	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) != n)
		return;
	n = backtrace(frame, 64);
	backtrace_symbols_fd(frame, n, STDERR_FILENO);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	struct thread *t = current_thread();
	struct sigaction *old = &before[signal == taken[1]];

	if (t && t->stack && stack_in_guard(t->stack, address)) {
		report(t, address);
		abort();
	}
	if (old->sa_flags & SA_SIGINFO) {
		old->sa_sigaction(signal, info, context);
	} else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
		old->sa_handler(signal);
	} else {
		/* it faults again on return, and then the default is what happens */
		sigaction(signal, old, NULL);
	}
}

int overflow_start(struct thread *(*current)(void))
{
	struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	void *frame[2];

	current_thread = current;
	backtrace(frame, 2); /* loads the unwinder now, not in a handler */
	sigemptyset(&a.sa_mask);
	for (int i = 0; i < 2; i++)
		sigaction(taken[i], &a, &before[i]);
	return 0;
}

void overflow_stop(void)
{
	for (int i = 0; i < 2; i++) {
		struct sigaction now;

		/* somebody may have put a handler over ours meanwhile: leave theirs */
		if (!sigaction(taken[i], NULL, &now) && now.sa_sigaction == on_fault)
			sigaction(taken[i], &before[i], NULL);
	}
}
