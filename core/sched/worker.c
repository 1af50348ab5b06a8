/* SPDX-License-Identifier: MIT */
#include "core/sched/worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <urcu-qsbr.h>

#include <perch/task.h>

#include "core/sched/sched.h"
#include "core/thread/fibre.h"

#define SIGNAL_STACK ((size_t)64 << 10)
#define SPIN_NS 50000

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	stack_t signal_stack = {.ss_sp = w->signal_stack, .ss_size = SIGNAL_STACK};

	perch_worker = w;
	perch_stack_limit = 0;
	sigaltstack(&signal_stack, NULL);
	fibre_worker(w);
	urcu_qsbr_register_thread();
	sched_loop(w);
	urcu_qsbr_unregister_thread();
	signal_stack = (stack_t){.ss_flags = SS_DISABLE};
	sigaltstack(&signal_stack, NULL);
	perch_worker = NULL;
	perch_stack_limit = UINTPTR_MAX;
	return NULL;
}

void worker_clear(struct worker *w, struct processor *home, uint32_t index)
{
	memset(w, 0, sizeof(*w));
	w->current = &w->base;
	w->base.generation = 1;
	w->home = home;
	w->index = index;
	w->rounds = SCHED_FAIR_ROUND;
	w->random = (uint64_t)index * 0x9e3779b97f4a7c15u + 1;
	w->spin_ns = SPIN_NS;
}

int worker_start(struct worker *w)
{
	int r, cpus = w->home->cpu + 1;
	size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
	cpu_set_t *cpu = CPU_ALLOC((size_t)cpus);
	pthread_attr_t attr;

	if (!cpu)
		return -ENOMEM;
	w->signal_stack =
		mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->signal_stack == MAP_FAILED) {
		CPU_FREE(cpu);
		return -ENOMEM;
	}
	CPU_ZERO_S(bytes, cpu);
	CPU_SET_S(w->home->cpu, bytes, cpu);
	pthread_attr_init(&attr);
	r = pthread_attr_setaffinity_np(&attr, bytes, cpu);
	if (!r)
		r = pthread_create(&w->pthread, &attr, worker_main, w);
	pthread_attr_destroy(&attr);
	CPU_FREE(cpu);
	if (r)
		munmap(w->signal_stack, SIGNAL_STACK);
	return -r;
}

void worker_join(struct worker *w)
{
	pthread_join(w->pthread, NULL);
	munmap(w->signal_stack, SIGNAL_STACK);
}
