/* SPDX-License-Identifier: MIT */
#include "core/sched/outermost.h"

#include <stdio.h>
#include <stdlib.h>
#include <unwind.h>

/* In programs that have a C++ runtime; terminate() is std::terminate(). */
extern void *__cxa_begin_catch(void *exception) __attribute__((weak));
extern void terminate(void) __asm__("_ZSt9terminatev") __attribute__((weak));

_Unwind_Reason_Code perch_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
				      struct _Unwind_Exception *exception, struct _Unwind_Context *context)
	__attribute__((visibility("hidden"), used));

_Unwind_Reason_Code perch_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
				      struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
	(void)version;
	(void)class;
	(void)context;
	if (actions & _UA_FORCE_UNWIND || !(actions & _UA_SEARCH_PHASE))
		return _URC_CONTINUE_UNWIND;
	if (__cxa_begin_catch)
		__cxa_begin_catch(exception); /* then the terminate handler can tell which it is */
	if (terminate)
		terminate(); /* which names the thread: core/see/terminate.c */
	fputs("perch: an exception leaves a function that perch has called\n", stderr);
	abort();
}
