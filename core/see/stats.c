/* SPDX-License-Identifier: MIT */
#include "core/see/stats.h"

#include <errno.h>
#include <string.h>

#include "core/alloc/cache.h"
#include "core/sched/aim.h"
#include "core/sched/handoff.h"
#include "core/sched/sched.h"
#include "core/see/pages.h"
#include "core/thread/lists.h"
#include "core/thread/stack.h"
#include "rseq/counter.h"

uint64_t stats_spawned(void)
{
	struct processor_set *set = sched_set();
	uint64_t sum = __atomic_load_n(&counter_elsewhere[COUNTER_SPAWNED], __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < set->count; i++)
		sum += __atomic_load_n(&processor_area(set->processor[i])->counter[COUNTER_SPAWNED], __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < sched_workers(); i++)
		sum += __atomic_load_n(&sched.workers[i].stats.spawned, __ATOMIC_ACQUIRE);
	return sum;
}

uint64_t stats_finished(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < sched_workers(); i++)
		sum += __atomic_load_n(&sched.workers[i].stats.finished, __ATOMIC_ACQUIRE);
	return sum;
}

_Static_assert(PERCH_TIERS == POLICY_TIERS, "what is counted is what is told");

static void gather_objects(struct perch_stats *out)
{
	struct cache_counts c;

	cache_count(&c);
	out->alloc_bytes = c.taken;
	out->alloc_free = c.free;
	out->alloc_returned = c.returned;
	out->alloc_large = c.large;
	out->alloc_large_bytes = c.large_bytes;
	out->alloc_refills = c.refills;
	out->alloc_flushes = c.flushes;
	out->alloc_sent_home = c.sent_home;
}

static void gather(struct perch_stats *out)
{
	memset(out, 0, sizeof(*out));
	out->finished = stats_finished();
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	out->spawned = stats_spawned();
#define ADD(field) out->field += __atomic_load_n(&s->field, __ATOMIC_RELAXED)
	for (unsigned i = 0; i < sched_workers(); i++) {
		const struct worker_stats *s = &sched.workers[i].stats;

		ADD(carried);
		ADD(switches);
		ADD(yields);
		ADD(parks);
		ADD(unparks);
		ADD(steals);
		ADD(stolen);
		ADD(asked);
		ADD(asked_steals);
		ADD(asked_steal_ns);
		ADD(forced);
		ADD(forced_ns);
		ADD(reveals);
		ADD(spilled);
		ADD(barriers);
		ADD(sleeps);
		ADD(wakes);
		for (int tier = 0; tier < PERCH_TIERS; tier++) {
			ADD(steals_by_tier[tier]);
			ADD(stolen_by_tier[tier]);
		}
		ADD(wakes_home);
		ADD(wakes_across);
	}
#undef ADD
	out->wakes_home += __atomic_load_n(&aim_stats.home, __ATOMIC_RELAXED);
	out->wakes_across += __atomic_load_n(&aim_stats.across, __ATOMIC_RELAXED);
	out->handoffs = __atomic_load_n(&handoff_stats.taken, __ATOMIC_RELAXED);
	out->handoffs_undone = __atomic_load_n(&handoff_stats.regained, __ATOMIC_RELAXED);
	out->handoffs_queued = __atomic_load_n(&handoff_stats.queued, __ATOMIC_RELAXED);
	out->handoffs_refused = __atomic_load_n(&handoff_stats.refused, __ATOMIC_RELAXED);
	out->spares = sched_workers() - sched.seats;
	stack_count(&out->stacks, &out->stack_bytes);
	pages_last(&out->pages_placed, &out->pages_misplaced);
	gather_objects(out);
}

int perch_stats_get(struct perch_stats *out)
{
	int r;

	if (!out)
		return -EINVAL;
	r = sched_check();
	if (!r)
		gather(out);
	return r;
}

static void print_policy(FILE *f)
{
	const struct policy *p = &sched.policy;

	fprintf(f, "perch: stealing: %s", policy_name(p->kind));
	if (p->kind == POLICY_NEAR_FIRST && sched.nodes > 1)
		fprintf(f, ", from other nodes after %llu ns by distance", (unsigned long long)p->delay_ns[TIER_FAR]);
	fprintf(f, "\n");
}

static const char *tier_name(int tier)
{
	switch (tier) {
	case TIER_SIBLING:
		return "(core)";
	case TIER_CACHE:
		return "(cache)";
	case TIER_NODE:
		return "(node)";
	default:
		return "(far)";
	}
}

void stats_print(FILE *f, const struct probe *probe, const struct perch_config *config, uint64_t elapsed_ns)
{
	struct perch_numa_pages pages;
	char text[PAGES_TEXT];
	struct perch_stats s;
	int r = pages_verify(&pages);

	gather(&s);
	fprintf(f,
		"perch: %u processors, %u workers, %.3f s; operations by %s%s%s; guards by %s; stacks of %zu bytes\n",
		sched.active, sched.seats, (double)elapsed_ns * 1e-9, probe->sections ? "rseq" : "a lock per CPU",
		probe->sections ? "" : ": ", probe->sections ? "" : probe->why_not, stack_guard_name(),
		config->stack_size);
	fprintf(f, "perch: topology: %u node%s%s\n", sched.nodes, sched.nodes == 1 ? "" : "s",
		sched.emulated ? ", emulated" : "");
	print_policy(f);
	if (r)
		fprintf(f, "perch: placement: not known: no memory to look at it\n");
	else if (pages_tell(&pages, text))
		fprintf(f, "perch: placement: %s\n", text);
#define LINE(field, unit) fprintf(f, "perch: %-16s %14llu%s\n", #field, (unsigned long long)s.field, unit)
	LINE(spawned, "");
	LINE(finished, "");
	LINE(carried, "");
	LINE(switches, "");
	LINE(yields, "");
	LINE(parks, "");
	LINE(unparks, "");
	LINE(steals, "");
	LINE(stolen, "");
	LINE(asked, "");
	LINE(asked_steals, "");
	LINE(asked_steal_ns, " ns");
	LINE(forced, "");
	LINE(forced_ns, " ns");
	LINE(reveals, "");
	LINE(spilled, "");
	LINE(barriers, "");
	LINE(sleeps, "");
	LINE(wakes, "");
	LINE(handoffs, "");
	LINE(handoffs_undone, "");
	LINE(handoffs_queued, "");
	LINE(handoffs_refused, "");
	LINE(spares, "");
	LINE(stacks, "");
	LINE(stack_bytes, " bytes");
	LINE(wakes_home, "");
	LINE(wakes_across, "");
	LINE(pages_placed, "");
	LINE(pages_misplaced, "");
	LINE(alloc_bytes, " bytes");
	LINE(alloc_free, " bytes");
	LINE(alloc_returned, " bytes");
	LINE(alloc_large, "");
	LINE(alloc_large_bytes, " bytes");
	LINE(alloc_refills, "");
	LINE(alloc_flushes, "");
	LINE(alloc_sent_home, "");
#undef LINE
	for (int tier = 0; tier < PERCH_TIERS; tier++)
		if (s.steals_by_tier[tier])
			fprintf(f, "perch: tier %d %-9s %14llu steals, %llu stolen\n", tier, tier_name(tier),
				(unsigned long long)s.steals_by_tier[tier], (unsigned long long)s.stolen_by_tier[tier]);
}
