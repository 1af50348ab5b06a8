/* SPDX-License-Identifier: MIT */
/*
 * dump.h - the report of perch/see.h, put together.
 *
 * One at a time, under a lock that starting and stopping take as well: while a
 * dump is made the runtime stays. It is written after the lock was let go of,
 * so whoever is to read it may be a thread of this program.
 */
#ifndef PERCH_SEE_DUMP_H
#define PERCH_SEE_DUMP_H

#include <stdbool.h>

#include "core/see/text.h"

/* The lock. begin: false (and not locked) when the runtime is not up. */
bool dump_begin(void);
void dump_end(void);
/* The runtime has come up / is about to go down: waits for dumps in progress. */
void dump_allow(bool up);

/* Between begin and end: the whole report. */
void dump_put(struct text *t);

/*
 * What else is known of an object that threads wait at, by the floor that made it
 * (a mutex's owner); NULL: nothing. The object may be gone by now, so it must be
 * read by means that cannot fault.
 */
extern void (*dump_describe)(struct text *t, unsigned reason, const void *object);

#endif
