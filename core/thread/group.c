/* SPDX-License-Identifier: MIT */
#include "core/thread/group.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "numa/place.h"
#include "numa/topology.h"
#include "rseq/reserve.h"

/* Room is had from the kernel in such pieces, or as large as one thing is; touched as it is used. */
#define PIECE ((size_t)256 << 10)
#define ROUND ((size_t)64 << 10)
#define LINE ((size_t)64)

bool group_several;

static struct {
	int node[POOL_GROUPS]; /* memory's, plus one; 0: not known */
	bool binds, refused;
	pthread_mutex_t lock; /* of the pieces; taken before note_lock */
	struct group_slab *pieces;
	struct group_slab *open[POOL_GROUPS];
	pthread_mutex_t note_lock;
	char note[GROUP_NOTE];
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .note_lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- which node ---- */

static bool has_memory(const struct topology *t, int node)
{
	return topology_memory_node(t, node) == node && !t->node[node].closed;
}

/* Its own, or the nearest that this process may use; ties: the lowest number. -1: none. */
static int memory_node(const struct topology *t, int node)
{
	int best = -1;

	for (int to = 0; to < topology_nodes(t); to++)
		if (has_memory(t, to) &&
		    (best < 0 || to == node ||
		     (best != node && topology_distance(t, node, to) < topology_distance(t, node, best))))
			best = to;
	return best;
}

void group_learn(const struct topology *t)
{
	/* of several nodes in one group, which are POOL_GROUPS apart, the lowest counts */
	for (int node = 0; node < topology_nodes(t); node++) {
		uint32_t group = group_of_node(node);

		if (topology_node_present(t, node) && !__atomic_load_n(&all.node[group], __ATOMIC_RELAXED))
			__atomic_store_n(&all.node[group], memory_node(t, node) + 1, __ATOMIC_RELAXED);
	}
}

void group_start(const struct topology *t)
{
	int with_memory = 0, own_policy = 0;

	memset(all.node, 0, sizeof(all.node));
	memset(all.open, 0, sizeof(all.open));
	all.note[0] = 0;
	all.refused = false;
	group_learn(t);
	for (int node = 0; node < topology_nodes(t); node++)
		with_memory += topology_node_present(t, node) && has_memory(t, node);
	group_several = with_memory > 1;
	if (group_several && t->placement && !t->emulated)
		own_policy = place_own_policy();
	all.binds = group_several && t->placement && !t->emulated && !own_policy;
	if (!group_several || all.binds)
		return;
	if (t->emulated)
		snprintf(all.note, sizeof(all.note), "memory is not bound: the nodes are only described");
	else if (!t->placement)
		snprintf(all.note, sizeof(all.note), "memory is not bound: %s", t->note);
	else
		snprintf(all.note, sizeof(all.note),
			 "memory is not bound: the process has a memory policy of its own (numactl, set_mempolicy)");
}

int group_node(uint32_t group)
{
	return __atomic_load_n(&all.node[group % POOL_GROUPS], __ATOMIC_RELAXED) - 1;
}

unsigned group_nodes(void)
{
	unsigned n = 0;

	for (uint32_t g = 0; g < POOL_GROUPS; g++) {
		bool first = group_node(g) >= 0;

		for (uint32_t i = 0; first && i < g; i++)
			first = group_node(i) != group_node(g);
		n += first;
	}
	return n;
}

bool group_binds(void)
{
	return all.binds && !__atomic_load_n(&all.refused, __ATOMIC_RELAXED);
}

static void refusal(int error, int node)
{
	pthread_mutex_lock(&all.note_lock);
	if (!all.note[0])
		snprintf(all.note, sizeof(all.note), "memory is not bound%s: mbind to node %d: %s%s",
			 error == -EPERM ? "" : " everywhere", node, strerrordesc_np(-error),
			 error == -EPERM ? " (a filter refuses it)" : "");
	pthread_mutex_unlock(&all.note_lock);
	if (error == -EPERM)
		__atomic_store_n(&all.refused, true, __ATOMIC_RELAXED);
}

void group_bind(void *start, size_t size, uint32_t group)
{
	int node = group_node(group), r;

	if (!group_binds() || node < 0)
		return;
	r = place_bind(start, size, node);
	if (r)
		refusal(r, node);
}

void group_note(char note[GROUP_NOTE])
{
	pthread_mutex_lock(&all.note_lock);
	memcpy(note, all.note, GROUP_NOTE);
	pthread_mutex_unlock(&all.note_lock);
}

/* ---- what is kept until the stop ---- */

/* Where all memory is alike, one thing by malloc(). */
static char *piece_map(uint32_t group, size_t size)
{
	char *p;

	if (!group_several) {
		p = aligned_alloc(LINE, size);
		return p ? memset(p, 0, size) : NULL;
	}
	p = reserve(size, PROT_READ | PROT_WRITE, 0);
	if (!p)
		return NULL;
	madvise(p, size, MADV_NOHUGEPAGE);
	group_bind(p, size, group);
	return p;
}

/* all.lock is held */
static struct group_slab *piece_new(uint32_t group, size_t size)
{
	struct group_slab *s = malloc(sizeof(*s));
	char *p = s ? piece_map(group, size) : NULL;

	if (!p) {
		free(s);
		return NULL;
	}
	*s = (struct group_slab){p, size, 0, group, all.pieces};
	all.pieces = s;
	return s;
}

void *group_alloc(uint32_t group, size_t size)
{
	struct group_slab *s;
	void *p = NULL;

	group %= POOL_GROUPS;
	size = (size + LINE - 1) & -LINE;
	pthread_mutex_lock(&all.lock);
	s = all.open[group];
	if (!s || s->size - s->used < size) {
		size_t room = size > PIECE ? (size + ROUND - 1) & -ROUND : PIECE;

		s = piece_new(group, group_several ? room : size);
		if (s && s->size == PIECE)
			all.open[group] = s;
	}
	if (s) {
		p = s->base + s->used;
		s->used += size;
	}
	pthread_mutex_unlock(&all.lock);
	return p;
}

void group_stop(void)
{
	while (all.pieces) {
		struct group_slab *s = all.pieces;

		all.pieces = s->next;
		if (group_several)
			munmap(s->base, s->size);
		else
			free(s->base);
		free(s);
	}
	memset(all.open, 0, sizeof(all.open));
}

size_t group_copy(const struct group_slab *list, struct group_slab *out, size_t most)
{
	size_t n = 0;

	for (; list; list = list->next, n++)
		if (n < most)
			out[n] = *list;
	return n;
}

size_t group_copy_allocated(struct group_slab *out, size_t most)
{
	size_t n;

	pthread_mutex_lock(&all.lock);
	n = group_copy(all.pieces, out, most);
	pthread_mutex_unlock(&all.lock);
	return n;
}
