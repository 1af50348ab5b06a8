/* SPDX-License-Identifier: MIT */
/* perch/sync.h - what threads wait for: so far, the wait group. */
#ifndef PERCH_SYNC_H
#define PERCH_SYNC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * A wait group counts work that is under way; waiters sleep until the count
 * is zero. As in Go: a call of add() with a positive number that may bring the
 * count up from zero must happen before the wait it is meant for.
 */
typedef struct perch_waitgroup {
	uint64_t word; /* count in the low half, a flag for waiters above it */
	uint32_t lock;
	uint32_t magic;
	void *waiters;
} perch_waitgroup_t;

#define PERCH_WAITGROUP_MAGIC 0x77677267u
#define PERCH_WAITGROUP_INIT                                                                                           \
	{                                                                                                              \
		0, 0, PERCH_WAITGROUP_MAGIC, 0                                                                         \
	}

/* All return 0 or -EINVAL (NULL, or not initialised). */
int perch_waitgroup_init(perch_waitgroup_t *wg);
/* -EBUSY when somebody still waits or the count is not zero. */
int perch_waitgroup_destroy(perch_waitgroup_t *wg);
/* Add n (may be negative). -ERANGE when the count would leave 0 .. 2^31-1; it
 * is unchanged then. Wakes all waiters at zero. Does not switch threads. */
int perch_waitgroup_add(perch_waitgroup_t *wg, int n);
int perch_waitgroup_done(perch_waitgroup_t *wg);
/* Wait until the count is zero. May switch threads; blocks a foreign pthread.
 * -EPERM in the child of a fork() when the count is not zero. */
int perch_waitgroup_wait(perch_waitgroup_t *wg);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
