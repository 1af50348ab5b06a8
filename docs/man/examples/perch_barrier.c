/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

enum { THREADS = 4, STEPS = 10 };
static perch_barrier_t barrier = PERCH_BARRIER_INIT(THREADS);
static int cell[THREADS], serial, bad;

static void work(void *arg)
{
	int *mine = arg, r;

	for (int step = 1; step <= STEPS; step++) {
		*mine = step;
		/* all have written before one reads */
		r = perch_barrier_wait(&barrier);
		if (r == PERCH_BARRIER_SERIAL_THREAD)
			serial++; /* one of them, in each step */
		for (int i = 0; i < THREADS; i++)
			if (cell[i] != step)
				__atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
		/* all have read before one writes again */
		perch_barrier_wait(&barrier);
	}
}

int main(void)
{
	if (perch_start(NULL))
		return 1;
	for (int i = 0; i < THREADS; i++)
		if (perch_go(work, &cell[i]))
			return 1;
	if (perch_stop())
		return 1;
	printf("%d steps\n", serial);
	return serial != STEPS || bad || perch_barrier_destroy(&barrier);
}
