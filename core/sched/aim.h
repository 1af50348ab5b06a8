/* SPDX-License-Identifier: MIT */
/*
 * aim.h - leaving a thread for a processor of one's choice, and waking those who
 * are to run it; and sending a woken thread to the node where its stack is.
 *
 * What is aimed goes into the processor's inbox (processor_post(), a full fence),
 * and then (rules A to D are those of idle.h):
 *
 *	who holds a seat there
 *	is asleep            is woken, and looks into its inbox first; it counts as a
 *	                     searcher, so that rule B will wake others if there is more
 *	is in the scheduler  nobody near is woken: it looks once more before it sleeps
 *	                     (rule E). It may take another first, hence rule D
 *	runs a thread        a sleeper of the same node is woken, and robs that inbox,
 *	                     the nearest it can; if there is none, rule D
 *	nobody does          (the processor is going out of use) the same
 *
 *	Rule D: idle_notify_at(). So even if all workers of the node are stuck, somebody
 *	searches, and takes the thread after its patience with other nodes (steal.h).
 *
 * Rule E. A worker that has set its bit among the sleepers looks at its home's
 * inbox, both sequentially consistent, as is a post before its look at the bit. So
 * either the bit is seen, or the thread. Without that rule another searcher, on
 * another node perhaps, would find it, by rule A: nothing would be lost but the aim.
 *
 *	           aim   post   collect   sleep
 *	aim         -     -        -        -     (the inbox's own table, processor.h;
 *	                                           atomics on the mask of sleepers)
 *
 * Progress: aim is lock-free but for the system call that wakes.
 */
#ifndef PERCH_SCHED_AIM_H
#define PERCH_SCHED_AIM_H

#include <stdbool.h>
#include <stdint.h>

#include <perch/task.h>

#include "core/sched/processor.h"
#include "core/thread/thread.h"

/* Any pthread: leave it there. It may have run, and be gone, when this returns. */
void aim_at(struct processor *p, struct thread *t);
/* The same for a task, with a carrier; without memory for one it is left to its forker. */
void aim_task(struct processor *p, perch_task_t *task);

/* One in use on that node, a sleeping worker's first, else in turn; NULL: there is none. */
struct processor *aim_node(int node);
/* That of the CPU; NULL: it has none in use. */
struct processor *aim_cpu(int cpu);

/*
 * A started thread that is not pinned has been woken here. True: it was left for a
 * processor of the node where its stack is, which is another than this.
 */
bool aim_home(struct thread *t);

/* By pthreads that are no workers; workers count in their own stats. */
struct aim_stats {
	uint64_t home, across;
};
extern struct aim_stats aim_stats;
void aim_start(void);

#endif
