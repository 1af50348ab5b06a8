/* SPDX-License-Identifier: MIT */
/*
 * barrier.h - the expedited membarriers. After one returns, no section that
 * was in progress on the CPU(s) when it was called can still commit, and all
 * that those CPUs had stored before is visible here. Where the call is refused only later,
 * the caller goes to each of these CPUs instead, which takes tens of microseconds, not one or two.
 */
#ifndef PERCH_RSEQ_BARRIER_H
#define PERCH_RSEQ_BARRIER_H

/* Once per process; also tries the call out. 0 or -errno. */
int barrier_register(void);
/* One CPU: an interrupt there if it runs this process, else nearly free. */
void barrier_cpu(int cpu);
/* Every CPU that runs this process. */
void barrier_all(void);

#endif
