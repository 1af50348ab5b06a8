/* SPDX-License-Identifier: MIT */
/* perch_runtime.h - what the backends of perch have in common: tasks (perch.c), threads (perch_threads.c). */
#ifndef BENCH_BACKEND_PERCH_RUNTIME_H
#define BENCH_BACKEND_PERCH_RUNTIME_H

#include "bench/workload/measure.h"

/* Members of struct backend. The variant "ordinary": what is measured is begun by a thread
 * with the stack that any thread has, not by one with a big stack. */
int perch_runtime_start(const struct measurement *m);
void perch_runtime_stop(void);
int perch_runtime_inside(void (*fn)(void *arg), void *arg);
void perch_runtime_mark(bool after);
void perch_runtime_report(struct measurement *m, double loops);

#endif
