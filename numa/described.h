/* SPDX-License-Identifier: MIT */
/*
 * described.h - a machine that is described by a text instead of read.
 *
 *	2x4                                  two nodes of four CPUs
 *	2x2x2 distance=10,31/31,10           ... of two cores with two threads each
 *	node0=0-3,8:4G node2=4-7:0 node5=none:64G distance=10,20,17/24,10,30/17,30,10
 *
 * docs/man/perch_start.3, at PERCH_TOPOLOGY, has all that can be said.
 */
#ifndef PERCH_NUMA_DESCRIBED_H
#define PERCH_NUMA_DESCRIBED_H

#include "numa/topology.h"

/*
 * topology_parse - the machine that a text describes; `emulated` is set, and
 * memory cannot be placed: no kernel is asked.
 * @allowed: the CPUs that will be used; each must be on a node
 * @error:   where 0, -EINVAL or -ENOMEM goes; may be NULL
 * @message: on errors, one line: "column N: what is wrong there"
 *
 * Returns the topology, or NULL.
 */
struct topology *topology_parse(const char *text, const struct bitmask *allowed, int *error, char *message,
				size_t size);

/*
 * topology_described - the same for a setting called `name`; an error is a line
 * on stderr. Memory can be placed where the kernel has all these nodes.
 */
struct topology *topology_described(const char *name, const char *text, const struct bitmask *allowed, int *error);

/*
 * topology_describe - write a topology as such a text, without a newline.
 * Read again it is the same, but for what is not of the machine: whether it is
 * emulated, who told the nodes, placement, the note, which CPUs are allowed.
 */
void topology_describe(const struct topology *t, FILE *out);

#endif
