/* SPDX-License-Identifier: MIT */
/*
 * deadlock.h - is this one?
 *
 * Threads exist; all workers sleep; no queue holds anything, no timer is armed, nobody waits for I/O;
 * and no pthread that might still wake somebody is about (foreign.h). Each of
 * these alone may be seen at a moment when it is about to change, so it is a
 * deadlock only when all hold, twice, and nothing has moved between.
 */
#ifndef PERCH_SEE_DEADLOCK_H
#define PERCH_SEE_DEADLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum deadlock {
	DEADLOCK_NO = 0,
	DEADLOCK_UNSURE, /* but for pthreads that perch does not know */
	DEADLOCK_YES,
};

/* From a worker that is about to sleep: whether it is worth a closer look. */
bool deadlock_suspected(void);

/*
 * Between dump_begin() and dump_end(). moved: changes whenever anything has run;
 * waiting: threads that exist.
 */
enum deadlock deadlock_look(uint64_t *moved, uint64_t *waiting);

#endif
