/* SPDX-License-Identifier: MIT */
/* catalogue.h - which workloads there are, and how big each one's cases are. */
#ifndef BENCH_WORKLOAD_CATALOGUE_H
#define BENCH_WORKLOAD_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

enum bench_size { SIZE_SMALL, SIZE_MEDIUM, SIZE_LARGE };
#define SIZES 3

struct workload_info {
	const char *name;
	const char *what;   /* one line for --list */
	const char *metric; /* the time that every backend gives; see case_metric() */
	bool main_job;      /* part of what runs when nothing is named */
	bool one_worker;    /* by its nature: it is about one worker */
	bool waits;         /* threads wait in it, for each other or a time */
};

struct bench_case {
	const char *workload;
	enum bench_size size;
	const char *name;
	size_t n;
	/* For backends that take hundreds of nanoseconds a task, or microseconds
	 * a wait, where the metric is per task or wait and fewer give the same;
	 * 0: as n. */
	size_t n_slow;
};

extern const struct workload_info workload_infos[];
extern const size_t workload_info_count;
extern const struct bench_case bench_cases[];
extern const size_t bench_case_count;

/* NULL: there is none of that name. */
const struct workload_info *workload_find(const char *name);
const struct bench_case *case_find(const char *workload, enum bench_size size, const char *name);
/* The workload's metric, but where this case is about something else. */
const char *case_metric(const struct bench_case *c, const char **unit);
/* The workload is about one worker, or this case of it is. */
bool case_one_worker(const struct bench_case *c);
/* It is a loop over memory that belongs where it was first touched. */
bool case_over_memory(const struct bench_case *c);
/* Of this name: the same blocks go to the same nodes in each loop; and memory comes from the
 * backend, bound as it cuts such a loop. */
bool case_by_node(const char *name);
bool case_bound(const char *name);
/* -EINVAL when it is none of small, medium, large. */
int size_parse(const char *text, enum bench_size *size);
const char *size_name(enum bench_size size);

#endif
