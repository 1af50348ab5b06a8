/* SPDX-License-Identifier: MIT */
/*
 * worker.h - a worker (M): a pthread pinned to a CPU, which runs threads.
 *
 * It keeps only what is its own: nothing here is written by anybody else but
 * the last line. What belongs to the CPU is the processor's (processor.h).
 */
#ifndef PERCH_SCHED_WORKER_H
#define PERCH_SCHED_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/sched/exceptions.h"
#include "core/thread/thread.h"
#include "numa/policy.h"

struct processor;

/* Whether it has the duty to schedule on its CPU (handoff.h). */
enum worker_duty {
	DUTY_HOLDS = 0,
	DUTY_LOST,      /* it was given to another, and this one has not passed a scheduling point since */
	DUTY_LOST_BUSY, /* the same; it computed then */
	DUTY_SPARE,     /* it sleeps until it is given one */
};

/* worker.duty is that, and which of its home's seats it holds, or lost last: one word,
 * so that what is taken from it is the seat that it has at that moment. */
#define DUTY_KIND 0xffu
#define DUTY_SEAT_SHIFT 8

static inline uint32_t duty_word(enum worker_duty kind, uint32_t seat)
{
	return (uint32_t)kind | seat << DUTY_SEAT_SHIFT;
}

/* Only its worker writes these; others read them, perhaps a moment late. */
struct worker_stats {
	uint64_t spawned, finished, carried;
	uint64_t switches, yields, parks, unparks;
	uint64_t steals, stolen, asked, asked_steals, asked_steal_ns, forced, forced_ns;
	uint64_t reveals, spilled, barriers, sleeps, wakes;
	uint64_t steals_by_tier[POLICY_TIERS], stolen_by_tier[POLICY_TIERS];
	uint64_t wakes_home, wakes_across;
};

/* What a thief has seen at a victim that had a single item, or none (steal.c). Its own. */
#define STEAL_WATCHES 8
struct steal_watch {
	const struct processor *at;
	uint64_t switches; /* of those who work there, at the last look */
	uint64_t still;    /* since when they have not switched */
	uint64_t looked;
};

/* A worker adds to one of its own; no locked instruction. */
static inline void stat_add(uint64_t *stat, uint64_t n)
{
	__atomic_store_n(stat, __atomic_load_n(stat, __ATOMIC_RELAXED) + n, __ATOMIC_RELEASE);
}

/*
 * worker.wake. CHOSEN comes once for each bit that was taken out of the sleepers' mask
 * (idle.c). What a SPARE is told may come late, when it is no spare any more: one that
 * is on duty goes on sleeping, or it would be up before who chose it has counted it.
 * BY_IO: it sleeps elsewhere than in its futex.
 */
enum { WAKE_NO = 0, WAKE_CHOSEN, WAKE_SPARE, WAKE_BY_IO };

struct worker {
	struct thread *current;        /* whose code it runs; &base while it schedules */
	struct exceptions *exceptions; /* of its pthread */
	struct thread_cache kept;
	struct stack *beside;   /* free; for a join on another stack (core/join.c) */
	struct thread base;     /* its pthread's own stack */
	struct processor *home; /* the processor whose CPU it is pinned to */
	uint32_t rounds;        /* scheduling rounds left until a slow one; never 0 between */
	uint32_t index;
	pid_t tid;                   /* of its pthread; 0 until that runs */
	uint32_t fair_rounds;        /* so far: whose turn it is in the next */
	uint32_t fair_left;          /* rounds until the next, when the present one is over */
	uint32_t timer_every;        /* rounds between looks at the clock, while there are timers */
	uint32_t now_ms;             /* the runtime's age, as of the last slow round */
	struct thread *pinned_first; /* of `pinned`, in the order in which they came */
	uintptr_t brought;           /* an item that a parking thread found for the scheduler */
	struct thread *in_call;      /* the one that said that it may block; others read it */
	uint32_t aim_turn;           /* which processor of a node is next (aim.c) */
	bool pinned_turn;
	uint64_t looked_ns;   /* when it last looked for timers that are due */
	uint64_t fire_not_ns; /* none are fired before this: threads have their share */
	uint64_t random;
	uint64_t spin_ns; /* how long it searches before it sleeps */
	struct steal_watch watch[STEAL_WATCHES];
	bool lends;   /* it has what the process has, for a while (children.h) */
	bool watches; /* in the last round it left something alone (steal.c) */
	struct worker_stats stats;
	struct exceptions no_exceptions; /* stay zero, where there is no C++ runtime */
	pthread_t pthread;
	void *signal_stack;
	void *sanitizer_bottom; /* of the pthread's stack, for the address sanitizer */
	size_t sanitizer_size;
	/* What others write, in a line of its own: what is above is written in every round. */
	uint32_t wake __attribute__((aligned(64))); /* futex: WAKE_... (idle.c) */
	uint32_t duty;                              /* enum worker_duty, and a seat */
	struct thread *pinned; /* threads pinned to it that are ready, the last on top; it takes them all */
	uint32_t fair_due;     /* the monitor: a fair round is due by the clock */
	uint32_t dismissed;    /* became a spare in its sleep (idle.c) */
	uint32_t counted;      /* called to duty, and counted as a searcher by who did so */
	bool listed;           /* among the spares; this and the links under their lock */
	struct worker *spare_next, *spare_prev;
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

/* What it keeps; of another pthread nothing. */
static inline struct thread_cache *worker_kept(struct worker *w)
{
	return w ? &w->kept : NULL;
}

static inline enum worker_duty worker_duty(const struct worker *w)
{
	return (enum worker_duty)(__atomic_load_n(&w->duty, __ATOMIC_SEQ_CST) & DUTY_KIND);
}

/* 0: its pthread does not run yet. */
static inline pid_t worker_tid(const struct worker *w)
{
	return __atomic_load_n(&w->tid, __ATOMIC_RELAXED);
}

static inline bool worker_has_pinned(const struct worker *w)
{
	return __atomic_load_n(&w->pinned, __ATOMIC_SEQ_CST) || w->pinned_first;
}

/* Something keeps it from just taking the next of its queues. */
static inline __attribute__((always_inline)) bool worker_called(const struct worker *w)
{
	return ((uintptr_t)__atomic_load_n(&w->pinned, __ATOMIC_SEQ_CST) | (uintptr_t)w->pinned_first |
		(__atomic_load_n(&w->duty, __ATOMIC_SEQ_CST) & DUTY_KIND) |
		__atomic_load_n(&w->fair_due, __ATOMIC_RELAXED)) != 0;
}

/* By itself: true once for each call to duty, when it has seen that it is on duty or
 * later; until it has asked, nobody else is woken (idle.h, rule A). */
static inline bool worker_was_counted(struct worker *w)
{
	return __atomic_load_n(&w->counted, __ATOMIC_SEQ_CST) && __atomic_exchange_n(&w->counted, 0, __ATOMIC_SEQ_CST);
}

static inline bool worker_on_duty(const struct worker *w)
{
	return worker_duty(w) == DUTY_HOLDS;
}

/* Before it is started: others read it. */
void worker_clear(struct worker *w, struct processor *home, uint32_t index, uint32_t seat);
/* Start it, pinned to its processor's CPU. 0 or -errno (EAGAIN, ENOMEM). */
int worker_start(struct worker *w);
void worker_join(struct worker *w);

/* What it keeps for itself goes where any worker finds it: before it sleeps, and ends. */
void worker_give_back(struct worker *w);
/* For others: what it runs, at some moment. */
const struct thread *worker_current(const struct worker *w);
/* The calling pthread's slice becomes shorter than others', where the kernel can. */
void worker_short_slice(void);

static inline uint64_t worker_random(struct worker *w)
{
	uint64_t x = w->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return w->random = x;
}

#endif
