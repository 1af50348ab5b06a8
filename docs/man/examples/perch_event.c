/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L /* clock_gettime() */
#include <errno.h>
#include <perch/perch.h>
#include <stdio.h>

static perch_event_t go = PERCH_EVENT_INIT;
static int opened, early, gone;

static void runner(void *arg)
{
	(void)arg;
	perch_event_wait(&go);
	if (!__atomic_load_n(&opened, __ATOMIC_RELAXED))
		__atomic_fetch_add(&early, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&gone, 1, __ATOMIC_RELAXED);
}

int main(void)
{
	struct timespec now;

	if (perch_start(NULL))
		return 1;
	for (int i = 0; i < 100; i++)
		if (perch_go(runner, NULL))
			return 1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (perch_event_timedwait(&go, &now) != -ETIMEDOUT)
		return 1;
	__atomic_store_n(&opened, 1, __ATOMIC_RELAXED);
	if (perch_event_set(&go) || perch_event_set(&go) != -EALREADY)
		return 1;
	if (perch_stop() || !perch_event_is_set(&go))
		return 1;
	printf("%d have gone, %d too early\n", gone, early);
	return gone != 100 || early;
}
