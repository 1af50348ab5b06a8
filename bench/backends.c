/* SPDX-License-Identifier: MIT */
/* backends.c - the table of backends. */
#include "bench/backends.h"

#include <stdio.h>
#include <string.h>

#define FORKS " uts nqueens sort fib "
#define ALLOC " alloc "
/* Debian's packages: libjemalloc2, libtcmalloc-minimal4, libmimalloc2.0. */
#define JEMALLOC "libjemalloc.so.2"
#define TCMALLOC "libtcmalloc_minimal.so.4"
#define MIMALLOC "libmimalloc.so.2"

/* clang-format off */
const struct backend_info backend_infos[BACKENDS] = {
	{"serial", NULL, NULL, NULL, true, NULL,
	 "plain calls; what the ratios refer to"},
	{"perch", NULL, NULL, NULL, true, NULL,
	 "this library; what forks and joins does it by tasks"},
	{"perch-threads", NULL, NULL, NULL, true, FORKS,
	 "the same by perch_create and perch_join, a thread for each task"},
	{"perch-ordinary", "perch-threads", "--variant=ordinary", NULL, true, FORKS "flat burst ",
	 "the same, begun by a thread whose stack is not big but as any other's"},
	{"pthread", NULL, NULL, NULL, true, NULL,
	 "POSIX threads: a thread per node down to a cut-off"},
	{"omp", NULL, NULL, NULL, true, NULL,
	 "OpenMP tasks, gcc and its libgomp"},
	{"libomp", NULL, NULL, NULL, true, NULL,
	 "OpenMP tasks, clang and LLVM's run-time library"},
	{"go", NULL, NULL, NULL, false, NULL,
	 "goroutines, which are threads; when Go is installed"},
	{"tbb", NULL, NULL, NULL, false, FORKS "flat triad jacobi ",
	 "oneTBB's task groups, which are tasks; when it is installed, as the next three"},
	{"fiber", NULL, NULL, NULL, false, FORKS "flat yield burst mem pingpong mutex chan ",
	 "Boost.Fiber's fibers, which are threads, a fiber for each task"},
	{"fiber-stealing", "fiber", "--variant=work_stealing", NULL, false, " nqueens fib ",
	 "the same by the library's work_stealing, which makes trees breadth first"},
	{"starpu", NULL, NULL, NULL, false, FORKS "flat triad jacobi ",
	 "StarPU's tasks, which cannot wait for others: flat and loops only"},
	{"glibc", "pthread", "--variant=libc.so.6", NULL, false, ALLOC,
	 "malloc and free as pthreads have them"},
	{"jemalloc", "pthread", "--variant=" JEMALLOC, JEMALLOC, false, ALLOC,
	 "the same, of jemalloc, preloaded"},
	{"tcmalloc", "pthread", "--variant=" TCMALLOC, TCMALLOC, false, ALLOC,
	 "the same, of gperftools' minimal tcmalloc"},
	{"mimalloc", "pthread", "--variant=" MIMALLOC, MIMALLOC, false, ALLOC,
	 "the same, of mimalloc"},
};

const char *const backend_names[BACKENDS] = {
	"serial", "perch", "perch-threads", "perch-ordinary", "pthread", "omp", "libomp", "go",
	"tbb", "fiber", "fiber-stealing", "starpu", "glibc", "jemalloc", "tcmalloc", "mimalloc",
};
/* clang-format on */

bool backend_runs(const struct backend_info *b, const char *workload)
{
	char word[32];

	if (!b->only)
		return strcmp(workload, "alloc") != 0 || !strcmp(b->name, "perch");
	snprintf(word, sizeof(word), " %s ", workload);
	return strstr(b->only, word);
}
