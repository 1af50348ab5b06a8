/* SPDX-License-Identifier: MIT */
#include "numa/cpuset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "numa/cgroup.h"

/* Where growing stops: far beyond any kernel's NR_CPUS. */
#define AFFINITY_BITS_MAX (1u << 20)

/* As numa_bitmask_free() does it. */
static void cpuset_free(struct bitmask *set)
{
	free(set->maskp);
	free(set);
}

struct bitmask *cpuset_alloc(unsigned bits)
{
	const size_t word = 8 * sizeof(long);
	struct bitmask *set = malloc(sizeof(*set));

	if (!set)
		return NULL;
	set->size = bits;
	set->maskp = calloc((bits + word - 1) / word + !bits, sizeof(*set->maskp));
	if (!set->maskp) {
		free(set);
		return NULL;
	}
	return set;
}

/*
 * The kernel says -EINVAL to a mask that is shorter than its own; glibc's
 * cpu_set_t is 1024 bits. *bytes: how long the kernel's own mask is.
 */
static int affinity(struct bitmask **out, pid_t tid, long *bytes)
{
	*out = NULL;
	for (unsigned bits = 1024; bits <= AFFINITY_BITS_MAX; bits *= 2) {
		struct bitmask *set = cpuset_alloc(bits);
		int saved = errno;

		if (!set)
			return -ENOMEM;
		*bytes = syscall(SYS_sched_getaffinity, tid, numa_bitmask_nbytes(set), set->maskp);
		if (*bytes > 0) {
			*out = set;
			return 0;
		}
		cpuset_free(set);
		if (errno != EINVAL)
			return -errno;
		errno = saved;
	}
	return -EINVAL;
}

int cpuset_affinity(struct bitmask **out, pid_t tid)
{
	long bytes;

	return affinity(out, tid, &bytes);
}

void cpuset_keep(struct bitmask *set, const struct bitmask *group)
{
	int common = 0;

	cpuset_for_each(cpu, set) common += numa_bitmask_isbitset(group, (unsigned)cpu);
	cpuset_for_each(cpu, set)
	{
		if (common && !numa_bitmask_isbitset(group, (unsigned)cpu))
			numa_bitmask_clearbit(set, (unsigned)cpu);
	}
}

static int visit(struct sysfs *s, enum cgroup_version version, const char *directory, void *context)
{
	static const char *const file[] = {"cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"};

	/* version 2: where the controller is off, the next group up tells */
	for (int i = version == CGROUP_V2 ? 0 : 1; i < (version == CGROUP_V2 ? 1 : 3); i++) {
		struct bitmask *group;
		int r = sysfs_list(s, &group, "%s/%s", directory, file[i]);

		if (r == -ENOENT)
			continue;
		if (r)
			return r;
		cpuset_keep(context, group);
		numa_bitmask_free(group);
		return 1;
	}
	return 0;
}

int cpuset_cut(const char *root, struct bitmask *set, char *error, size_t size)
{
	struct sysfs s = {.root = root};
	int r = cgroup_walk(&s, "cpuset", visit, set);

	if (r)
		snprintf(error, size, "%s", s.error);
	return r;
}

int cpuset_allowed(struct bitmask **out)
{
	char error[320];
	long bytes;
	int r = affinity(out, 0, &bytes);

	if (r) {
		fprintf(stderr, "perch: cannot get the affinity mask: %s\n", strerror(-r));
		return r;
	}
	/* The kernel keeps affinity within the cpuset already: a file that cannot
	 * be read takes nothing from that, but is worth a line. */
	if (cpuset_cut("", *out, error, sizeof(error)))
		fprintf(stderr, "perch: the cpuset is not known, going by the affinity mask: %s\n", error);
	return 0;
}

int cpuset_possible_in(const char *root, char *error, size_t size)
{
	struct sysfs s = {.root = root};
	struct bitmask *possible;
	int last = -1, r = sysfs_list(&s, &possible, "/sys/devices/system/cpu/possible");

	if (!r) {
		cpuset_for_each(cpu, possible) last = cpu;
		numa_bitmask_free(possible);
		if (last < 0)
			r = sysfs_fail(&s, -EINVAL, "the list is empty", "/sys/devices/system/cpu/possible");
	}
	if (r)
		snprintf(error, size, "%s", s.error);
	return r ? r : last + 1;
}

int cpuset_possible(void)
{
	char error[320];
	struct bitmask *set;
	long bytes;
	int n = cpuset_possible_in("", error, sizeof(error));

	if (n > 0)
		return n;
	/* No sysfs: the kernel's mask is as long as its numbers go, rounded up to
	 * a word. Room for some that never come costs addresses only. */
	if (affinity(&set, 0, &bytes) || !set)
		return (int)sysconf(_SC_NPROCESSORS_CONF);
	cpuset_free(set);
	return (int)bytes * 8;
}
