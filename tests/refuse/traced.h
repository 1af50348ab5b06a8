/* SPDX-License-Identifier: MIT */
/* traced.h - which system calls a process makes. */
#ifndef PERCH_TESTS_REFUSE_TRACED_H
#define PERCH_TESTS_REFUSE_TRACED_H

#include <stdbool.h>

/* Higher numbers than there are. */
#define TRACED_CALLS 1024

/*
 * traced - run fn() in a child, and note the calls that its pthreads make between two calls of
 * traced_mark(). Returns the child's wait status, or -errno (nobody may trace here).
 */
int traced(void (*fn)(void), bool made[TRACED_CALLS]);
void traced_mark(void);

#endif
