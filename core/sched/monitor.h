/* SPDX-License-Identifier: MIT */
/*
 * monitor.h - one pthread outside the processors that sees when a worker does not
 * come to a scheduling point, and gives its duty to a spare (handoff.h). It makes
 * the spares too.
 *
 * It looks at each seat: every 20 us for a while after it found something to do,
 * then at twice the distance each time, up to 5 ms. When all holders have slept
 * for 100 ms it sleeps too, until one of them is woken: an idle process has no
 * wake-ups at all.
 *
 * A worker that has made no switch since the last look is
 *  - blocked, if it has hardly used its CPU since (or the last look is long ago) and the kernel says that it does
 *    not want to (/proc/self/task/TID/stat): its seat is given away at once if
 *    anything waits to be run, after 10 ms otherwise;
 *  - computing, if not: its seat is given away after 10 ms, if something waits on
 *    this CPU, or after 20 if on another, and no fork or join was seen; the kernel then shares the CPU among the two.
 * With n such workers on a CPU already, it takes n + 1 times as long for another to become one.
 *
 * (After Go's sysmon, which retakes a P from a system call in the same way.)
 */
#ifndef PERCH_SCHED_MONITOR_H
#define PERCH_SCHED_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

/* spares: how many workers there may be beyond the seats. hands_off: else it only does
 * what resize.h says. 0 or -errno. */
int monitor_start(unsigned spares, bool hands_off);
/* Before the workers are: from here on there are no more of them. */
void monitor_stop(void);

struct processor;
struct worker;

/* By the monitor itself: a worker more that is at home at p, asleep and in no list. 0,
 * -EAGAIN (also: there are as many as there may be), -ENOMEM. */
int monitor_worker(struct processor *p, struct worker **out);

enum {
	MONITOR_LOOKOUT = 1,
	MONITOR_STANDBY = 2,
	MONITOR_ACTIVE = 4,
	MONITOR_RESIZE = 8,
	MONITOR_OBJECTS = 16,
	MONITOR_POSTS = 32
};

/* Any pthread: a lookout is wanted, a standby has been used, somebody is awake, other
 * processors are wanted, there are objects whose memory may be given back in a while, posts are
 * left to it. Also from a signal handler. */
void monitor_tell(uint32_t news);

extern uint32_t monitor_sleeps;

/* What it is to call for MONITOR_POSTS (core/sync/deferred.h); NULL: there were none yet. */
extern void (*monitor_posts)(void);

/* By a worker that wakes up: so will the monitor. */
static inline void monitor_active(void)
{
	if (__builtin_expect(__atomic_load_n(&monitor_sleeps, __ATOMIC_SEQ_CST), 0))
		monitor_tell(MONITOR_ACTIVE);
}

#endif
