/* SPDX-License-Identifier: MIT */
#include "core/sched/set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc/cache.h"
#include "core/sched/nodes.h"
#include "core/sched/sched.h"
#include "core/thread/group.h"
#include "numa/cpuset.h"
#include "numa/described.h"
#include "numa/tier.h"
#include "numa/topology.h"

static struct processor *known(const struct processor_set *set, int cpu)
{
	for (unsigned i = 0; set && i < set->count; i++)
		if (set->processor[i]->cpu == cpu)
			return set->processor[i];
	return NULL;
}

/* ---- whom to rob ---- */

static bool same_node(const struct processor *p, const struct processor *q)
{
	return sched_node(p) == sched_node(q);
}

/*
 * Where its tier puts it. Who reaches whom (idle.h) goes by nodes, so the tier does: one
 * of a CPU that the topology has not just now may be in use in the next moment.
 */
static void add_victim(struct victims *v, struct processor *p, const struct processor *self, int tier)
{
	unsigned at = v->count;

	if (!p || p == self)
		return;
	for (unsigned i = 0; i < v->count; i++)
		if (v->victim[i].processor == p)
			return;
	if (same_node(p, self) == policy_far(tier))
		tier = same_node(p, self) ? TIER_NODE : POLICY_TIERS - 1;
	for (; at > 0 && v->victim[at - 1].tier > tier; at--)
		v->victim[at] = v->victim[at - 1];
	v->victim[at] = (struct victim){.processor = p, .tier = tier};
	v->count++;
}

/*
 * Those that the topology knows come first, in its order; then those that are known
 * from before, whose CPUs are off, or not ours, just now; then those of which nothing
 * is known but their node.
 */
static int find_victims(struct processor *p, const struct processor_set *set, const struct topology *t,
			const struct bitmask *cpus, struct victims **out)
{
	struct tier_victim *order = calloc(set->count, sizeof(*order));
	/* with its seats; kept until the stop, even if it comes to nothing */
	struct victims *v = group_alloc(group_of_node(p->node), sizeof(*v) + set->count * sizeof(v->victim[0]));
	struct victims *was = p->victims;
	int n = 0;

	*out = v;
	if (!order || !v) {
		free(order);
		return -ENOMEM;
	}
	if ((unsigned)p->cpu < cpus->size && numa_bitmask_isbitset(cpus, (unsigned)p->cpu))
		n = tier_order(t, p->cpu, cpus, order, (int)set->count);
	for (int i = 0; i < n; i++)
		add_victim(v, known(set, order[i].cpu), p, order[i].tier);
	free(order);
	for (unsigned i = 0; was && i < was->count; i++)
		add_victim(v, was->victim[i].processor, p, was->victim[i].tier);
	for (unsigned i = 0; i < set->count; i++)
		add_victim(v, set->processor[i], p, POLICY_TIERS - 1);
	for (unsigned begin = 0, end; begin < v->count; begin = end) {
		for (end = begin; end < v->count && v->victim[end].tier == v->victim[begin].tier;)
			end++;
		for (unsigned i = begin; i < end; i++) {
			v->victim[i].begin = begin;
			v->victim[i].of_tier = end - begin;
		}
	}
	return n < 0 ? n : 0;
}

/* Of all, or of none. */
static int set_victims(const struct processor_set *set, const struct topology *t, const struct bitmask *cpus)
{
	struct victims **found = calloc(set->count, sizeof(struct victims *));
	unsigned n = 0;
	int r = found ? 0 : -ENOMEM;

	while (!r && n < set->count) {
		r = find_victims(set->processor[n], set, t, cpus, &found[n]);
		n++;
	}
	while (!r && n-- > 0)
		__atomic_store_n(&set->processor[n]->victims, found[n], __ATOMIC_RELEASE);
	free(found);
	return r;
}

/* ---- more of them ---- */

/* Those of the set that the topology, which is of `allowed`, knows. */
static struct bitmask *robbed(const struct processor_set *set, const struct bitmask *allowed)
{
	struct bitmask *cpus = cpuset_alloc((unsigned)allowed->size);

	for (unsigned i = 0; cpus && i < set->count; i++) {
		unsigned cpu = (unsigned)set->processor[i]->cpu;

		if (cpu < allowed->size && numa_bitmask_isbitset(allowed, cpu))
			numa_bitmask_setbit(cpus, cpu);
	}
	return cpus;
}

static unsigned share(unsigned seats, unsigned count, unsigned i)
{
	/* round and round, so that each processor has as many, give or take one */
	return seats / count + (i < seats % count);
}

/* With processors on one node only, who is woken just goes where it is woken. */
static void sort_wakes(const struct processor_set *set)
{
	bool several = set->nodes->populated > 1;

	__atomic_store_n(&sched.wake_home, several && sched.policy.kind != POLICY_FLAT, __ATOMIC_RELAXED);
	__atomic_store_n(&sched.sort_wakes, several || sched.shuffle, __ATOMIC_RELAXED);
}

/* Whose searchers look for it before they sleep (idle.h). */
static unsigned domain_for(const struct processor *p, unsigned index)
{
	switch (sched.policy.kind) {
	case POLICY_NODE_ONLY:
		return sched_node(p);
	case POLICY_NONE:
		return index;
	default:
		return 0;
	}
}

/* Processors for the first `count` of `cpus` that have none; `seats` together. */
static int add(const struct topology *t, const struct bitmask *cpus, unsigned count, unsigned seats)
{
	struct processor_set *was = sched.set, *set;
	unsigned before = was ? was->count : 0;
	struct bitmask *victims;
	int r = 0;

	set = calloc(1, sizeof(*set) + (before + count) * sizeof(set->processor[0]));
	if (!set)
		return -ENOMEM;
	for (; set->count < before; set->count++)
		set->processor[set->count] = was->processor[set->count];
	cpuset_for_each(cpu, cpus)
	{
		int node = topology_node_of_cpu(t, cpu);
		struct processor *p;

		if (set->count == before + count)
			break;
		if (known(was, cpu))
			continue;
		p = processor_start(cpu, node < 0 ? 0 : node, share(seats, count, set->count - before));
		if (!p) {
			r = -ENOMEM;
			break;
		}
		p->domain = domain_for(p, set->count);
		set->processor[set->count++] = p;
	}
	if (!r && !(set->nodes = nodes_make(t, set->processor, set->count)))
		r = -ENOMEM;
	victims = r ? NULL : robbed(set, cpus);
	if (!r)
		r = victims ? set_victims(set, t, victims) : -ENOMEM;
	if (victims)
		numa_bitmask_free(victims);
	if (r) {
		while (set->count > before)
			processor_stop(set->processor[--set->count]);
		nodes_free(set->nodes);
		free(set);
		return r;
	}
	/* known to all who count and look, before anything can lie in them */
	set->older = was;
	__atomic_store_n(&sched.set, set, __ATOMIC_RELEASE);
	sort_wakes(set);
	return 0;
}

#define SETTING "PERCH_TOPOLOGY"

/* The machine as that setting has it; NULL: as it is. Kept, for CPUs that come later:
 * the program may change its environment meanwhile. */
static char *description;

static int keep_description(void)
{
	const char *text = secure_getenv(SETTING);

	if (!text || !*text)
		return 0;
	description = strdup(text);
	return description ? 0 : -ENOMEM;
}

static void drop_description(void)
{
	free(description);
	description = NULL;
}

static int start_gates(void)
{
	size_t size = sched.node_slots * sizeof(*sched.gate);

	sched.gate = aligned_alloc(_Alignof(struct policy_gate), size);
	if (!sched.gate)
		return -ENOMEM;
	memset(sched.gate, 0, size);
	return 0;
}

/* Of this machine. Where sysfs is not shown (a bare chroot, bubblewrap, nsjail), one node. A file
 * that is there and wrong is an error. */
static struct topology *discover(const struct bitmask *cpus, int *r, char *message, size_t size)
{
	struct topology *t = topology_discover_in("", cpus, r, message, size);

	if (!t && (*r == -ENOENT || *r == -EACCES || *r == -EPERM || *r == -ENOTDIR)) {
		t = topology_flat(cpus, message);
		*r = t ? 0 : -ENOMEM;
	}
	return t;
}

/* The same at the start: told on stderr. */
static struct topology *discover_first(const struct bitmask *cpus, int *r)
{
	char message[400] = "";
	struct topology *t = discover(cpus, r, message, sizeof(message));

	if (!t)
		fprintf(stderr, "perch: the topology is not known: %s\n", message);
	else if (message[0])
		fprintf(stderr, "perch: the topology is not known, going on with one node: %s\n", message);
	if (t)
		topology_ask_libnuma(t);
	return t;
}

int set_start(const struct bitmask *allowed, unsigned count, unsigned seats)
{
	struct topology *t = NULL;
	int r = keep_description();

	sched.set = NULL;
	sched.gate = NULL;
	sched.active = sched.retired = 0;
	if (!r)
		t = description ? topology_described(SETTING, description, allowed, &r) : discover_first(allowed, &r);
	if (t) {
		sched.nodes = (unsigned)t->nodes_present;
		sched.emulated = t->emulated;
		sched.node_slots = (unsigned)topology_nodes(t);
		group_start(t);
		r = spill_start(sched.node_slots - 1);
		if (!r)
			r = start_gates();
		if (!r)
			r = add(t, allowed, count, seats);
		topology_free(t);
	}
	if (r) {
		free(sched.gate);
		sched.gate = NULL;
		spill_stop();
		group_stop();
		drop_description();
		return r;
	}
	cache_start();
	for (unsigned i = 0; i < sched.set->count; i++)
		processor_open(sched.set->processor[i]);
	return 0;
}

int set_add(const struct bitmask *cpus, unsigned seats_each)
{
	struct topology *t;
	char message[400];
	unsigned count = 0;
	int r = 0;

	cpuset_for_each(cpu, cpus) count += !known(sched.set, cpu);
	if (!count)
		return 0;
	t = description ? topology_parse(description, cpus, &r, message, sizeof(message))
			: discover(cpus, &r, message, sizeof(message));
	if (!t)
		return r ? r : -ENOMEM;
	group_learn(t);
	r = add(t, cpus, count, seats_each * count);
	topology_free(t);
	return r;
}

void set_stop(void)
{
	struct processor_set *set = sched.set;

	for (unsigned i = 0; set && i < set->count; i++)
		processor_stop(set->processor[i]);
	spill_stop();
	group_stop();
	/* no worker is left that could still read it */
	sched.set = NULL;
	free(sched.gate);
	sched.gate = NULL;
	drop_description();
	while (set) {
		struct processor_set *older = set->older;

		nodes_free(set->nodes);
		free(set);
		set = older;
	}
}

struct processor *set_choose(uint64_t chance)
{
	struct processor_set *set = __atomic_load_n(&sched.set, __ATOMIC_ACQUIRE);
	unsigned count = set->count ? set->count : 1; /* it is never empty */

	for (unsigned i = 0; i < count; i++) {
		struct processor *p = set->processor[(chance + i) % count];

		if (!processor_retired(p))
			return p;
	}
	/* they were just being replaced: a retired one is as good, if not as quick */
	return set->processor[chance % count];
}
