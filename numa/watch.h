/* SPDX-License-Identifier: MIT */
/*
 * watch.h - what this process may use now, asked again and again while it runs:
 * its affinity, the CPUs that are on, its cpuset, its CPU quota.
 *
 * Everything is read anew in each look: 57 us, which is 0.02 % of a CPU at four looks
 * a second. Open descriptors would save most of that, but be seen by the program
 * (in /proc/self/fd, in its limit, in a child), and a group to which the process has
 * been moved has other files.
 *
 * One watch is used by one pthread at a time.
 */
#ifndef PERCH_NUMA_WATCH_H
#define PERCH_NUMA_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include <numa.h>

#include "numa/quota.h"

/* Where the runtime looks: "", but in tests that change what is there. */
extern const char *watch_root;

struct watch {
	const char *root; /* "" for this machine, or where proc/, sys/ and the groups are, for tests */
	struct bitmask
		*at; /* the mask of the pthread that began the watch, if it was not the main pthread's; or NULL */
};

struct watch_view {
	struct bitmask *cpus; /* never empty; watch_forget() it */
	struct quota quota;
};

/*
 * watch_begin - the calling pthread's mask is what the process starts with. When it is the
 * main pthread's too, as for a program that pins nothing, the main pthread's is
 * followed from now on: that is what taskset -p changes, with and without -a, and
 * the kernel when the cpuset changes. Else the program places its pthreads itself,
 * and only CPUs that go off, the cpuset and the quota are followed.
 * @root: kept, not copied
 *
 * Returns 0, or -errno with a line in `error`.
 */
int watch_begin(struct watch *w, const char *root, char *error, size_t size);
void watch_end(struct watch *w);

/* The affinity that the process has now, with CPUs that are off or not in its cpuset. It is for
 * numa_bitmask_free(). 0 or -errno. */
int watch_affinity(const struct watch *w, struct bitmask **out);

/*
 * watch_look - Returns 0, or -errno with a line in `error`, and then there is no view:
 * what was known before is as good as anything.
 */
int watch_look(const struct watch *w, struct watch_view *view, char *error, size_t size);
void watch_forget(struct watch_view *view);

/* How many processors that makes: one for each CPU, but no more than the quota keeps busy. */
unsigned watch_procs(const struct watch_view *view);

#endif
