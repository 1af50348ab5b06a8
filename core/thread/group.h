/* SPDX-License-Identifier: MIT */
/*
 * group.h - on which node memory lies that belongs to CPUs. The CPUs of a node are
 * a group: each has a depot in every pool (rseq/pool.h), and slabs of its own, which
 * are bound to the node, or to the nearest that has memory. Where there is only
 * one node with memory nothing is bound, nothing belongs to a group, and no call
 * here costs more than a look at a flag.
 *
 * Bound means preferred: while a node is full, the nearest that is not gives the
 * pages, as the kernel sees it. What is on the wrong node is found by asking
 * (core/see/pages.h).
 *
 *	         start  learn  bind  alloc  copy
 *	start      X      X     X      X     X
 *	learn      X      X     -      -     -     (L: the lock of what was given out)
 *	bind       X      -     -      -     -
 *	alloc      X      -     -      L     L
 *	copy       X      -     -      L     -
 *
 * start, stop: while no worker runs. learn: by the monitor; groups only come.
 */
#ifndef PERCH_THREAD_GROUP_H
#define PERCH_THREAD_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rseq/pool.h"

struct topology;

/* A piece of address space for one group, used from below. */
struct group_slab {
	char *base;
	size_t size, used;
	uint32_t group;
	struct group_slab *next;
};

/* Several nodes have memory: what is made for a group is given back to it. */
extern bool group_several;

void group_start(const struct topology *t);
/* Nodes that have come since. */
void group_learn(const struct topology *t);
/* Frees all that group_alloc() gave. */
void group_stop(void);

static inline uint32_t group_of_node(int node)
{
	return node < 0 ? 0 : (uint32_t)node % POOL_GROUPS;
}

/* The node where the memory of this group should be; -1: it has no node. */
int group_node(uint32_t group);
/* How many different ones of those there are; whether memory is bound to them. */
unsigned group_nodes(void);
bool group_binds(void);

/* Pages of it that are touched from now on are that group's. A refusal is noted. */
void group_bind(void *start, size_t size, uint32_t group);

/* Zeroed memory for a few things that are kept until the stop, in lines of their own. */
void *group_alloc(uint32_t group, size_t size);

/*
 * Copies the list, `most` of it at most; how many there are. The owner's lock is held.
 * What is in it stays mapped until the owner stops.
 */
size_t group_copy(const struct group_slab *list, struct group_slab *out, size_t most);
/* The same of what group_alloc() gave. */
size_t group_copy_allocated(struct group_slab *out, size_t most);

/* Why memory is not bound, or what was refused; "" otherwise. */
#define GROUP_NOTE 240
void group_note(char note[GROUP_NOTE]);

#endif
