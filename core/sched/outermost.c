/* SPDX-License-Identifier: MIT */
#include "core/sched/outermost.h"

#include <stdio.h>
#include <stdlib.h>
#include <unwind.h>

#include "core/sched/worker.h"

/* In programs that have a C++ runtime; terminate() is std::terminate(). */
extern void *__cxa_begin_catch(void *exception) __attribute__((weak));
extern void terminate(void) __asm__("_ZSt9terminatev") __attribute__((weak));

/* Its threads, and those that wait for them, would hang. */
static __attribute__((noreturn)) void worker_is_ended(void)
{
	struct worker *w = worker_self();
	char name[PERCH_NAME_MAX + 1] = "";

	if (w->current != &w->base)
		thread_read_name(w->current, name, false);
	fprintf(stderr,
		w->current != &w->base ? "perch: pthread_exit() or pthread_cancel() of a worker, in thread '%s': a "
					 "thread ends by perch_exit()\n"
				       : "perch: pthread_cancel() of a worker%s: workers end in perch_stop()\n",
		name);
	abort();
}

_Unwind_Reason_Code perch_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
				      struct _Unwind_Exception *exception, struct _Unwind_Context *context)
	__attribute__((visibility("hidden"), used));

_Unwind_Reason_Code perch_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
				      struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
	(void)version;
	(void)class;
	(void)context;
	if (actions & _UA_FORCE_UNWIND && worker_self())
		worker_is_ended();
	if (actions & _UA_FORCE_UNWIND || !(actions & _UA_SEARCH_PHASE))
		return _URC_CONTINUE_UNWIND;
	if (__cxa_begin_catch)
		__cxa_begin_catch(exception); /* then the terminate handler can tell which it is */
	if (terminate)
		terminate(); /* which names the thread: core/see/terminate.c */
	fputs("perch: an exception leaves a function that perch has called\n", stderr);
	abort();
}
