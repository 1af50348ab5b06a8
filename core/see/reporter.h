/* SPDX-License-Identifier: MIT */
/*
 * reporter.h - a pthread of the library's that writes reports: on SIGQUIT, and
 * when it has found a deadlock. It sleeps until it is told, with all signals
 * blocked; an idle program has no wake-up from it.
 *
 *	            start/stop   SIGQUIT   all asleep
 *	start/stop       X          -          -        (X: under the caller's lock)
 *
 * Telling it is an atomic OR and a futex wake, at most one at a time for each
 * kind of news; so it may be done in a signal handler, and in the scheduler.
 */
#ifndef PERCH_SEE_REPORTER_H
#define PERCH_SEE_REPORTER_H

#include <stdbool.h>

#include <perch/config.h>

/* The workers have been started. 0 or -errno (EAGAIN: no pthread). */
int reporter_start(const struct perch_config *config);
/* All threads have ended; the workers are still there. */
void reporter_stop(void);
/* In the child of a fork(), which has no reporter. */
void reporter_forked(void);
/* The calling pthread is the reporter: it is in the program's deadlock handler. */
bool reporter_self(void);

#endif
