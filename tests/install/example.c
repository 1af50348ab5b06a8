/* SPDX-License-Identifier: MIT */
/* A first program; library_test.sh builds it as C and as C++ against what was installed. */
#include <perch/perch.h>
#include <stdio.h>

PERCH_TASK1(long, fib, int, n)
{
	struct fib_task child;
	long b;

	if (n < 2)
		return n;
	fib_fork(&child, n - 1);
	b = fib(n - 2);
	return fib_sync(&child) + b;
}

static void *begin(void *arg)
{
	*(long *)arg = fib(25);
	return arg;
}

int main(void)
{
	long result = 0;
	int r = perch_run(NULL, begin, &result, NULL);

	printf("fib(25) = %ld, perch_run says %d\n", result, r);
	return r || result != 75025;
}
