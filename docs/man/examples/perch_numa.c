/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

enum { N = 1 << 20 };

static void fill(size_t lo, size_t hi, void *context)
{
	for (size_t i = lo; i < hi; i++)
		((double *)context)[i] = (double)i;
}

static void halve(size_t lo, size_t hi, void *context)
{
	for (size_t i = lo; i < hi; i++)
		((double *)context)[i] /= 2;
}

static void *first(void *arg)
{
	void *array;

	if (perch_numa_alloc(&array, N * sizeof(double), PERCH_NUMA_BLOCKS))
		return NULL;
	perch_for_numa(0, N, 0, fill, array);  /* each page is on the node of its block */
	perch_for_numa(0, N, 0, halve, array); /* and is read and written there */
	printf("%.1f, on %u nodes\n", ((double *)array)[N - 1], perch_numa_nodes());
	return perch_numa_free(array, N * sizeof(double)) ? NULL : arg;
}

int main(void)
{
	void *good = NULL;

	return perch_run(NULL, first, "", &good) || !good;
}
