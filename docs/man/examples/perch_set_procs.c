/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <errno.h>
#include <stdio.h>

PERCH_TASK1(long, fib, int, n)
{
	struct fib_task left;
	long right;

	if (n < 2)
		return n;
	fib_fork(&left, n - 1);
	right = fib(n - 2);
	return fib_sync(&left) + right;
}

static void *phases(void *arg)
{
	unsigned all = perch_procs();

	/* more than there are CPUs are not to be had */
	if (perch_set_procs(100000) != -EINVAL || perch_procs() != all)
		return NULL;
	printf("fib(25) = %ld\n", fib(25));
	if (perch_set_procs(1)) /* leave the other CPUs to others for a while */
		return NULL;
	printf("fib(25) = %ld, on %u processor\n", fib(25), perch_procs());
	return perch_set_procs(all) ? NULL : arg;
}

int main(void)
{
	void *status = NULL;
	int done;

	return perch_run(NULL, phases, &done, &status) || status != &done;
}
