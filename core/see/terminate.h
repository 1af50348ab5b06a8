/* SPDX-License-Identifier: MIT */
/*
 * terminate.h - a line that names the thread in which std::terminate() was called.
 *
 * An exception that leaves what perch was given to call ends the process
 * (core/sched/outermost.h). The C++ runtime says which exception it was, but not where. So from
 * perch_start() to perch_stop() a terminate handler stands before the one that was there.
 */
#ifndef PERCH_SEE_TERMINATE_H
#define PERCH_SEE_TERMINATE_H

/* Nothing, in a program without a C++ runtime. */
void terminate_start(void);
void terminate_stop(void);

#endif
