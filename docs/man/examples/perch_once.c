/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static perch_once_t once = PERCH_ONCE_INIT;
static int table[10], calls, wrong;

static void fill(void)
{
	calls++;
	for (int i = 0; i < 10; i++) {
		table[i] = i * i;
		perch_yield(); /* it may switch threads */
	}
}

static void look_up(void *arg)
{
	(void)arg;
	if (perch_once(&once, fill) || table[9] != 81)
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

int main(void)
{
	if (perch_start(NULL))
		return 1;
	for (int i = 0; i < 100; i++)
		if (perch_go(look_up, NULL))
			return 1;
	if (perch_stop())
		return 1;
	printf("filled %d time\n", calls);
	return calls != 1 || wrong;
}
