/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L /* clock_gettime() */
#include <perch/perch.h>
#include <stdio.h>

static perch_sem_t ticks = PERCH_SEM_INIT(0);

static void tick(void *arg)
{
	perch_sem_post(arg);
}

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

int main(void)
{
	long began = now_us(), took;
	perch_timer_t timer;

	if (perch_start(NULL) || perch_timer_init(&timer, tick, &ticks))
		return 1;
	perch_sleep(5000000);
	/* the first call after 5 ms, then one every 10 ms */
	if (perch_timer_start(&timer, 5000000, 10000000))
		return 1;
	for (int i = 0; i < 3; i++)
		perch_sem_wait(&ticks);
	took = now_us() - began;
	if (perch_timer_destroy(&timer) || perch_stop())
		return 1;
	printf("3 ticks after %ld us\n", took);
	return took < 29999; /* 5 + 5 + 10 + 10 ms, and nothing comes early */
}
