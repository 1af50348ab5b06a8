/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static perch_mutex_t lock = PERCH_MUTEX_INIT;
static perch_cond_t changed = PERCH_COND_INIT;
static int full, slot; /* under the lock */

static void produce(void *arg)
{
	(void)arg;
	for (int i = 1; i <= 100; i++) {
		perch_mutex_lock(&lock);
		while (full)
			perch_cond_wait(&changed, &lock);
		slot = i;
		full = 1;
		perch_cond_signal(&changed);
		perch_mutex_unlock(&lock);
	}
}

int main(void)
{
	int sum = 0;

	if (perch_start(NULL) || perch_go(produce, NULL))
		return 1;
	for (int i = 1; i <= 100; i++) {
		perch_mutex_lock(&lock);
		while (!full)
			perch_cond_wait(&changed, &lock);
		sum += slot;
		full = 0;
		perch_cond_signal(&changed);
		perch_mutex_unlock(&lock);
	}
	return perch_stop() || printf("%d\n", sum) < 0 || sum != 5050;
}
