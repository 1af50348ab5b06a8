/* SPDX-License-Identifier: MIT */
/*
 * resize.h - processors that are put out of use and into use again while the
 * runtime runs: as perch_set_procs() asks, and as the process loses CPUs and gets
 * them back (numa/watch.h).
 *
 * Everything here is done by the monitor's pthread, one step after the other; others
 * leave a request and wait.
 *
 *	            request   serve   look
 *	request        -        -       -     (a list, pushed by CAS)
 *	serve          -        X       X
 *	look           -        X       X
 *
 * To retire a processor:
 *	- it is marked, so that nothing more is aimed at it, and closed: what is made
 *	  ready on its CPU from then on goes elsewhere (percpu_deactivate);
 *	- its seats are taken from who holds them, and left empty. A holder that runs a
 *	  thread goes on with that, as one that was handed off from (handoff.h), and
 *	  becomes a spare at its next scheduling point; it may then run on any CPU;
 *	- what is in its queues is taken by the others (set.h).
 * Threads that are pinned to its workers go on there: a spare runs what is pinned to
 * it, on whichever CPU the kernel gives it, beside that CPU's own worker.
 *
 * To put one into use: it is opened, and its seats are given to spares that are at home
 * there, else to spares of retired processors, which move to its CPU, else to new workers.
 *
 * Nothing here waits for a worker, but for a few instructions.
 */
#ifndef PERCH_SCHED_RESIZE_H
#define PERCH_SCHED_RESIZE_H

#include <stdbool.h>
#include <stdint.h>

/* As asked for at the start: `procs` 0: as many as may be used, `most` of them (0: no
 * bound); with so many seats in each. follow: look at what may be used. By the pthread
 * that starts the runtime. 0 or -errno. */
int resize_start(unsigned procs, unsigned most, unsigned seats_each, bool follow);
/* When the monitor has ended. */
void resize_stop(void);

/* Any pthread but the monitor: see to it that there are n processors, n > 0. 0, -EINVAL
 * (there are not as many CPUs now, or the runtime stops), -EAGAIN, -ENOMEM. May switch threads. */
int resize_request(unsigned n);

struct worker;

/* By the calling worker: have the affinity that the process has now (watch.h), until
 * resize_return(). The monitor leaves it there. May wait for one worker's being placed. */
void resize_lend(struct worker *w);
void resize_return(struct worker *w);
/* In the child of a fork. */
void resize_forked(void);

/* How often the monitor is to look. */
#define RESIZE_LOOK_NS 250000000u

/* ---- by the monitor ---- */

/* Requests, if there are any. */
void resize_serve(void);
/* While anything runs, now and then: does the process have the CPUs that it had? */
void resize_look(uint64_t now);

/* For dumps: how often the processors in use changed. */
extern uint64_t resize_count;

#endif
