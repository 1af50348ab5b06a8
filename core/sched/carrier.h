/* SPDX-License-Identifier: MIT */
/*
 * carrier.h - a thread that runs a task for a thief, since a task has neither
 * descriptor nor stack of its own.
 *
 * task.state: 0 -> a waiter's address (by its forker, in sync), and from
 * either to DONE or HERE, once, by whoever took the task out of a queue. After
 * that exchange the task must not be touched: its frame may be gone.
 */
#ifndef PERCH_SCHED_CARRIER_H
#define PERCH_SCHED_CARRIER_H

#include <perch/task.h>

#include "core/thread/thread.h"

/* NULL when there is no memory for a descriptor; the task was refused then. */
struct thread *carrier_new(perch_task_t *task, unsigned stack_class);
/* Leave it to its forker to run. */
void carrier_refuse(perch_task_t *task);

#endif
