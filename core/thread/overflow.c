/* SPDX-License-Identifier: MIT */
#include "core/thread/overflow.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/thread/stack.h"

#ifndef BUS_MCEERR_AO
#define BUS_MCEERR_AO 5 /* memory has failed, somewhere: a notice, and no instruction's fault */
#endif

static const int taken[] = {SIGSEGV, SIGBUS};
static struct sigaction before[2];
static uint32_t handed_over[2];
static struct thread *(*current_thread)(void);
static void (*report_overflow)(struct thread *t, uintptr_t address);

static void hand_over(int i, siginfo_t *info)
{
	sigaction(taken[i], &before[i], NULL);
	__atomic_store_n(&handed_over[i], 1, __ATOMIC_RELEASE);
	/* Blocked until this returns. Not to be had where the kernel takes the sender's
	 * word for forged (an old one, another's namespace): without its value then. */
	if ((info->si_code <= 0 || (taken[i] == SIGBUS && info->si_code == BUS_MCEERR_AO)) &&
	    syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), taken[i], info))
		raise(taken[i]);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	struct thread *t = current_thread();

	(void)context;
	if (info->si_code > 0 && t && t->stack && stack_in_guard(t->stack, (uintptr_t)info->si_addr)) {
		report_overflow(t, (uintptr_t)info->si_addr);
		abort();
	}
	hand_over(signal == taken[1], info);
}

static void take(int i)
{
	struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	sigemptyset(&a.sa_mask);
	sigaction(taken[i], &a, NULL);
}

static bool is_ours(const struct sigaction *a)
{
	return a->sa_flags & SA_SIGINFO && a->sa_sigaction == on_fault;
}

/* What was handed over is still there, or what SA_RESETHAND has made of it. */
static bool is_as_left(int i, const struct sigaction *now)
{
	return now->sa_handler == before[i].sa_handler ||
	       (before[i].sa_flags & (int)SA_RESETHAND && now->sa_handler == SIG_DFL);
}

void overflow_look(void)
{
	struct sigaction now;

	for (int i = 0; i < 2; i++) {
		if (__builtin_expect(!__atomic_load_n(&handed_over[i], __ATOMIC_ACQUIRE), 1))
			continue;
		__atomic_store_n(&handed_over[i], 0, __ATOMIC_RELAXED);
		if (sigaction(taken[i], NULL, &now) || is_ours(&now) || !is_as_left(i, &now))
			continue; /* the program has one that is newer */
		before[i] = now;
		take(i);
	}
}

void overflow_start(struct thread *(*current)(void), void (*report)(struct thread *t, uintptr_t address))
{
	current_thread = current;
	report_overflow = report;
	for (int i = 0; i < 2; i++) {
		handed_over[i] = 0;
		sigaction(taken[i], NULL, &before[i]);
		take(i);
	}
}

void overflow_stop(void)
{
	struct sigaction now;

	/* somebody may have put a handler over ours meanwhile: leave theirs */
	for (int i = 0; i < 2; i++)
		if (!sigaction(taken[i], NULL, &now) && is_ours(&now))
			sigaction(taken[i], &before[i], NULL);
}
