/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static perch_rwlock_t lock = PERCH_RWLOCK_INIT;
static int a, b;   /* under the lock: equal for every reader */
static int differ; /* how often they were not */

static void reader(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		perch_rwlock_rdlock(&lock);
		if (a != b)
			__atomic_fetch_add(&differ, 1, __ATOMIC_RELAXED);
		perch_rwlock_unlock(&lock);
	}
}

static void writer(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		perch_rwlock_wrlock(&lock);
		a++;
		perch_yield(); /* others run, but none that reads */
		b++;
		perch_rwlock_unlock(&lock);
	}
}

int main(void)
{
	if (perch_start(NULL))
		return 1;
	for (int i = 0; i < 8; i++)
		if (perch_go(i % 4 ? reader : writer, NULL))
			return 1;
	return perch_stop() || printf("%d\n", a) < 0 || a != 200 || differ;
}
