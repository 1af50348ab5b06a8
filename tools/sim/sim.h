/* SPDX-License-Identifier: MIT */
/*
 * sim.h - one run of a load on a machine under a policy, by a clock that goes from
 * event to event. What is the library's own, and not written again here: the policy
 * (numa/policy.h) and the order of the victims (numa/tier.h). What is modelled, after
 * the file that is named: the ring (rseq/ring.h), a round of stealing
 * (core/sched/steal.c), searching, sleeping and waking (core/sched/idle.h), forking
 * and syncing (core/task/fork.c).
 *
 * One worker for each CPU. The load begins on the first CPU; all others sleep, and
 * have left their requests, as in a runtime that has been idle.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "numa/policy.h"
#include "tools/sim/costs.h"
#include "tools/sim/load.h"
#include "tools/sim/machine.h"

/* On which node the data of a task lies; its work takes longer on another. */
enum sim_data {
	DATA_DEPTH,  /* where it was forked, down to a depth; what is below has its data there too */
	DATA_BLOCKS, /* an array in blocks, one for each node in turn */
};

struct sim_setup {
	struct machine *machine;
	const struct load *load;
	const struct policy *policy;
	const struct costs *costs;
	enum sim_data data;
	uint32_t data_depth; /* UINT32_MAX: each task's where it was forked; 0: all where the load began */
	bool wake_any;       /* of the sleepers the next one; else one of the own node, if there is one */
	bool keep_home;      /* what was brought from afar is not published at once */
	uint64_t seed;
	uint64_t work, span; /* load_bounds() */
};

struct sim_result {
	uint64_t makespan_ps;
	uint64_t work_ps;   /* of all tasks, as if their data were near */
	uint64_t remote_ps; /* ... of those that ran on another node than their data's */
	uint64_t extra_ps;  /* that this cost */
	uint64_t busy_ps;   /* CPUs that run tasks, with all that is not searching or sleeping */
	uint64_t nodes, leaves, value, depth;
	uint64_t steals, stolen; /* stolen: tasks and threads */
	uint64_t steals_by_tier[POLICY_TIERS], stolen_by_tier[POLICY_TIERS];
	uint64_t asked, forced, reveals, parks;
	uint64_t sleeps, wakes, barriers, interrupts;
	uint64_t events;
	uint64_t all_busy_ps; /* when as many CPUs as ever at once were first at work */
	unsigned busy_most;
	char wrong[160]; /* "": what came out is right */
};

/* 0; -ENOMEM; -EINVAL: the result is wrong, which `wrong` says. */
int sim_run(const struct sim_setup *setup, struct sim_result *result);

#endif
