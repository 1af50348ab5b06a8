/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>
#include <stdlib.h>

static perch_key_t key;
static int freed, wrong;

static void give_back(void *value)
{
	free(value);
	__atomic_fetch_add(&freed, 1, __ATOMIC_RELAXED);
}

static void work(void *arg)
{
	long *mine = malloc(sizeof(*mine));

	if (!mine)
		abort();
	*mine = (long)arg;
	perch_setspecific(key, mine);
	perch_yield(); /* the others set theirs */
	mine = perch_getspecific(key);
	if (*mine != (long)arg)
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

int main(void)
{
	if (perch_key_create(&key, give_back) || perch_start(NULL))
		return 1;
	for (long i = 0; i < 100; i++)
		if (perch_go(work, (void *)i))
			return 1;
	if (perch_stop() || perch_key_delete(key))
		return 1;
	printf("%d values, each given back\n", freed);
	return freed != 100 || wrong;
}
