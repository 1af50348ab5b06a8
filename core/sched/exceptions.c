/* SPDX-License-Identifier: MIT */
#include "core/sched/exceptions.h"

#include "core/sched/turn.h"

/* In programs that have a C++ runtime. */
extern struct exceptions *__cxa_get_globals(void) __attribute__((weak));

struct exceptions *exceptions_here(struct exceptions *none)
{
	return __cxa_get_globals ? __cxa_get_globals() : none;
}

const void *switch_with_exceptions(struct worker *w, struct thread *from, struct thread *to, switch_hook hook,
				   void *arg)
{
	struct exceptions kept = *w->exceptions;
	const void *left;

	exceptions_drop(w->exceptions);
	left = switch_plainly(w, from, to, hook, arg);
	*worker_self()->exceptions = kept; /* of another pthread, perhaps */
	return left;
}
