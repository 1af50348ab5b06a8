/* SPDX-License-Identifier: MIT */
#include "core/see/terminate.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/sched/worker.h"

typedef void (*handler)(void);

/* std::set_terminate(), of libstdc++ or libc++. */
extern handler set_terminate(handler) __asm__("_ZSt13set_terminatePFvvE") __attribute__((weak));

static handler before;

/* Of several pthreads that come here at once the first ends the process: what two report at a
 * time is neither's (libstdc++ says "called recursively"). */
static void first_or_never(void)
{
	static pid_t ending;
	pid_t me = (pid_t)syscall(SYS_gettid), before_me = 0;

	if (!__atomic_compare_exchange_n(&ending, &before_me, me, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) &&
	    before_me != me)
		for (;;)
			pause();
}

static void name_thread(void)
{
	struct worker *w = worker_self();
	char name[PERCH_NAME_MAX + 1];

	first_or_never();
	if (w && w->current != &w->base) {
		thread_read_name(w->current, name, false);
		fprintf(stderr, "perch: std::terminate() in thread '%s' (%#llx)%s\n", name,
			(unsigned long long)thread_handle(w->current),
			w->current->flags & THREAD_CARRIER ? ", which runs a task" : "");
	}
	if (before)
		before();
	abort();
}

void terminate_start(void)
{
	if (set_terminate)
		before = set_terminate(name_thread);
}

void terminate_stop(void)
{
	handler now;

	if (!set_terminate)
		return;
	now = set_terminate(before);
	if (now != name_thread) /* somebody has put another over ours meanwhile: leave theirs */
		set_terminate(now);
}
