/* SPDX-License-Identifier: MIT */
/* machine.h - a machine that is described by files in a temporary directory. */
#ifndef PERCH_TESTS_NUMA_MACHINE_H
#define PERCH_TESTS_NUMA_MACHINE_H

#include <numa.h>

struct machine {
	char root[64];
};

/* Each ends the process with a message when the files cannot be made. */
void machine_make(struct machine *m);
void machine_remove(struct machine *m);

/* The file root/path, with its directories; replaces one that is there. */
void machine_write(const struct machine *m, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void machine_unlink(const struct machine *m, const char *path);

/* Lists as in "0-3,8". siblings and cache NULL: no such files. */
void machine_cpu(const struct machine *m, int cpu, int package, const char *siblings, const char *cache);
void machine_node(const struct machine *m, int node, const char *cpus, long mib, const char *distances);

/* numa_bitmask_free() it. */
struct bitmask *machine_set(const char *list);

/*
 * Whole machines; each has what topology.h reads.
 *   two_sockets  CPUs 0-15, two packages of four cores with two threads each
 *                (n and n+8), a cache for two cores, distances 10/21
 *   sparse       CPUs 2-3, 8-9, 64-65 on nodes 1, 5 and 6; node 9 has memory
 *                only, node 6 CPUs only; distances differ by direction
 */
void machine_two_sockets(const struct machine *m);
void machine_sparse(const struct machine *m);

#endif
