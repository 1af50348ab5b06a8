/* SPDX-License-Identifier: MIT */
/*
 * worker.h - a worker (M): a pthread pinned to a CPU, which runs threads.
 *
 * It keeps only what is its own: nothing here is written by anybody else but
 * `wake` (idle.c). What belongs to the CPU is the processor's (processor.h).
 */
#ifndef PERCH_SCHED_WORKER_H
#define PERCH_SCHED_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/thread/thread.h"

struct processor;

/* Only its worker writes these; others read them, perhaps a moment late. */
struct worker_stats {
	uint64_t finished, carried;
	uint64_t switches, yields, parks, unparks;
	uint64_t steals, stolen, asked, asked_steals, asked_steal_ns, forced, forced_ns;
	uint64_t reveals, spilled, barriers, sleeps, wakes;
};

/* A worker adds to one of its own; no locked instruction. */
static inline void stat_add(uint64_t *stat, uint64_t n)
{
	__atomic_store_n(stat, __atomic_load_n(stat, __ATOMIC_RELAXED) + n, __ATOMIC_RELEASE);
}

struct worker {
	struct thread *current; /* whose code it runs; &base while it schedules */
	struct thread base;     /* its pthread's own stack */
	struct processor *home; /* the processor whose CPU it is pinned to */
	uint32_t rounds;        /* scheduling rounds left until a fair one; never 0 between */
	uint32_t index;
	uint32_t fair_rounds; /* so far: whose turn it is in the next */
	uint64_t random;
	uint64_t spin_ns; /* how long it searches before it sleeps */
	struct worker_stats stats;
	pthread_t pthread;
	void *signal_stack;
	void *sanitizer_bottom; /* of the pthread's stack, for the address sanitizer */
	size_t sanitizer_size;
	uint32_t wake __attribute__((aligned(64))); /* futex: 1 = come */
} __attribute__((aligned(64)));

extern __thread struct worker *perch_worker __attribute__((tls_model("initial-exec"), visibility("hidden")));

/*
 * The worker that runs this, NULL on any other pthread. Never kept across a
 * switch: a thread may go on under another worker; the asm is what keeps the
 * compiler from remembering.
 */
static inline struct worker *worker_self(void)
{
	struct worker *w;
#if defined(__x86_64__)
	__asm__ volatile("movq perch_worker@gottpoff(%%rip), %0\n\t"
			 "movq %%fs:(%0), %0"
			 : "=r"(w)
			 :
			 : "memory");
#else
	void *tp;

	__asm__ volatile("mrs %0, tpidr_el0\n\t"
			 "adrp %1, :gottprel:perch_worker\n\t"
			 "ldr %1, [%1, :gottprel_lo12:perch_worker]\n\t"
			 "ldr %1, [%0, %1]"
			 : "=&r"(tp), "=&r"(w)
			 :
			 : "memory");
#endif
	return w;
}

/* Before any is started: they read each other. */
void worker_clear(struct worker *w, struct processor *home, uint32_t index);
/* Start it, pinned to its processor's CPU. 0 or -errno (EAGAIN, ENOMEM). */
int worker_start(struct worker *w);
void worker_join(struct worker *w);

static inline uint64_t worker_random(struct worker *w)
{
	uint64_t x = w->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return w->random = x;
}

#endif
