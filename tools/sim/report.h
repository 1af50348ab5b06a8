/* SPDX-License-Identifier: MIT */
/* report.h - several runs that differ in their seeds only, as one row of a table, or one line of JSON. */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/sim/options.h"

struct report_row {
	const struct options *options;
	const struct machine *machine;
	const struct load *load;
	enum policy_kind policy;
	double delay_us; /* of the nearest far tier */
	bool gate;
	const struct sim_result *result; /* of each seed */
	unsigned results;
};

/* The results' names, each line begun with `indent`. */
void report_names(FILE *out, const char *indent);
/* Its number, or -1. */
int report_column(const char *name);

void report_head(FILE *out, const struct report_row *row);
void report_table(FILE *out, const struct report_row *row);
void report_json(FILE *out, const struct report_row *row);
/* options->known beside the row's medians. */
void report_beside(FILE *out, const struct report_row *row);

#endif
