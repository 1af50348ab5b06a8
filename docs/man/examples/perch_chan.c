/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <perch/perch.h>
#include <stdio.h>

static void count(void *arg)
{
	perch_chan_t *c = arg;

	for (int i = 1; i <= 100; i++)
		perch_chan_send(c, &i);
	perch_chan_close(c);
}

static void *first(void *arg)
{
	perch_chan_t *c;
	int n, sum = 0;

	if (perch_chan_create(&c, sizeof(int), 8) || perch_go(count, c))
		return NULL;
	while (perch_chan_recv(c, &n) == 1) /* 0: closed, and empty */
		sum += n;
	if (n != 0 || perch_chan_send(c, &n) != -EPIPE)
		return NULL;
	if (perch_chan_close(c) != -EALREADY || perch_chan_destroy(c))
		return NULL;
	printf("%d\n", sum);
	return sum == 5050 ? arg : NULL;
}

int main(void)
{
	void *good = NULL;

	return perch_run(NULL, first, "", &good) || !good;
}
