/* SPDX-License-Identifier: MIT */
#include "rseq/percpu.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "rseq/abi.h"
#include "rseq/barrier.h"
#include "rseq/counter.h"
#include "rseq/inject.h"
#include "rseq/reserve.h"
#include "rseq/section_lock.h"

bool percpu_locked = true;
char *percpu_base;
int percpu_count;
uint64_t counter_elsewhere[PERCPU_COUNTERS];

/*
 * What inlined sections see before the first start: CPU 0, in an area that is
 * not active. The first start with sections replaces both, for good; from then
 * on it is the areas' flags alone that say whether a processor is there.
 */
static const uint64_t nothing_here[PERCPU_LIST / 8] __attribute__((aligned(64)));
static __thread struct rseq_area stand_in __attribute__((tls_model("initial-exec")));

struct perch_fast perch_fast __attribute__((visibility("default")));

#ifdef PERCH_SECTION_DELAY
uint32_t perch_section_delay;
__thread uint64_t perch_section_cuts;
#endif

/* Before any constructor that could fork: offset 0 would lead into the
 * pthread's own control block. */
__attribute__((constructor(101))) static void percpu_load(void)
{
	perch_fast.base = (char *)(uintptr_t)nothing_here;
	perch_fast.rseq_offset = (char *)&stand_in - (char *)__builtin_thread_pointer();
}

int percpu_start(int count, bool sections)
{
	if (!percpu_base) {
		void *p = reserve((size_t)count << PERCPU_SHIFT, PROT_READ | PROT_WRITE, 0);

		if (!p)
			return -ENOMEM;
		/* one touched area must not take 2 MiB */
		madvise(p, (size_t)count << PERCPU_SHIFT, MADV_NOHUGEPAGE);
		percpu_base = p;
		percpu_count = count;
	} else if (count > percpu_count) {
		return -ENOMEM; /* possible CPUs do not grow while the kernel runs */
	}
	percpu_locked = !sections;
	if (sections) {
		/* base first: the stand-in's CPU 0 is not active yet, whereas the
		 * real offset with the old base would lead out of nothing_here */
		__atomic_store_n(&perch_fast.base, percpu_base, __ATOMIC_SEQ_CST);
		__atomic_store_n(&perch_fast.rseq_offset, __rseq_offset, __ATOMIC_SEQ_CST);
	}
	return 0;
}

void percpu_stop(void)
{
	/* those that were never used stay untouched, should the system not take them */
	if (madvise(percpu_base, (size_t)percpu_count << PERCPU_SHIFT, MADV_DONTNEED))
		for (int cpu = 0; cpu < percpu_count; cpu++)
			if (percpu_of(cpu)->group || percpu_of(cpu)->cpu == (uint32_t)cpu)
				reserve_drop(percpu_of(cpu), (size_t)1 << PERCPU_SHIFT);
	memset(counter_elsewhere, 0, sizeof(counter_elsewhere));
}

int percpu_cpu(void)
{
	if (!percpu_locked)
		return (int)((volatile struct rseq_area *)((char *)__builtin_thread_pointer() + __rseq_offset))->cpu_id;
	return sched_getcpu();
}

void percpu_activate(int cpu, uint32_t group)
{
	struct percpu *a = percpu_of(cpu);
	uint32_t none = 0;

	/* not again: one who robs it may be reading them */
	if (a->cpu != (uint32_t)cpu || a->group != group) {
		a->cpu = (uint32_t)cpu;
		a->group = group;
	}
	if (percpu_locked) {
		lock_area(a);
		/* release: for percpu_here(), which looks without the lock */
		__atomic_store_n(&a->flags, PERCPU_BY_LOCK, __ATOMIC_RELEASE);
		unlock_area(a);
		return;
	}
	/* what lay here since a processor was taken away may just be inherited */
	while (!__atomic_compare_exchange_n(&a->flags, &none, PERCPU_ACTIVE, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED)) {
		none = 0;
		sched_yield();
	}
}

void percpu_deactivate(int cpu)
{
	struct percpu *a = percpu_of(cpu);

	if (percpu_locked) {
		lock_area(a);
		__atomic_store_n(&a->flags, 0, __ATOMIC_RELAXED);
		unlock_area(a);
		return;
	}
	__atomic_and_fetch(&a->flags, ~(uint32_t)PERCPU_ACTIVE, __ATOMIC_SEQ_CST);
	barrier_cpu(cpu);
	/* A thief that froze it before is still at work in it. Activating it again
	 * now would overwrite FROZEN, and let sections in beside the thief. */
	while (__atomic_load_n(&a->flags, __ATOMIC_ACQUIRE))
		sched_yield();
}

bool percpu_freeze(struct percpu *a, uint32_t flags)
{
	if (percpu_locked) {
		lock_area(a);
		if (__atomic_load_n(&a->flags, __ATOMIC_RELAXED) == flags)
			return true;
		unlock_area(a);
		return false;
	}
	return __atomic_compare_exchange_n(&a->flags, &flags, flags | PERCPU_FROZEN, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

void percpu_thaw(struct percpu *a)
{
	inject();
	if (percpu_locked)
		unlock_area(a);
	else
		__atomic_and_fetch(&a->flags, ~(uint32_t)PERCPU_FROZEN, __ATOMIC_RELEASE);
}

bool percpu_take_lists(struct percpu *a, unsigned first, unsigned n, struct section_node **out)
{
	bool active = percpu_freeze(a, percpu_locked ? PERCPU_BY_LOCK : PERCPU_ACTIVE);

	if (!active && !percpu_freeze(a, 0))
		return false;
	inject();
	if (active && !percpu_locked)
		barrier_cpu((int)a->cpu);
	for (unsigned i = 0; i < n; i++) {
		out[i] = a->list[first + i];
		__atomic_store_n(&a->list[first + i], NULL, __ATOMIC_RELAXED);
	}
	percpu_thaw(a);
	return true;
}
