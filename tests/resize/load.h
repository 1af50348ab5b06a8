/* SPDX-License-Identifier: MIT */
/*
 * load.h - a tree of tasks and threads whose number of nodes is known, run again and
 * again while something happens to the processors; and where it ran.
 */
#ifndef PERCH_TESTS_RESIZE_LOAD_H
#define PERCH_TESTS_RESIZE_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <perch/perch.h>

struct load {
	uint32_t stop;  /* set by load_end() */
	uint64_t trees; /* that were counted, each right */
	uint64_t wrong; /* trees whose count was not */
	perch_t thread[4];
};

/* Four threads, one tree after the other: the unbalanced tree search's kind, every node
 * forked, some of them yielding, and sent off as threads under a wait group. */
void load_begin(struct load *l);
/* Ends after the trees that are under way. Fails the test when one was wrong. */
void load_end(struct load *l);

/* True once perch_procs() is n; false after `seconds`. Blocks the pthread. */
bool procs_become(unsigned n, double seconds);

/* CPUs of this process's mask, as of the first call: the first, and the last. */
unsigned cpus_of_process(int *first, int *last);
/* As taskset does it: the main pthread, or every pthread there is. */
void put_on(int cpu, bool all);
void put_everywhere(bool all);

#endif
