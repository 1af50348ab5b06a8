/* SPDX-License-Identifier: MIT */
/* perch_runtime.c - perch brought up and down, its first thread, and what it counts. */
#include "bench/backend/perch_runtime.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <perch/perch.h>

#include "bench/backend/perch_numa.h"

/* How deep the first thread may recurse before what it forks gets stacks of its own. */
#define FIRST_STACK ((size_t)1 << 20)

/* The first thread is made as any other, with the stack that any other has. */
static bool ordinary;

static int allowed_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}

int perch_runtime_start(const struct measurement *m)
{
	struct perch_config config = PERCH_CONFIG_INIT;
	unsigned cpus = (unsigned)allowed_cpus();

	if (m->variant && strcmp(m->variant, "ordinary") != 0)
		return -EINVAL;
	ordinary = m->variant;

	config.procs = m->workers < cpus ? m->workers : cpus;
	config.workers = m->workers;
	/* threads are to exist that have not started: while they were made, which takes more
	 * than 10 ms, another worker would run them */
	if (!strcmp(m->bench_case->workload, "mem"))
		config.handoff = PERCH_HANDOFF_OFF;
	if (m->steal) {
		int r = perch_set_policy(&config, m->steal);

		if (r)
			return r;
	}
	return perch_start(&config);
}

void perch_runtime_stop(void)
{
	perch_stop();
}

struct first {
	void (*fn)(void *arg);
	void *arg;
};

static void *first_thread(void *arg)
{
	const struct first *first = arg;

	first->fn(first->arg);
	return NULL;
}

int perch_runtime_inside(void (*fn)(void *arg), void *arg)
{
	struct first first = {fn, arg};
	perch_attr_t attr;
	perch_t t;
	int r;

	perch_attr_init(&attr);
	if (!ordinary)
		perch_attr_setstacksize(&attr, FIRST_STACK);
	r = perch_create(&t, &attr, first_thread, &first);
	return r ? r : perch_join(t, NULL);
}

static struct perch_stats before, after;

void perch_runtime_mark(bool is_after)
{
	perch_stats_get(is_after ? &after : &before);
}

void perch_runtime_report(struct measurement *m, double loops)
{
	double asked = (double)(after.asked_steals - before.asked_steals);
	double forced = (double)(after.forced - before.forced);

	measure_emit(m, "steals", "1", "lower", (double)(after.steals - before.steals) / loops);
	measure_emit(m, "asked_steals", "1", "lower", asked / loops);
	measure_emit(m, "forced_reveals", "1", "lower", forced / loops);
	for (int tier = 0; tier < PERCH_TIERS; tier++) {
		uint64_t steals = after.steals_by_tier[tier] - before.steals_by_tier[tier];
		uint64_t stolen = after.stolen_by_tier[tier] - before.stolen_by_tier[tier];
		char name[32];

		snprintf(name, sizeof(name), "steals_tier%d", tier);
		measure_emit(m, name, "1", "lower", (double)steals / loops);
		snprintf(name, sizeof(name), "stolen_tier%d", tier);
		measure_emit(m, name, "1", "lower", (double)stolen / loops);
	}
	measure_emit(m, "stolen", "1", "lower", (double)(after.stolen - before.stolen) / loops);
	measure_emit(m, "carried", "1", "lower", (double)(after.carried - before.carried) / loops);
	if (asked > 0)
		measure_emit(m, "ns_per_asked_steal", "ns", "lower",
			     (double)(after.asked_steal_ns - before.asked_steal_ns) / asked);
	if (forced > 0)
		measure_emit(m, "ns_per_forced_reveal", "ns", "lower",
			     (double)(after.forced_ns - before.forced_ns) / forced);
	if (m->tiers)
		perch_report_tiers(m, &before, &after);
}
