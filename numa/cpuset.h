/* SPDX-License-Identifier: MIT */
/*
 * cpuset.h - which CPUs this process may use. Sets are libnuma's bitmasks, of
 * whatever size the kernel's numbers need; CPU numbers may be sparse.
 */
#ifndef PERCH_NUMA_CPUSET_H
#define PERCH_NUMA_CPUSET_H

#include <numa.h>
#include <sys/types.h>

/*
 * cpuset_allowed - the calling pthread's affinity mask, cut to its control
 * group's effective cpuset. Never empty. numa_bitmask_free() the result.
 * Returns 0 or -errno (and a line on stderr says what failed).
 */
int cpuset_allowed(struct bitmask **out);

/* An empty set of CPU numbers below `bits`; NULL: no memory. (numa_bitmask_alloc() ends the
 * process then.) numa_bitmask_free() it. */
struct bitmask *cpuset_alloc(unsigned bits);

/* The affinity mask of a pthread (0: the calling one), without the CPUs that are off, as the
 * kernel tells it. numa_bitmask_free() the result. 0, -ESRCH, or another -errno. */
int cpuset_affinity(struct bitmask **out, pid_t tid);

/* Keep only what `group` has too; but all of it when they have nothing in common. */
void cpuset_keep(struct bitmask *set, const struct bitmask *group);

/* The highest CPU number that this kernel can ever have, plus one. */
int cpuset_possible(void);

/* The lowest member >= cpu, or -1. */
static inline int cpuset_next(const struct bitmask *set, int cpu)
{
	for (; cpu >= 0 && (unsigned long)cpu < set->size; cpu++) {
		unsigned long word =
			set->maskp[(unsigned)cpu / (8 * sizeof(long))] >> (unsigned)cpu % (8 * sizeof(long));

		if (word & 1)
			return cpu;
		if (!word) /* on to the next word */
			cpu |= (int)(8 * sizeof(long) - 1);
	}
	return -1;
}

#define cpuset_for_each(cpu, set) for (int cpu = cpuset_next(set, 0); cpu >= 0; cpu = cpuset_next(set, cpu + 1))

static inline int cpuset_count(const struct bitmask *set)
{
	int n = 0;

	cpuset_for_each(cpu, set) n++;
	return n;
}

/* ---- the same with files below `root`; for tests ---- */

/* Cut `set` to the cpuset of the group that root/proc/self/cgroup names. A
 * cpuset that has nothing in common with it is not ours, and is ignored.
 * 0 or -errno, then with a line in `error`. */
int cpuset_cut(const char *root, struct bitmask *set, char *error, size_t size);
/* -errno when root/sys/devices/system/cpu/possible cannot be read. */
int cpuset_possible_in(const char *root, char *error, size_t size);

#endif
