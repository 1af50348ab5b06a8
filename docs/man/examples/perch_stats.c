/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static void nothing(void *arg)
{
	(void)arg;
	perch_yield();
}

int main(void)
{
	struct perch_stats s = {0};
	unsigned long long n;
	int r = perch_start(NULL);

	for (int i = 0; i < 1000 && !r; i++)
		r = perch_go(nothing, NULL);
	while (!r && s.finished < 1000) {
		perch_sleep(1000000);
		r = perch_stats_get(&s);
	}
	if (r || perch_stop())
		return 1;
	n = s.switches;
	printf("1000 threads, %llu switches\n", n);
	return s.spawned != 1000 || n < 1000;
}
