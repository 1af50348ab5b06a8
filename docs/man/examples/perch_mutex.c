/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static perch_mutex_t lock = PERCH_MUTEX_INIT;
static long count; /* under the lock */

static void thousand(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++) {
		perch_mutex_lock(&lock);
		count++;
		perch_mutex_unlock(&lock);
		if (i % 100 == 0)
			perch_yield();
	}
}

int main(void)
{
	if (perch_start(NULL))
		return 1;
	for (int i = 0; i < 8; i++)
		if (perch_go(thousand, NULL))
			return 1;
	thousand(NULL); /* this pthread takes its part too */
	perch_stop();
	printf("%ld\n", count);
	return count != 9000 || perch_mutex_destroy(&lock);
}
