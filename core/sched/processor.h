/* SPDX-License-Identifier: MIT */
/*
 * processor.h - a processor (P): the right to schedule on one CPU, and what
 * belongs to that CPU. It lives in the CPU's area (rseq/percpu.h), behind the
 * ring's words.
 */
#ifndef PERCH_SCHED_PROCESSOR_H
#define PERCH_SCHED_PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <urcu/wfcqueue.h>

#include "core/sched/timers.h"
#include "core/thread/thread.h"
#include "rseq/ring.h"

struct seat {
	struct worker *holder;
	/* what the monitor saw when it looked last; only it reads and writes these */
	struct worker *seen;
	uint64_t switches, since; /* it has made so many, and no other, since then */
	uint64_t cpu_ns, cpu_at;  /* it had used so much of a CPU by then */
	uint64_t still_since;     /* the ring has not moved */
	uint64_t fair_at;         /* its holder had made so many fair rounds by then */
	uint32_t fair_rounds;
	uint32_t tail;
};

struct processor {
	int cpu;
	int node;
	unsigned domain;         /* who looks for it (idle.h) */
	uint32_t retired;        /* out of use, or not in use yet (set.h); the monitor changes it */
	struct victims *victims; /* whom to rob (set.h) */
	uint64_t forced_at;      /* when its queue was last forced, ns; limits how often */
	unsigned seats;          /* as many workers have the duty at once (handoff.h) */
	struct seat *seat;
	struct lookout *lookout; /* NULL: none yet */
	uint32_t watched;        /* futex: its lookout is awake, or will be (lookout.h) */
	uint32_t lost;           /* workers that have lost it, and not noticed yet */
	uint32_t computing;      /* those of them that computed when they lost it */
	uint32_t taking;         /* who look at its seats, to take one (handoff.c) */
	struct worker *standby;  /* a spare that is kept ready for the lookout, or NULL */
	struct timers timers __attribute__((aligned(64)));
	/* Inbox: threads made ready from where this CPU's queue could not be
	 * reached. Many producers; one consumer at a time, who takes it all. */
	struct cds_wfcq_tail inbox_tail __attribute__((aligned(64)));
	struct cds_wfcq_head inbox_head __attribute__((aligned(64)));
	uint32_t inbox_lock;
};

_Static_assert(sizeof(struct processor) <= PERCPU_SLOT - PERCPU_EXTRA, "fits in the area's extra part");
_Static_assert(PERCPU_EXTRA % 64 == 0, "keeps the alignment");

static inline struct percpu *processor_area(struct processor *p)
{
	return (struct percpu *)((char *)p - PERCPU_EXTRA);
}

static inline struct processor *area_processor(struct percpu *a)
{
	return (struct processor *)a->extra;
}

/* Without a call: the queue's tail points at its head just when it is empty
 * (a producer moves the tail first). */
static inline bool processor_inbox_empty(struct processor *p)
{
	return __atomic_load_n(&p->inbox_tail.p, __ATOMIC_ACQUIRE) == &p->inbox_head.node;
}

static inline bool processor_retired(const struct processor *p)
{
	return __atomic_load_n(&p->retired, __ATOMIC_SEQ_CST);
}

/* Set up on this CPU's area, with that many seats; it is not open yet. NULL: no memory. */
struct processor *processor_start(int cpu, int node, unsigned seats);
void processor_stop(struct processor *p);
/* From here on what is made ready on its CPU goes into its queues / goes elsewhere. */
void processor_open(struct processor *p);
void processor_close(struct processor *p);

/* Any pthread: leave a thread for this processor. A full fence. */
void processor_post(struct processor *p, struct thread *t);
/* Take the oldest; the rest goes to this CPU's queue. NULL: empty, or another
 * is just taking it. *n: how many there were. Caller is a worker. */
struct thread *processor_collect_slow(struct processor *p, unsigned *n);
static inline struct thread *processor_collect(struct processor *p)
{
	unsigned n;

	return processor_inbox_empty(p) ? NULL : processor_collect_slow(p, &n);
}

/* Something to run is visible in this processor's queues. */
bool processor_has_work(struct processor *p);

#endif
