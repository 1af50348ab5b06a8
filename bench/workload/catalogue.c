/* SPDX-License-Identifier: MIT */
#include "bench/workload/catalogue.h"

#include <errno.h>
#include <string.h>

const struct workload_info workload_infos[] = {
	{"uts", "unbalanced tree search, SHA-1 a node, one thread per node", "ns_per_node", true, false, false},
	{"nqueens", "all solutions for n queens, one task per safe placement", "ns_per_node", true, false, false},
	{"sort", "parallel merge sort of 64-bit keys and of lines", "ns_per_key", true, false, false},
	{"fib", "a fork and a join at every call; the pointer form of perch", "ns_per_fork", true, false, false},
	{"fib-typed", "the same by PERCH_TASK1; other backends: as fib", "ns_per_fork", true, false, false},
	{"flat", "create many threads, then join them all", "ns_per_thread", false, false, false},
	{"yield", "two threads on one worker that yield to each other", "ns_per_switch", false, true, false},
	{"burst", "so many threads at once, each yields once and is joined", "ns_per_thread", false, false, true},
	{"mem", "bytes and time of a thread: spawned, and parked", "ns_per_thread", false, true, false},
	{"pingpong", "two threads hand a token to and fro", "ns_per_round_trip", false, false, true},
	{"mutex", "64 threads lock, add one and unlock one mutex", "ns_per_lock", false, false, true},
	{"chan", "8-byte messages through a channel", "ns_per_message", false, false, true},
	{"select", "one takes from so many channels, each with its sender", "ns_per_message", false, false, true},
	{"timers", "arm and cancel many; how late a sleep ends; periodic ones", "ns_per_arm", false, false, true},
	{"wake", "an idle process: woken from outside; and its CPU time", "p50_wake_ns", false, false, true},
	{"echo", "64-byte messages to and fro on so many connections", "ns_per_request", false, false, true},
	{"block", "a thread that blocks in the kernel, or loops, beside others", "ns_per_call", false, false, true},
	{"triad", "a[i] = b[i] + s * c[i] over memory that a loop before touched first", "ns_per_element", false, false,
	 false},
	{"jacobi", "a 5-point stencil in strips and tiles, memory as in triad", "ns_per_element", false, false, false},
	{"placement", "stacks of many threads on the node of their CPU; and where they wake", "ns_per_thread", false,
	 false, true},
	{"alloc", "objects: a pair of calls, handed over, replaced by others", "ns_per_pair", false, false, false},
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
	{"burst", SIZE_SMALL, "24", 4800, 480},
	{"burst", SIZE_SMALL, "48", 4800, 480},
	{"burst", SIZE_SMALL, "256", 5120, 512},
	{"burst", SIZE_SMALL, "4096", 8192, 4096},
	{"burst", SIZE_MEDIUM, "24", 300000, 9600},
	{"burst", SIZE_MEDIUM, "48", 300000, 9600},
	{"burst", SIZE_MEDIUM, "256", 307200, 10240},
	{"burst", SIZE_MEDIUM, "4096", 327680, 12288},
	{"burst", SIZE_LARGE, "24", 3000000, 96000},
	{"burst", SIZE_LARGE, "48", 3000000, 96000},
	{"burst", SIZE_LARGE, "256", 3072000, 102400},
	{"burst", SIZE_LARGE, "4096", 3276800, 122880},
	{"mem", SIZE_SMALL, "spawned", 100000, 0},
	{"mem", SIZE_SMALL, "parked", 5000, 1000},
	{"mem", SIZE_MEDIUM, "spawned", 1000000, 0},
	{"mem", SIZE_MEDIUM, "parked-100k", 100000, 0},
	{"mem", SIZE_MEDIUM, "parked-1M", 1000000, 0},
	{"mem", SIZE_LARGE, "spawned", 10000000, 0},
	{"mem", SIZE_LARGE, "parked-100k", 100000, 0},
	{"mem", SIZE_LARGE, "parked-1M", 1000000, 0},
	{"pingpong", SIZE_SMALL, "chan", 20000, 1000},
	{"pingpong", SIZE_SMALL, "cond", 20000, 1000},
	{"pingpong", SIZE_MEDIUM, "chan", 2000000, 100000},
	{"pingpong", SIZE_MEDIUM, "cond", 2000000, 100000},
	{"pingpong", SIZE_LARGE, "chan", 20000000, 1000000},
	{"pingpong", SIZE_LARGE, "cond", 20000000, 1000000},
	{"mutex", SIZE_SMALL, "mutex", 64000, 0},
	{"mutex", SIZE_MEDIUM, "mutex", 16000000, 0},
	{"mutex", SIZE_LARGE, "mutex", 160000000, 0},
	{"chan", SIZE_SMALL, "unbuffered", 20000, 4000},
	{"chan", SIZE_SMALL, "buffered-128", 20000, 4000},
	{"chan", SIZE_SMALL, "mpmc-4x4", 20000, 4000},
	{"chan", SIZE_MEDIUM, "unbuffered", 5000000, 200000},
	{"chan", SIZE_MEDIUM, "buffered-128", 5000000, 200000},
	{"chan", SIZE_MEDIUM, "mpmc-4x4", 5000000, 200000},
	{"chan", SIZE_LARGE, "unbuffered", 50000000, 2000000},
	{"chan", SIZE_LARGE, "buffered-128", 50000000, 2000000},
	{"chan", SIZE_LARGE, "mpmc-4x4", 50000000, 2000000},
	{"select", SIZE_SMALL, "2", 10000, 0},
	{"select", SIZE_SMALL, "8", 10000, 0},
	{"select", SIZE_SMALL, "64", 6400, 0},
	{"select", SIZE_MEDIUM, "2", 3000000, 0},
	{"select", SIZE_MEDIUM, "8", 2000000, 0},
	{"select", SIZE_MEDIUM, "64", 320000, 0},
	{"select", SIZE_LARGE, "2", 30000000, 0},
	{"select", SIZE_LARGE, "8", 20000000, 0},
	{"select", SIZE_LARGE, "64", 3200000, 0},
	{"timers", SIZE_SMALL, "arm-cancel", 10000, 0},
	{"timers", SIZE_SMALL, "sleep-1ms", 20, 0},
	{"timers", SIZE_SMALL, "periodic-100", 100, 0},
	{"timers", SIZE_MEDIUM, "arm-cancel", 1000000, 10000},
	{"timers", SIZE_MEDIUM, "sleep-1ms", 1000, 0},
	{"timers", SIZE_MEDIUM, "periodic-1000", 1000, 0},
	{"timers", SIZE_LARGE, "arm-cancel", 5000000, 10000},
	{"timers", SIZE_LARGE, "sleep-1ms", 5000, 0},
	{"timers", SIZE_LARGE, "periodic-1000", 1000, 0},
	{"wake", SIZE_SMALL, "wake", 20, 0},
	{"wake", SIZE_SMALL, "idle-10k", 10000, 0},
	{"wake", SIZE_MEDIUM, "wake", 800, 0},
	{"wake", SIZE_MEDIUM, "idle-10k", 10000, 0},
	{"wake", SIZE_LARGE, "wake", 5000, 0},
	{"wake", SIZE_LARGE, "idle-10k", 10000, 0},
	{"echo", SIZE_SMALL, "50", 5000, 0},
	{"echo", SIZE_MEDIUM, "1000", 300000, 0},
	{"echo", SIZE_LARGE, "1000", 3000000, 0},
	{"block", SIZE_SMALL, "call", 100000, 0},
	{"block", SIZE_SMALL, "handoff-marked", 20, 0},
	{"block", SIZE_SMALL, "handoff-unmarked", 20, 0},
	{"block", SIZE_SMALL, "readers-marked", 50, 0},
	{"block", SIZE_SMALL, "readers-unmarked", 50, 0},
	{"block", SIZE_SMALL, "loops", 30, 0},
	{"block", SIZE_MEDIUM, "call", 20000000, 0},
	{"block", SIZE_MEDIUM, "handoff-marked", 500, 0},
	{"block", SIZE_MEDIUM, "handoff-unmarked", 500, 0},
	{"block", SIZE_MEDIUM, "readers-marked", 1000, 0},
	{"block", SIZE_MEDIUM, "readers-unmarked", 1000, 0},
	{"block", SIZE_MEDIUM, "loops", 400, 0},
	{"block", SIZE_LARGE, "call", 200000000, 0},
	{"block", SIZE_LARGE, "handoff-marked", 2000, 0},
	{"block", SIZE_LARGE, "handoff-unmarked", 2000, 0},
	{"block", SIZE_LARGE, "readers-marked", 1000, 0},
	{"block", SIZE_LARGE, "readers-unmarked", 1000, 0},
	{"block", SIZE_LARGE, "loops", 2000, 0},
	{"triad", SIZE_SMALL, "for", 65536, 0},
	{"triad", SIZE_SMALL, "by-node", 65536, 0},
	{"triad", SIZE_SMALL, "blocks", 65536, 0},
	{"triad", SIZE_MEDIUM, "for", 4194304, 0},
	{"triad", SIZE_MEDIUM, "by-node", 4194304, 0},
	{"triad", SIZE_MEDIUM, "blocks", 4194304, 0},
	{"triad", SIZE_LARGE, "for", 67108864, 0},
	{"triad", SIZE_LARGE, "by-node", 67108864, 0},
	{"triad", SIZE_LARGE, "blocks", 67108864, 0},
	{"jacobi", SIZE_SMALL, "for", 256, 0},
	{"jacobi", SIZE_SMALL, "by-node", 256, 0},
	{"jacobi", SIZE_SMALL, "blocks", 256, 0},
	{"jacobi", SIZE_MEDIUM, "for", 2048, 0},
	{"jacobi", SIZE_MEDIUM, "by-node", 2048, 0},
	{"jacobi", SIZE_MEDIUM, "blocks", 2048, 0},
	{"jacobi", SIZE_LARGE, "for", 8192, 0},
	{"jacobi", SIZE_LARGE, "by-node", 8192, 0},
	{"jacobi", SIZE_LARGE, "blocks", 8192, 0},
	{"placement", SIZE_SMALL, "stacks", 500, 0},
	{"placement", SIZE_MEDIUM, "stacks", 10000, 0},
	{"placement", SIZE_LARGE, "stacks", 100000, 10000},
	{"alloc", SIZE_SMALL, "pair-16", 200000, 0},
	{"alloc", SIZE_SMALL, "pair-64", 200000, 0},
	{"alloc", SIZE_SMALL, "pair-256", 200000, 0},
	{"alloc", SIZE_SMALL, "pair-4096", 50000, 0},
	{"alloc", SIZE_SMALL, "handover", 64000, 0},
	{"alloc", SIZE_SMALL, "larson", 80000, 0},
	{"alloc", SIZE_MEDIUM, "pair-16", 20000000, 0},
	{"alloc", SIZE_MEDIUM, "pair-64", 20000000, 0},
	{"alloc", SIZE_MEDIUM, "pair-256", 20000000, 0},
	{"alloc", SIZE_MEDIUM, "pair-4096", 5000000, 0},
	{"alloc", SIZE_MEDIUM, "handover", 10000000, 0},
	{"alloc", SIZE_MEDIUM, "larson", 8000000, 0},
	{"alloc", SIZE_LARGE, "pair-16", 200000000, 0},
	{"alloc", SIZE_LARGE, "pair-64", 200000000, 0},
	{"alloc", SIZE_LARGE, "pair-256", 200000000, 0},
	{"alloc", SIZE_LARGE, "pair-4096", 50000000, 0},
	{"alloc", SIZE_LARGE, "handover", 100000000, 0},
	{"alloc", SIZE_LARGE, "larson", 80000000, 0},
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

/* Cases that are about something else than the workload's metric. */
static const struct {
	const char *workload, *name, *metric, *unit; /* no name: all of the workload's */
} own_metrics[] = {
	/* of bench/numa only, whose cases are the pairs of nodes that a machine has */
	{"nodes", NULL, "ns_per_load", "ns"},
	{"timers", "sleep-1ms", "p50_late_us", "us"},
	{"timers", "periodic-100", "percent_delivered", "%"},
	{"timers", "periodic-1000", "percent_delivered", "%"},
	{"wake", "idle-10k", "cpu_percent", "%"},
	{"block", "handoff-marked", "p50_handoff_us", "us"},
	{"block", "handoff-unmarked", "p50_handoff_us", "us"},
	{"block", "readers-marked", "ms_beside", "ms"},
	{"block", "readers-unmarked", "ms_beside", "ms"},
	{"block", "loops", "ms_beside", "ms"},
	{"alloc", "handover", "ns_per_object", "ns"},
	{"alloc", "larson", "ns_per_object", "ns"},
};

const char *case_metric(const struct bench_case *c, const char **unit)
{
	for (size_t i = 0; i < sizeof(own_metrics) / sizeof(own_metrics[0]); i++)
		if (!strcmp(c->workload, own_metrics[i].workload) &&
		    (!own_metrics[i].name || !strcmp(c->name, own_metrics[i].name))) {
			*unit = own_metrics[i].unit;
			return own_metrics[i].metric;
		}
	*unit = "ns";
	return workload_find(c->workload)->metric;
}

bool case_one_worker(const struct bench_case *c)
{
	if (!strcmp(c->workload, "alloc") && !strncmp(c->name, "pair-", 5))
		return true;
	if (!strcmp(c->workload, "timers") && strncmp(c->name, "periodic", 8) != 0)
		return true;
	if (!strcmp(c->workload, "block") && (!strcmp(c->name, "call") || !strncmp(c->name, "handoff", 7)))
		return true;
	return workload_find(c->workload)->one_worker;
}

bool case_over_memory(const struct bench_case *c)
{
	return !strcmp(c->workload, "triad") || !strcmp(c->workload, "jacobi");
}

bool case_bound(const char *name)
{
	return !strcmp(name, "blocks");
}

bool case_by_node(const char *name)
{
	return !strcmp(name, "by-node") || case_bound(name);
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
