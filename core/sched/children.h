/* SPDX-License-Identifier: MIT */
/*
 * children.h - what a process or a pthread inherits that a thread makes.
 *
 * Linux gives it what its maker has. A worker has one CPU, a short slice and a timer
 * slack of 1 ns, and none of these is meant for others: a pool of pthreads would run on
 * one CPU. So a worker puts on what the process has while it makes one, and takes
 * its own back afterwards:
 *
 *   affinity  what the process may use now (resize_lend())
 *   slack     what the pthread had that started the runtime
 *   slice     nothing to be done here: the kernel gives a child its default, as the
 *             worker asked for (worker_short_slice())
 *
 * Who calls it: fork's handlers, and the calls of core/interpose. Meanwhile the thread
 * stays on its worker, since those call nothing that switches. A worker may run on
 * another CPU for that long: its sections notice, and take the lock.
 */
#ifndef PERCH_SCHED_CHILDREN_H
#define PERCH_SCHED_CHILDREN_H

#include <stdbool.h>

/* Keep the slack that is to be given; before there is a worker. */
void children_start(void);
/* Once: fork() lends by itself. */
void children_hook_fork(void);

/* The calling worker has what the process has, until children_made(). False, and nothing
 * is done: this pthread is no worker, or has lent already. */
bool children_begin(void);
void children_made(void);

#endif
