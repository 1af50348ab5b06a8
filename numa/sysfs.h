/* SPDX-License-Identifier: MIT */
/*
 * sysfs.h - the small files by which the kernel describes the machine, read
 * whole. Every failure leaves a line that names the file. Paths are relative
 * to `root`, so that a described machine can be a directory tree.
 */
#ifndef PERCH_NUMA_SYSFS_H
#define PERCH_NUMA_SYSFS_H

#include <numa.h>
#include <stdbool.h>
#include <stddef.h>

struct sysfs {
	const char *root; /* "" for the machine this runs on */
	char error[320];  /* the last failure, as a line without its newline */
};

/*
 * The calls return 0 or -errno: that of the file system, -EINVAL for content
 * that is not what was expected, -ENOMEM.
 */

/* The whole text, without trailing white space; the caller frees it. */
int sysfs_read(struct sysfs *s, char **text, const char *path, ...) __attribute__((format(printf, 3, 4)));
/* One decimal number. */
int sysfs_number(struct sysfs *s, long *number, const char *path, ...) __attribute__((format(printf, 3, 4)));
/* A list as in "0-3,8,10-11", of CPUs or of nodes; numa_bitmask_free() it. */
int sysfs_list(struct sysfs *s, struct bitmask **list, const char *path, ...) __attribute__((format(printf, 3, 4)));
bool sysfs_exists(struct sysfs *s, const char *path, ...) __attribute__((format(printf, 2, 3)));

/* Note a failure: "ROOT/PATH: what"; returns `error`. */
int sysfs_fail(struct sysfs *s, int error, const char *what, const char *path, ...)
	__attribute__((format(printf, 4, 5)));

/* The same list from a string. 0, -EINVAL or -ENOMEM. */
int sysfs_parse_list(const char *text, struct bitmask **list);

#endif
