/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static perch_sem_t seats = PERCH_SEM_INIT(3);
static int seated, most, served;

static void guest(void *arg)
{
	int now;

	(void)arg;
	perch_sem_wait(&seats);
	now = __atomic_add_fetch(&seated, 1, __ATOMIC_RELAXED);
	if (now > 3)
		__atomic_store_n(&most, now, __ATOMIC_RELAXED);
	perch_yield();
	__atomic_fetch_sub(&seated, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&served, 1, __ATOMIC_RELAXED);
	perch_sem_post(&seats);
}

int main(void)
{
	int left = 0;

	if (perch_start(NULL))
		return 1;
	for (int i = 0; i < 100; i++)
		if (perch_go(guest, NULL))
			return 1;
	if (perch_stop() || perch_sem_getvalue(&seats, &left))
		return 1;
	perch_sem_destroy(&seats);
	printf("%d served, %d seats free\n", served, left);
	return served != 100 || most || left != 3;
}
