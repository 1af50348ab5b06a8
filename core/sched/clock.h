/* SPDX-License-Identifier: MIT */
/* clock.h - the monotonic clock in nanoseconds. Not for hot paths. */
#ifndef PERCH_SCHED_CLOCK_H
#define PERCH_SCHED_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define CLOCK_NEVER UINT64_MAX

static inline uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A deadline that has not come yet. */
static inline bool clock_before(uint64_t deadline)
{
	return deadline == CLOCK_NEVER || clock_ns() < deadline;
}

static inline struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
}

/* The deadline that a program gave, CLOCK_NEVER - 1 at most; 0, or -EINVAL. */
int clock_deadline(const struct timespec *abstime, uint64_t *deadline);

#endif
