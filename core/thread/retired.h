/* SPDX-License-Identifier: MIT */
/*
 * retired.h - descriptors that nobody has used for long, and whose memory is given back.
 *
 * A descriptor retires alone, its memory goes with its page: when all 64 of a page have
 * retired, the page is dropped. A word a page says which of its descriptors have retired;
 * pages in which any has are on a list for each group of CPUs (group.h), from which
 * retired_get() makes descriptors again, a page at a time.
 *
 * A handle that is void must stay void. So a page that is dropped leaves the highest of its
 * generations behind, which is where all its descriptors go on: each handle that was ever
 * given out for one of them has a lower one. (Until a generation wraps, as without this.)
 * While the page is gone a look at it finds zeroes, which no handle has.
 *
 *	         get   put   others' look at a descriptor
 *	get       L     L        -        (L: the lock)
 *	put       L     X        -        X: one pthread at a time
 *
 * An unpark() that comes late may write into a descriptor that has retired (thread.h): its
 * page then takes memory again, which is found when it is handed out. A name that comes
 * late is kept out by the lock of the names.
 */
#ifndef PERCH_THREAD_RETIRED_H
#define PERCH_THREAD_RETIRED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rseq/pool.h"

/* For a range of descriptors; 0 or -ENOMEM. Where a page is not 64 of them none retires. */
int retired_start(char *range, size_t bytes);
/* So many bytes of the range are about to be used. One at a time. */
bool retired_open(size_t bytes);
bool retired_possible(void);
void retired_stop(void);

/* What a pool of descriptors calls (pool.h). */
bool retired_put(struct pool *pool, struct pool_node *chains, uint32_t group);
/* A chain of at least one, or NULL; home: as thread.home is to be. */
struct pool_node *retired_get(uint32_t group, uint8_t home);

/* Bytes given back so far; by the pthread that does so. */
size_t retired_returned(void);

#endif
