/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static void count(void *arg)
{
	for (int i = 1; i <= 100; i++)
		perch_chan_send(arg, &i);
	perch_chan_close(arg);
}

int main(void)
{
	perch_select_case_t from[2];
	int value, sum = 0, open = 2;

	if (perch_start(NULL))
		return 1;
	for (int i = 0; i < 2; i++) {
		from[i] = (perch_select_case_t){NULL, PERCH_RECV, &value, 0};
		if (perch_chan_create(&from[i].chan, sizeof(int), 0))
			return 1;
		if (perch_go(count, from[i].chan))
			return 1;
	}
	while (open) {
		int i = perch_select(from, 2);

		if (i < 0)
			return 1;
		sum += value;
		if (from[i].result == 0) { /* closed: only the other now */
			perch_chan_destroy(from[i].chan);
			from[i].chan = NULL;
			open--;
		}
	}
	printf("%d\n", sum);
	return perch_stop() || sum != 10100;
}
