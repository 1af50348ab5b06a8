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

#include "core/thread/thread.h"
#include "rseq/ring.h"

struct processor {
	int cpu;
	int node;
	uint64_t forced_at;         /* when its queue was last forced, ns; limits how often */
	struct processor **victims; /* whom to rob, nearest first */
	unsigned victim_count;
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

/* Set up on this CPU's area and activate it. */
struct processor *processor_start(int cpu, int node);
void processor_stop(struct processor *p);

/* Any pthread: leave a thread for this processor. A full fence. */
void processor_post(struct processor *p, struct thread *t);
/* Take the oldest; the rest goes to this CPU's queue. NULL: empty, or another
 * is just taking it. Caller is a worker. */
struct thread *processor_collect_slow(struct processor *p);
static inline struct thread *processor_collect(struct processor *p)
{
	return processor_inbox_empty(p) ? NULL : processor_collect_slow(p);
}

/* Something to run is visible in this processor's queues. */
bool processor_has_work(struct processor *p);

#endif
