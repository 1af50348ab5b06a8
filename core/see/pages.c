/* SPDX-License-Identifier: MIT */
#include "core/see/pages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "core/sched/sched.h"
#include "core/see/dump.h"
#include "core/thread/group.h"
#include "core/thread/stack.h"
#include "core/thread/thread.h"
#include "numa/place.h"

_Static_assert(PERCH_NUMA_NOTE == GROUP_NOTE, "one is copied to the other");

static struct {
	uint64_t placed, misplaced;
} last;

static void note(struct perch_numa_pages *out, int error)
{
	size_t n = strlen(out->note);

	snprintf(out->note + n, sizeof(out->note) - n, "%swhere memory is is not told: move_pages: %s%s", n ? "; " : "",
		 strerrordesc_np(-error), error == -EPERM ? " (a filter refuses it)" : "");
}

/* False: the kernel does not tell. */
static bool look(struct perch_numa_pages *out, enum perch_numa_kind kind, void *start, size_t size, uint32_t group)
{
	int node = group_node(group), known;
	size_t wrong;

	if (node < 0 || !size)
		return true;
	known = place_verify(start, size, node, &wrong);
	if (known < 0) {
		note(out, known);
		return false;
	}
	out->misplaced[kind] += wrong;
	out->placed[kind] += (size_t)known - wrong;
	return true;
}

/* 1: the kernel does not tell. */
static int look_at_slabs(struct perch_numa_pages *out, enum perch_numa_kind kind,
			 size_t (*copy)(struct group_slab *, size_t))
{
	size_t room = 0, n = copy(NULL, 0);
	struct group_slab *slab = NULL;
	int r = 0;

	/* without the lock, which others want who need memory; more may come in between */
	while (n > room) {
		free(slab);
		room = n + n / 4;
		slab = malloc(room * sizeof(*slab));
		if (!slab)
			return -ENOMEM;
		n = copy(slab, room);
	}
	for (size_t i = 0; i < n && !r; i++)
		r = !look(out, kind, slab[i].base, slab[i].used, slab[i].group);
	free(slab);
	return r;
}

static int look_at_areas(struct perch_numa_pages *out)
{
	struct processor_set *set = sched_set();

	for (unsigned i = 0; i < set->count; i++)
		if (!look(out, PERCH_NUMA_AREAS, processor_area(set->processor[i]), (size_t)1 << PERCPU_SHIFT,
			  group_of_node(set->processor[i]->node)))
			return 1;
	return 0;
}

int pages_verify(struct perch_numa_pages *out)
{
	uint64_t placed = 0, misplaced = 0;
	int r = 0;

	memset(out, 0, sizeof(*out));
	out->nodes = group_nodes();
	out->bound = group_binds();
	group_note(out->note);
	if (!group_several || sched.emulated)
		return 0;
	r = look_at_areas(out);
	if (!r)
		r = look_at_slabs(out, PERCH_NUMA_QUEUES, group_copy_allocated);
	if (!r)
		r = look_at_slabs(out, PERCH_NUMA_DESCRIPTORS, thread_slabs);
	if (!r)
		r = look_at_slabs(out, PERCH_NUMA_STACKS, stack_slabs);
	for (int k = 0; k < PERCH_NUMA_KINDS; k++) {
		placed += out->placed[k];
		misplaced += out->misplaced[k];
	}
	__atomic_store_n(&last.placed, placed, __ATOMIC_RELAXED);
	__atomic_store_n(&last.misplaced, misplaced, __ATOMIC_RELAXED);
	return r < 0 ? r : 0;
}

void pages_last(uint64_t *placed, uint64_t *misplaced)
{
	*placed = __atomic_load_n(&last.placed, __ATOMIC_RELAXED);
	*misplaced = __atomic_load_n(&last.misplaced, __ATOMIC_RELAXED);
}

void pages_forget(void)
{
	__atomic_store_n(&last.placed, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&last.misplaced, 0, __ATOMIC_RELAXED);
}

bool pages_tell(const struct perch_numa_pages *pages, char text[PAGES_TEXT])
{
	static const char *const name[PERCH_NUMA_KINDS] = {"areas", "queues", "descriptors", "stacks"};
	size_t n = 0;

	if (pages->nodes < 2)
		return false;
	if (pages->bound)
		n += (size_t)snprintf(text + n, PAGES_TEXT - n, "memory is bound to %u nodes", pages->nodes);
	if (pages->note[0])
		n += (size_t)snprintf(text + n, PAGES_TEXT - n, "%s%s", n ? "; " : "", pages->note);
	if (sched.emulated)
		return true;
	for (int k = 0; k < PERCH_NUMA_KINDS; k++)
		n += (size_t)snprintf(text + n, PAGES_TEXT - n, "%s%s %llu + %llu",
				      k ? ", " : "; pages placed + misplaced: ", name[k],
				      (unsigned long long)pages->placed[k], (unsigned long long)pages->misplaced[k]);
	return true;
}

int perch_numa_verify(struct perch_numa_pages *out)
{
	int r;

	if (!out)
		return -EINVAL;
	r = sched_check();
	if (r)
		return r;
	if (!dump_begin())
		return -EINVAL;
	r = pages_verify(out);
	dump_end();
	return r;
}
