/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static void add(void *arg)
{
	__atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
}

int main(void)
{
	struct perch_config config = PERCH_CONFIG_INIT;
	int ran = 0;

	config.procs = 1;
	config.workers = 2;
	/* as often as one likes */
	for (int i = 0; i < 3; i++) {
		if (perch_start(&config))
			return 1;
		if (perch_procs() != 1 || perch_workers() != 2)
			return 1;
		for (int k = 0; k < 100; k++)
			if (perch_go(add, &ran))
				return 1;
		if (perch_stop()) /* when all of them have ended */
			return 1;
	}
	printf("%d threads ran\n", ran);
	return ran != 300 || perch_procs() != 0;
}
