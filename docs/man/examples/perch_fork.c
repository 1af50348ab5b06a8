/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
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

static void square(size_t lo, size_t hi, void *context)
{
	for (size_t i = lo; i < hi; i++)
		((long *)context)[i] = (long)(i * i);
}

static void *first(void *arg)
{
	static long table[1000];

	if (perch_for(0, 1000, 0, square, table))
		return NULL;
	printf("%ld %ld\n", fib(20), table[999]);
	return fib(20) == 6765 && table[999] == 998001 ? arg : NULL;
}

int main(void)
{
	void *good = NULL;

	return perch_run(NULL, first, "", &good) || !good;
}
