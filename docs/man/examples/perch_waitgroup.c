/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static perch_waitgroup_t pending = PERCH_WAITGROUP_INIT;

static void square(void *arg)
{
	int *n = arg;

	*n *= *n;
	perch_waitgroup_done(&pending);
}

static void *first(void *arg)
{
	int job[100], sum = 0;

	perch_waitgroup_add(&pending, 100); /* before any of them can end */
	for (int i = 0; i < 100; i++) {
		job[i] = i;
		if (perch_go(square, &job[i]))
			perch_waitgroup_done(&pending);
	}
	perch_waitgroup_wait(&pending);
	for (int i = 0; i < 100; i++)
		sum += job[i];
	printf("%d\n", sum);
	return sum == 328350 ? arg : NULL;
}

int main(void)
{
	void *good = NULL;

	return perch_run(NULL, first, "", &good) || !good;
}
