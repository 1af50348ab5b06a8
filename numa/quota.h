/* SPDX-License-Identifier: MIT */
/*
 * quota.h - how much CPU time the control groups leave this process. Every
 * group up the chain has its own limit, and the smallest ratio binds.
 */
#ifndef PERCH_NUMA_QUOTA_H
#define PERCH_NUMA_QUOTA_H

#include <stddef.h>
#include <stdint.h>

struct quota {
	uint64_t quota_us;  /* CPU time in each period; 0: no limit anywhere */
	uint64_t period_us; /* 0 when there is no limit */
	char group[256];    /* the directory whose limit it is, its end if it is long */
};

/*
 * quota_read - the smallest limit along the chain.
 * @root: "" for this machine, or a directory that holds proc/ and the rest
 *
 * Returns 0, also when there is no limit or there are no control groups; or
 * -errno, then with a line in `error` that names the file.
 */
int quota_read(const char *root, struct quota *quota, char *error, size_t size);

/* How many CPUs that keeps busy, rounded up; 0: no limit. */
int quota_cpus(const struct quota *quota);
/* So many processors, where there are that many CPUs. */
unsigned quota_procs(const struct quota *quota, unsigned cpus);

#endif
