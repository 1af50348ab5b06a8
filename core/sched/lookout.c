/* SPDX-License-Identifier: MIT */
#include "core/sched/lookout.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/sched/clock.h"
#include "core/sched/foreign.h"
#include "core/sched/handoff.h"
#include "core/sched/idle.h"
#include "core/sched/monitor.h"
#include "core/sched/task.h"
#include "core/sched/worker.h"

/* Without a marked call for so long, it goes to sleep. */
#define QUIET_NS 100000000u
/* A turn of anybody else is longer, unless he blocks in it. */
#define AT_ONCE_NS 20000u
#define STACK ((size_t)64 << 10)

struct lookout {
	struct processor *processor;
	pthread_t pthread;
	pid_t tid; /* 0: it does not run yet */
	uint32_t quit;
};

static const struct thread *marked(struct worker *w)
{
	return __atomic_load_n(&w->in_call, __ATOMIC_SEQ_CST);
}

/*
 * This runs, so the worker does not; but it may have been preempted for us. Then it
 * goes on, for a slice, as soon as we let go of the CPU: if we have it back at once,
 * nobody else could use it. The worker's CPU clock would tell as well, by two more
 * syscalls.
 */
static bool is_blocked(void)
{
	uint64_t before = clock_ns();

	sched_yield();
	return clock_ns() - before < AT_ONCE_NS;
}

/* *busy: some holder is awake. True: a call is marked. */
static bool look(struct processor *p, bool *busy)
{
	bool any = false;

	*busy = false;
	for (unsigned i = 0; i < p->seats; i++) {
		struct worker *w = seat_holder(p, i);
		const struct thread *t;

		if (!w || idle_asleep_one(w->index))
			continue;
		*busy = true;
		t = marked(w);
		if (!t || worker_current(w) != t)
			continue;
		any = true;
		if (!is_blocked() || marked(w) != t)
			continue;
		/* the spare, once it is called, runs instead of us: so it is told before, if
		 * there was none, and by who comes back, if there was */
		if (__atomic_load_n(&p->standby, __ATOMIC_ACQUIRE) && !handoff_take_standby(w))
			continue;
		if (!__atomic_load_n(&p->standby, __ATOMIC_ACQUIRE))
			monitor_tell(MONITOR_STANDBY);
	}
	return any;
}

static void sleep_until_called(struct lookout *l)
{
	struct processor *p = l->processor;
	bool busy;

	__atomic_store_n(&p->watched, 0, __ATOMIC_SEQ_CST);
	if (look(p, &busy) && busy) {
		__atomic_store_n(&p->watched, 1, __ATOMIC_SEQ_CST);
		return;
	}
	while (!__atomic_load_n(&p->watched, __ATOMIC_SEQ_CST) && !__atomic_load_n(&l->quit, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &p->watched, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void *lookout_main(void *arg)
{
	struct lookout *l = arg;
	const struct sched_param lowest = {0};
	uint64_t called = clock_ns();

	__atomic_store_n(&l->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELAXED);
	foreign_set_waker(false);
	pthread_setname_np(pthread_self(), "perch-lookout");
	/* not by its attributes: glibc takes no such policy there */
	if (sched_setscheduler(0, SCHED_IDLE, &lowest))
		return NULL;
	while (!__atomic_load_n(&l->quit, __ATOMIC_SEQ_CST)) {
		bool busy, any = look(l->processor, &busy);
		uint64_t now = clock_ns();

		if (any)
			called = now;
		if (!busy || now - called > QUIET_NS) {
			sleep_until_called(l);
			called = clock_ns();
		} else if (!any) { /* else it has yielded */
			sched_yield();
		}
	}
	return NULL;
}

bool lookout_make(struct processor *p)
{
	struct lookout *l = calloc(1, sizeof(*l));

	if (!l)
		return false;
	l->processor = p;
	if (task_start(&l->pthread, p->cpu, STACK, lookout_main, l)) {
		free(l);
		return false;
	}
	__atomic_store_n(&p->lookout, l, __ATOMIC_RELEASE);
	return true;
}

pid_t lookout_tid(struct processor *p)
{
	return p->lookout ? __atomic_load_n(&p->lookout->tid, __ATOMIC_RELAXED) : 0;
}

void lookout_stop(struct processor *p)
{
	struct lookout *l = p->lookout;

	if (!l)
		return;
	__atomic_store_n(&l->quit, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&p->watched, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &p->watched, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	pthread_join(l->pthread, NULL);
	free(l);
	/* workers that end may still look */
	__atomic_store_n(&p->lookout, NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&p->watched, 0, __ATOMIC_RELAXED);
}

void lookout_call(struct processor *p)
{
	/* with PERCH_HANDOFF=off there is nobody to make it: this looks called for ever */
	if (__atomic_exchange_n(&p->watched, 1, __ATOMIC_SEQ_CST))
		return;
	if (__atomic_load_n(&p->lookout, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &p->watched, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	else
		monitor_tell(MONITOR_LOOKOUT);
}
