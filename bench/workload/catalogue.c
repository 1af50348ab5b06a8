/* SPDX-License-Identifier: MIT */
#include "bench/workload/catalogue.h"

#include <errno.h>
#include <string.h>

const struct workload_info workload_infos[] = {
	{"uts", "unbalanced tree search, SHA-1 a node, one thread per node", "ns_per_node", true, false},
	{"nqueens", "all solutions for n queens, one task per safe placement", "ns_per_node", true, false},
	{"sort", "parallel merge sort of 64-bit keys and of lines", "ns_per_key", true, false},
	{"fib", "a fork and a join at every call; the pointer form of perch", "ns_per_fork", true, false},
	{"fib-typed", "the same by PERCH_TASK1; other backends: as fib", "ns_per_fork", true, false},
	{"flat", "create many threads, then join them all", "ns_per_thread", false, false},
	{"yield", "two threads on one worker that yield to each other", "ns_per_switch", false, true},
	{"mem", "bytes and time of a thread: spawned, and parked", "ns_per_thread", false, true},
};
const size_t workload_info_count = sizeof(workload_infos) / sizeof(workload_infos[0]);

const struct bench_case bench_cases[] = {
	{"uts", SIZE_SMALL, "tiny-geometric", 0, 0},
	{"uts", SIZE_SMALL, "tiny-binomial", 0, 0},
	{"uts", SIZE_SMALL, "tiny-deep", 0, 0},
	{"uts", SIZE_MEDIUM, "T1", 0, 0},
	{"uts", SIZE_MEDIUM, "T3", 0, 0},
	{"uts", SIZE_LARGE, "T1L", 0, 0},
	{"uts", SIZE_LARGE, "T3L", 0, 0},
	{"nqueens", SIZE_SMALL, "8", 8, 0},
	{"nqueens", SIZE_MEDIUM, "12", 12, 0},
	{"nqueens", SIZE_LARGE, "13", 13, 0},
	{"sort", SIZE_SMALL, "keys", 100000, 0},
	{"sort", SIZE_SMALL, "lines", 20000, 0},
	{"sort", SIZE_MEDIUM, "keys", 10000000, 0},
	{"sort", SIZE_MEDIUM, "lines", 1000000, 0},
	{"sort", SIZE_LARGE, "keys", 50000000, 0},
	{"sort", SIZE_LARGE, "lines", 5000000, 0},
	{"fib", SIZE_SMALL, "fib", 27, 20},
	{"fib", SIZE_MEDIUM, "fib", 36, 27},
	{"fib", SIZE_LARGE, "fib", 40, 30},
	{"fib-typed", SIZE_SMALL, "fib", 27, 20},
	{"fib-typed", SIZE_MEDIUM, "fib", 36, 27},
	{"fib-typed", SIZE_LARGE, "fib", 40, 30},
	{"flat", SIZE_SMALL, "flat", 5000, 0},
	{"flat", SIZE_MEDIUM, "flat", 100000, 0},
	{"flat", SIZE_LARGE, "flat", 1000000, 100000},
	{"yield", SIZE_SMALL, "yield", 100000, 0},
	{"yield", SIZE_MEDIUM, "yield", 2000000, 0},
	{"yield", SIZE_LARGE, "yield", 20000000, 2000000},
	{"mem", SIZE_SMALL, "spawned", 100000, 0},
	{"mem", SIZE_SMALL, "parked", 5000, 1000},
	{"mem", SIZE_MEDIUM, "spawned", 1000000, 0},
	{"mem", SIZE_MEDIUM, "parked-100k", 100000, 0},
	{"mem", SIZE_MEDIUM, "parked-1M", 1000000, 0},
	{"mem", SIZE_LARGE, "spawned", 10000000, 0},
	{"mem", SIZE_LARGE, "parked-100k", 100000, 0},
	{"mem", SIZE_LARGE, "parked-1M", 1000000, 0},
};
const size_t bench_case_count = sizeof(bench_cases) / sizeof(bench_cases[0]);

static const char *const size_names[SIZES] = {"small", "medium", "large"};

const struct workload_info *workload_find(const char *name)
{
	for (size_t i = 0; i < workload_info_count; i++)
		if (!strcmp(workload_infos[i].name, name))
			return &workload_infos[i];
	return NULL;
}

const struct bench_case *case_find(const char *workload, enum bench_size size, const char *name)
{
	for (size_t i = 0; i < bench_case_count; i++) {
		const struct bench_case *c = &bench_cases[i];

		if (c->size == size && !strcmp(c->workload, workload) && !strcmp(c->name, name))
			return c;
	}
	return NULL;
}

int size_parse(const char *text, enum bench_size *size)
{
	for (int i = 0; i < SIZES; i++)
		if (!strcmp(size_names[i], text)) {
			*size = (enum bench_size)i;
			return 0;
		}
	return -EINVAL;
}

const char *size_name(enum bench_size size)
{
	return size_names[size];
}
