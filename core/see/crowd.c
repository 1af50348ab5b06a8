/* SPDX-License-Identifier: MIT */
#include "core/see/crowd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/sched/sched.h"
#include "core/see/quiet.h"
#include "core/see/unwind.h"
#include "core/thread/stack.h"

/* Backtraces that differ can be as many as threads: then these are shown. */
#define GROUPS_MOST 2048
#define SLOTS 8192

/* A thread that runs on its joiner's stack: the lowest on it is the one that acts. */
struct lodger {
	const struct stack *stack;
	const void *depth; /* where in it: thread.arg */
	const struct thread *thread;
};

struct gathering {
	struct crowd *crowd;
	struct unwind *unwind;
	struct lodger *lodger;
	size_t lodgers, lodger_room;
	size_t page;
	uint16_t slot[SLOTS]; /* group number + 1, by hash */
};

/* ---- one thread ---- */

static void copy(struct thread *to, const struct thread *t)
{
	_Static_assert(sizeof(*t) % 8 == 0, "words");
	quiet_copy(to, t, sizeof(*t) / 8);
}

bool crowd_is_current(const struct thread *t)
{
	for (unsigned i = 0; i < sched_workers(); i++)
		if (quiet_read(&sched.workers[i].current) == (uintptr_t)t)
			return true;
	return false;
}

bool crowd_name(const struct thread *t, uint16_t generation, char name[PERCH_NAME_MAX + 1])
{
	struct thread now;

	thread_read_name(t, name, true);
	copy(&now, t); /* afterwards: was it still this thread's? */
	return now.generation == generation && now.flags & THREAD_USED;
}

static const struct lodger *lodger_on(const struct gathering *g, const struct stack *s)
{
	size_t low = 0, high = g->lodgers;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (g->lodger[middle].stack < s)
			low = middle + 1;
		else
			high = middle;
	}
	return low < g->lodgers && g->lodger[low].stack == s ? &g->lodger[low] : NULL;
}

static enum crowd_state state_of(const struct gathering *g, const struct thread *t, const struct thread *seen)
{
	const struct lodger *l = seen->stack ? lodger_on(g, seen->stack) : NULL;

	if (seen->joiner == JOIN_ENDED || seen->joiner == JOIN_TAKEN)
		return CROWD_ENDED;
	if (l && l->thread != t)
		return CROWD_LENT;
	if (!(seen->flags & THREAD_STARTED))
		return CROWD_NEW;
	if (crowd_is_current(t))
		return CROWD_RUNS;
	return seen->reason ? CROWD_WAITS : CROWD_READY;
}

static bool unmoved(const struct thread *t, const struct thread *seen)
{
	struct thread now;

	copy(&now, t);
	return now.sp == seen->sp && now.stack == seen->stack && now.reason == seen->reason &&
	       now.since == seen->since && now.flags == seen->flags && now.generation == seen->generation &&
	       !crowd_is_current(t);
}

static void take_backtrace(struct gathering *g, const struct thread *t, const struct thread *seen,
			   struct crowd_group *out)
{
	uintptr_t base;

	if (!seen->stack)
		return;
	/* not from its header, which is gone when the stack has been given back meanwhile */
	base = (uintptr_t)(seen->stack + 1) - stack_class_size(seen->stack_class % STACK_CLASSES);
	out->frames = (uint32_t)unwind_stack(g->unwind, (uintptr_t)seen->sp, base + g->page, (uintptr_t)seen->stack,
					     out->pc, CROWD_FRAMES);
	if (!unmoved(t, seen)) {
		out->frames = 0;
		out->moved = true;
	}
	out->deeper = out->frames == CROWD_FRAMES;
}

/* ---- groups ---- */

static uint64_t hash_of(const struct crowd_group *x)
{
	uint64_t h = x->state | (uint64_t)x->reason << 8 | (uint64_t)x->task << 32 | (uint64_t)x->moved << 33;

	for (uint32_t i = 0; i < x->frames; i++)
		h = (h ^ x->pc[i]) * 0x9e3779b97f4a7c15u, h ^= h >> 29;
	return h;
}

static bool same(const struct crowd_group *a, const struct crowd_group *b)
{
	return a->hash == b->hash && a->state == b->state && a->reason == b->reason && a->task == b->task &&
	       a->moved == b->moved && a->frames == b->frames && !memcmp(a->pc, b->pc, a->frames * sizeof(a->pc[0]));
}

/* Its group, perhaps a new one. NULL: no memory, or too many. */
static struct crowd_group *group_for(struct gathering *g, const struct crowd_group *like)
{
	struct crowd *c = g->crowd;
	struct crowd_group *made;

	for (uint64_t at = like->hash;; at++) {
		uint16_t *slot = &g->slot[at % SLOTS];

		if (*slot) {
			if (same(c->group[*slot - 1], like))
				return c->group[*slot - 1];
			continue;
		}
		if (c->groups == GROUPS_MOST)
			return NULL;
		made = malloc(sizeof(*made));
		if (!made)
			return NULL;
		*made = *like;
		c->group[c->groups++] = made;
		*slot = (uint16_t)c->groups;
		return made;
	}
}

static void add_object(struct crowd_group *x, const void *object)
{
	for (uint32_t i = 0; i < x->objects && i < CROWD_OBJECTS; i++)
		if (x->object[i] == object)
			return;
	if (x->objects < CROWD_OBJECTS)
		x->object[x->objects] = object;
	if (x->objects <= CROWD_OBJECTS)
		x->objects++;
}

static void add_name(struct crowd_group *x, const struct thread *t, const struct thread *seen)
{
	struct crowd_name n = {.handle = (perch_t)seen->generation << THREAD_HANDLE_BITS | (uintptr_t)t};

	if (seen->name)
		crowd_name(t, seen->generation, n.name);
	if (!n.name[0]) {
		if (x->names < CROWD_NAMES)
			x->name[x->names++] = n;
		return;
	}
	/* before those that have none */
	if (x->named < CROWD_NAMES) {
		if (x->names < CROWD_NAMES)
			x->names++;
		memmove(&x->name[x->named + 1], &x->name[x->named], (x->names - 1 - x->named) * sizeof(x->name[0]));
		x->name[x->named] = n;
	}
	x->named++;
}

static void add(struct gathering *g, const struct thread *t, const struct thread *seen, struct crowd_group *like)
{
	size_t bytes = stack_class_size(seen->stack_class % STACK_CLASSES);
	struct crowd_group *x;

	like->state = (uint8_t)state_of(g, t, seen);
	like->task = seen->flags & THREAD_CARRIER;
	like->reason = like->state == CROWD_WAITS ? seen->reason : PARK_NONE;
	like->count = like->named = 0;
	like->moved = like->deeper = false;
	like->frames = like->objects = like->names = 0;
	like->since_first = UINT32_MAX;
	like->since_last = 0;
	like->stack_least = SIZE_MAX;
	like->stack_most = 0;
	if (like->state == CROWD_WAITS || like->state == CROWD_READY)
		take_backtrace(g, t, seen, like);
	like->hash = hash_of(like);
	g->crowd->count[like->state]++;
	x = group_for(g, like);
	if (!x) {
		g->crowd->not_grouped++;
		return;
	}
	x->count++;
	if (like->state == CROWD_WAITS) {
		x->since_first = seen->since < x->since_first ? seen->since : x->since_first;
		x->since_last = seen->since > x->since_last ? seen->since : x->since_last;
		add_object(x, seen->wait_for);
	}
	x->stack_least = bytes < x->stack_least ? bytes : x->stack_least;
	x->stack_most = bytes > x->stack_most ? bytes : x->stack_most;
	add_name(x, t, seen);
}

/* ---- all ---- */

static bool add_lodger(struct gathering *g, const struct thread *t, const struct thread *seen)
{
	if (g->lodgers == g->lodger_room) {
		size_t room = g->lodger_room ? 2 * g->lodger_room : 64;
		struct lodger *more = realloc(g->lodger, room * sizeof(*more));

		if (!more)
			return false;
		g->lodger = more;
		g->lodger_room = room;
	}
	g->lodger[g->lodgers++] = (struct lodger){seen->stack, seen->arg, t};
	return true;
}

static int by_stack_and_depth(const void *a, const void *b)
{
	const struct lodger *x = a, *y = b;

	if (x->stack != y->stack)
		return x->stack < y->stack ? -1 : 1;
	return x->depth < y->depth ? -1 : x->depth > y->depth;
}

static int by_state_and_size(const void *a, const void *b)
{
	const struct crowd_group *x = *(struct crowd_group *const *)a, *y = *(struct crowd_group *const *)b;

	if (x->state != y->state)
		return x->state < y->state ? -1 : 1;
	return x->count > y->count ? -1 : x->count < y->count;
}

static bool look(struct gathering *g, const struct thread *first, size_t n)
{
	struct crowd_group *like = malloc(sizeof(*like));
	struct thread seen;
	bool good = like;

	for (size_t i = 0; i < n && good; i++) {
		copy(&seen, &first[i]);
		if ((seen.flags & (THREAD_USED | THREAD_INLINE)) == (THREAD_USED | THREAD_INLINE) && seen.stack)
			good = add_lodger(g, &first[i], &seen);
	}
	if (g->lodgers)
		qsort(g->lodger, g->lodgers, sizeof(*g->lodger), by_stack_and_depth);
	for (size_t i = 0; i < n && good; i++) {
		copy(&seen, &first[i]);
		if (seen.flags & THREAD_USED)
			add(g, &first[i], &seen, like);
	}
	free(like);
	return good;
}

int crowd_gather(struct crowd *c)
{
	struct gathering *g = calloc(1, sizeof(*g));
	size_t used = __atomic_load_n(&thread_range_used, __ATOMIC_RELAXED);
	bool good = false;

	*c = (struct crowd){.group = calloc(GROUPS_MOST, sizeof(*c->group))};
	if (g && c->group && (g->unwind = unwind_new())) {
		g->crowd = c;
		g->page = (size_t)sysconf(_SC_PAGESIZE);
		good = look(g, (const struct thread *)thread_range, used / sizeof(struct thread));
	}
	if (good && c->groups)
		qsort(c->group, c->groups, sizeof(*c->group), by_state_and_size);
	if (g) {
		unwind_free(g->unwind);
		free(g->lodger);
		free(g);
	}
	if (!good)
		crowd_free(c);
	return good ? 0 : -ENOMEM;
}

void crowd_free(struct crowd *c)
{
	for (size_t i = 0; i < c->groups; i++)
		free(c->group[i]);
	free(c->group);
	*c = (struct crowd){0};
}
