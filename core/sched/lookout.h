/* SPDX-License-Identifier: MIT */
/*
 * lookout.h - a pthread per CPU, of the lowest priority there is (SCHED_IDLE), that
 * the kernel runs just when a worker's call blocks: for then nothing else wants
 * the CPU. It gives the worker's seat to the spare on standby. So a call that is
 * marked (perch/block.h) costs two stores when it does not block, and when it
 * does, the CPU goes on after a few microseconds, without a signal and without
 * anybody who polls.
 *
 * It is awake from the first marked call on until it finds the holders asleep, or
 * none has marked a call for a while. On a CPU that is never free, as another
 * process uses it or a worker that has lost its seat computes there, it does not
 * run; then the monitor does its work, later.
 *
 *	          want  look       `watched` is one word; a marked call comes before
 *	want       -     -         the look at it, by the same CPU, as a rule: if not,
 *	look       -     X         the monitor makes up for it
 */
#ifndef PERCH_SCHED_LOOKOUT_H
#define PERCH_SCHED_LOOKOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/sched/processor.h"

/* By the monitor: make one for it. False: there is no pthread for it, and the monitor
 * does without. */
bool lookout_make(struct processor *p);
void lookout_stop(struct processor *p);
/* By the monitor: its pthread; 0: there is none that runs. */
pid_t lookout_tid(struct processor *p);

/* It sleeps: wake it, or have it made. */
void lookout_call(struct processor *p);

#endif
