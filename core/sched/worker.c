/* SPDX-License-Identifier: MIT */
#include "core/sched/worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include <perch/task.h>

#include "core/sched/outermost.h"
#include "core/sched/sched.h"
#include "core/sched/task.h"
#include "core/thread/fibre.h"
#include "core/thread/stack.h"

#ifndef SCHED_FLAG_RESET_ON_FORK
#define SCHED_FLAG_RESET_ON_FORK 1 /* linux/sched.h, which sched.h is at odds with */
#endif
#define SIGNAL_STACK ((size_t)64 << 10)
#define SPIN_NS 50000
#define SLICE_NS 500000 /* below the least that the kernel gives by itself, 0.7 ms */

/*
 * A slice shorter than other pthreads' (Linux 6.12): a worker that is woken then
 * preempts who woke it, on the same CPU, instead of waiting until that one lets
 * go of it. Kernels before take it for nothing; if it is refused, so be it.
 *
 * What the worker makes starts with the kernel's default again: that is what the flag asks
 * for. It would also take a nice value below 0 from it, so a worker that has one keeps the
 * kernel's slice.
 */
void worker_short_slice(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {0}; /* struct sched_attr, its first version */

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) ||
	    (attr.policy != SCHED_OTHER && attr.policy != SCHED_BATCH) || attr.nice < 0)
		return;
	attr.runtime = SLICE_NS;
	attr.flags |= SCHED_FLAG_RESET_ON_FORK;
	syscall(SYS_sched_setattr, 0, &attr, 0);
}

void worker_give_back(struct worker *w)
{
	thread_cache_empty(&w->kept);
	if (w->beside)
		stack_put(w->beside);
	w->beside = NULL;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	stack_t signal_stack = {.ss_sp = w->signal_stack, .ss_size = SIGNAL_STACK};

	OUTERMOST();
	perch_worker = w;
	w->exceptions = exceptions_here(&w->no_exceptions);
	__atomic_store_n(&w->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELAXED);
	perch_stack_limit = 0;
	sigaltstack(&signal_stack, NULL);
	/* a spare is started by the monitor, which blocks all, and has a name of its own */
	pthread_sigmask(SIG_SETMASK, &sched.signals, NULL);
	prctl(PR_SET_NAME, sched.name);
	worker_short_slice();
	prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul); /* else a sleeper's timer is up to 50 us late */
	fibre_worker(w);
	urcu_qsbr_register_thread();
	sched_loop(w);
	worker_give_back(w);
	urcu_qsbr_unregister_thread();
	signal_stack = (stack_t){.ss_flags = SS_DISABLE};
	sigaltstack(&signal_stack, NULL);
	perch_worker = NULL;
	perch_stack_limit = UINTPTR_MAX;
	return NULL;
}

/* Only the worker writes it, as a plain word that is in every switch's way. */
__attribute__((noinline, no_sanitize("thread"))) const struct thread *worker_current(const struct worker *w)
{
	return *(struct thread *const volatile *)&w->current;
}

void worker_clear(struct worker *w, struct processor *home, uint32_t index, uint32_t seat)
{
	memset(w, 0, sizeof(*w));
	w->current = &w->base;
	w->base.generation = 1;
	w->home = home;
	w->exceptions = &w->no_exceptions;
	w->kept.home = group_several ? (uint8_t)(group_of_node(home->node) + 1) : 0;
	w->index = index;
	w->duty = duty_word(DUTY_HOLDS, seat);
	w->rounds = SCHED_FAIR_ROUND;
	w->timer_every = 1;
	w->aim_turn = index;
	w->random = (uint64_t)index * 0x9e3779b97f4a7c15u + 1;
	w->spin_ns = SPIN_NS;
}

static void say_unplaced(int error)
{
	static uint32_t told;

	if (!__atomic_exchange_n(&told, 1, __ATOMIC_RELAXED))
		fprintf(stderr,
			"perch: workers cannot be kept on their CPUs, they run slower: sched_setaffinity: %s "
			"(a filter refuses it)\n",
			strerrordesc_np(error));
}

int worker_start(struct worker *w)
{
	pthread_attr_t attr;
	int r, placed;

	w->signal_stack =
		mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->signal_stack == MAP_FAILED)
		return -ENOMEM;
	pthread_attr_init(&attr);
	r = task_attr_on(&attr, w->home->cpu);
	if (!r)
		r = pthread_create(&w->pthread, &attr, worker_main, w);
	/* the CPU has just gone: until that is noticed (resize.h), anywhere; or a filter refuses that
	 * pthreads are placed, and then anywhere for good: its sections fail where it is not at home */
	if (r == EINVAL || r == EPERM || r == ENOSYS) {
		placed = r;
		r = pthread_create(&w->pthread, NULL, worker_main, w);
		if (!r && placed != EINVAL)
			say_unplaced(placed);
	}
	pthread_attr_destroy(&attr);
	if (r)
		munmap(w->signal_stack, SIGNAL_STACK);
	return -r;
}

void worker_join(struct worker *w)
{
	pthread_join(w->pthread, NULL);
	munmap(w->signal_stack, SIGNAL_STACK);
}
