/* SPDX-License-Identifier: MIT */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/sim/sim.h"

#define OPTIONS_LISTED_MOST 16
#define OPTIONS_SEEDS_MOST 99

/* A result that is known from elsewhere, to be shown beside. */
struct options_known {
	char name[32];
	double value;
};

struct options {
	const char *machine, *load;
	enum machine_distances distances;
	enum policy_kind policy[OPTIONS_LISTED_MOST];
	unsigned policies;
	double delay_us[OPTIONS_LISTED_MOST]; /* for each rank */
	unsigned delays;                      /* 0: the policy's own */
	bool gate[2];                         /* with, without */
	unsigned seeds;
	uint64_t seed;
	double work_ns, jitter; /* work: < 0 as the load has it */
	enum sim_data data;
	uint32_t data_depth;
	bool wake_any, keep_home, in_turn, forgets;
	struct costs costs;
	bool list_costs, json, help;
	struct options_known known[OPTIONS_LISTED_MOST];
	unsigned knowns;
};

extern const char *const options_policy_names[4];

/* 0, or -EINVAL when a line on stderr has said what is wrong. */
int options_parse(struct options *o, int argc, char **argv);
void options_help(void);

#endif
