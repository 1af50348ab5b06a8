/* SPDX-License-Identifier: MIT */
#include "numa/quota.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numa/cgroup.h"

static void keep_smallest(struct quota *q, uint64_t quota, uint64_t period, const char *directory)
{
	size_t n = strlen(directory), most = sizeof(q->group) - 1;

	/* a/b < c/d without rounding: the kernel keeps both far below 2^53 us */
	if (q->period_us && (unsigned __int128)quota * q->period_us >= (unsigned __int128)q->quota_us * period)
		return;
	q->quota_us = quota;
	q->period_us = period;
	snprintf(q->group, sizeof(q->group), "%s", n > most ? directory + n - most : directory);
}

/* cpu.max: "max PERIOD" or "QUOTA PERIOD"; no such file in the top group, or
 * where the cpu controller is off. */
static int visit_v2(struct sysfs *s, const char *directory, struct quota *q)
{
	char *text;
	uint64_t quota, period;
	int r = sysfs_read(s, &text, "%s/cpu.max", directory), end = 0;

	if (r)
		return r == -ENOENT ? 0 : r;
	if (!strncmp(text, "max", 3) && (!text[3] || text[3] == ' '))
		r = 0;
	else if (sscanf(text, "%" SCNu64 " %" SCNu64 "%n", &quota, &period, &end) == 2 && !text[end] && quota && period)
		keep_smallest(q, quota, period, directory);
	else
		r = sysfs_fail(s, -EINVAL, "expected 'max PERIOD' or 'QUOTA PERIOD'", "%s/cpu.max", directory);
	free(text);
	return r;
}

static int visit_v1(struct sysfs *s, const char *directory, struct quota *q)
{
	long quota, period;
	int r = sysfs_number(s, &quota, "%s/cpu.cfs_quota_us", directory);

	if (r)
		return r == -ENOENT ? 0 : r;
	if (quota < 0)
		return 0;
	r = sysfs_number(s, &period, "%s/cpu.cfs_period_us", directory);
	if (r)
		return r;
	if (!quota || period <= 0)
		return sysfs_fail(s, -EINVAL, "quota and period must be positive", "%s/cpu.cfs_quota_us", directory);
	keep_smallest(q, (uint64_t)quota, (uint64_t)period, directory);
	return 0;
}

static int visit(struct sysfs *s, enum cgroup_version version, const char *directory, void *context)
{
	return version == CGROUP_V2 ? visit_v2(s, directory, context) : visit_v1(s, directory, context);
}

int quota_read(const char *root, struct quota *quota, char *error, size_t size)
{
	struct sysfs s = {.root = root};
	int r;

	*quota = (struct quota){0};
	r = cgroup_walk(&s, "cpu", visit, quota);
	if (r)
		snprintf(error, size, "%s", s.error);
	return r;
}

int quota_cpus(const struct quota *quota)
{
	uint64_t n;

	if (!quota->period_us)
		return 0;
	n = quota->quota_us / quota->period_us + (quota->quota_us % quota->period_us != 0);
	return n > INT_MAX ? INT_MAX : (int)n;
}

unsigned quota_procs(const struct quota *quota, unsigned cpus)
{
	unsigned most = (unsigned)quota_cpus(quota);

	return most && most < cpus ? most : cpus;
}
