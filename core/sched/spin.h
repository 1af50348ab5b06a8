/* SPDX-License-Identifier: MIT */
/*
 * spin.h - locks that are held for a few instructions, never across a switch
 * but by a switch hook that lets go of them (park.h). Their holder runs, or is a
 * pthread that the kernel has preempted: so the waiting one gives way to it.
 */
#ifndef PERCH_SCHED_SPIN_H
#define PERCH_SCHED_SPIN_H

#include <stdint.h>

#include "rseq/inject.h"
#include "rseq/section_lock.h"

static inline void spin_lock(uint32_t *lock)
{
	unsigned spins = 0;

	while (__builtin_expect(__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE), 0))
		while (__atomic_load_n(lock, __ATOMIC_RELAXED))
			percpu_wait(&spins);
	inject();
}

static inline void spin_unlock(uint32_t *lock)
{
	inject();
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif
