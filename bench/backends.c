/* SPDX-License-Identifier: MIT */
/* backends.c - the table of backends. */
#include "bench/backends.h"

#include <stdio.h>
#include <string.h>

#define FORKS " uts nqueens sort fib "

const struct backend_info backend_infos[BACKENDS] = {
	{"serial", NULL, NULL, true, NULL, "plain calls; what the ratios refer to"},
	{"perch", NULL, NULL, true, NULL, "this library; what forks and joins does it by tasks"},
	{"perch-threads", NULL, NULL, true, FORKS, "the same by perch_create and perch_join, a thread for each task"},
	{"perch-ordinary", "perch-threads", "--variant=ordinary", true, FORKS "flat burst ",
	 "the same, begun by a thread whose stack is not big but as any other's"},
	{"pthread", NULL, NULL, true, NULL, "POSIX threads: a thread per node down to a cut-off"},
	{"omp", NULL, NULL, true, NULL, "OpenMP tasks, gcc and its libgomp"},
	{"libomp", NULL, NULL, true, NULL, "OpenMP tasks, clang and LLVM's run-time library"},
	{"go", NULL, NULL, false, NULL, "goroutines, which are threads; when Go is installed"},
};

const char *const backend_names[BACKENDS] = {"serial",  "perch", "perch-threads", "perch-ordinary",
					     "pthread", "omp",   "libomp",        "go"};

bool backend_runs(const struct backend_info *b, const char *workload)
{
	char word[32];

	snprintf(word, sizeof(word), " %s ", workload);
	return !b->only || strstr(b->only, word);
}
