/* SPDX-License-Identifier: MIT */
#include "core/sched/clock.h"

#include <errno.h>

#define NS 1000000000u

int clock_deadline(const struct timespec *abstime, uint64_t *deadline)
{
	if (!abstime || abstime->tv_nsec < 0 || abstime->tv_nsec >= (long)NS)
		return -EINVAL;
	if (abstime->tv_sec < 0)
		*deadline = 0; /* long past */
	else if ((uint64_t)abstime->tv_sec >= (CLOCK_NEVER - 1) / NS)
		*deadline = CLOCK_NEVER - 1;
	else
		*deadline = (uint64_t)abstime->tv_sec * NS + (uint64_t)abstime->tv_nsec;
	return 0;
}
