/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static void *twice(void *arg)
{
	return (void *)((long)arg * 2);
}

static void *first(void *arg)
{
	perch_t t;
	void *result = NULL;

	if (perch_create(&t, NULL, twice, arg) || perch_join(t, &result))
		return NULL;
	return result;
}

int main(void)
{
	void *result;
	int r = perch_run(NULL, first, (void *)21, &result);

	if (r) {
		fprintf(stderr, "perch_run: error %d\n", -r);
		return 1;
	}
	printf("%ld\n", (long)result);
	return (long)result != 42;
}
