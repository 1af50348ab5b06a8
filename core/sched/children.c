/* SPDX-License-Identifier: MIT */
#include "core/sched/children.h"

#include <errno.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "core/sched/resize.h"
#include "core/sched/sched.h"
#include "core/sched/worker.h"

static unsigned long slack = 50000; /* ns: the kernel's default */

void children_start(void)
{
	int now = prctl(PR_GET_TIMERSLACK);

	if (now > 0)
		slack = (unsigned long)now;
}

bool children_begin(void)
{
	struct worker *w = worker_self();
	int saved = errno;

	if (__builtin_expect(!w || w->lends || !sched_up(), 1))
		return false;
	prctl(PR_SET_TIMERSLACK, slack, 0ul, 0ul, 0ul);
	resize_lend(w);
	errno = saved;
	return true;
}

void children_made(void)
{
	struct worker *w = worker_self();
	int saved = errno;

	if (!w || !w->lends)
		return;
	prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
	resize_return(w);
	errno = saved;
}

/* ---- fork() ---- */

static void before_fork(void)
{
	children_begin();
}

/* The child keeps what it has now, and it lends no more: no worker is there. */
static void in_child(void)
{
	resize_forked();
}

void children_hook_fork(void)
{
	pthread_atfork(before_fork, children_made, in_child);
}
