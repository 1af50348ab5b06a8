/* SPDX-License-Identifier: MIT */
/*
 * cgroup.h - the directories of this process's control groups, for one
 * controller, from the group itself up to the top of what is mounted here.
 */
#ifndef PERCH_NUMA_CGROUP_H
#define PERCH_NUMA_CGROUP_H

#include <limits.h>

#include "numa/sysfs.h"

enum cgroup_version { CGROUP_V1 = 1, CGROUP_V2 = 2 };

/*
 * cgroup_walk - call visit() on each directory of the chain, own group first.
 * @controller: "cpu" or "cpuset"
 * @directory:  given to visit() relative to s->root
 *
 * Under version 2 the one hierarchy is walked whether or not the controller
 * is on in it; in the hybrid set-up both hierarchies are walked. visit()
 * returns 0 to go on, 1 to end this hierarchy's walk, or -errno to end all.
 *
 * Returns 0, the -errno of visit(), or that of a file which could not be read
 * (then s->error names it). No control groups mounted is 0, with no call.
 */
int cgroup_walk(struct sysfs *s, const char *controller,
		int (*visit)(struct sysfs *s, enum cgroup_version version, const char *directory, void *context),
		void *context);

#endif
