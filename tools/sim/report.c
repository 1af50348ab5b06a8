/* SPDX-License-Identifier: MIT */
#include "tools/sim/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

static double far_sum(const uint64_t *by_tier)
{
	double sum = 0;

	for (int t = TIER_FAR; t < POLICY_TIERS; t++)
		sum += (double)by_tier[t];
	return sum;
}

/* name, in the table (with its width and digits, or not), what it is of a result r with n CPUs */
#define COLUMNS(X)                                                                                                     \
	X(makespan_us, (double)r->makespan_ps / 1e6)                                                                   \
	X(ns_per_node, (double)r->makespan_ps / 1e3 / (double)r->nodes)                                                \
	X(speedup, share((double)r->work_ps, (double)r->makespan_ps))                                                  \
	X(utilisation, share((double)r->busy_ps, (double)r->makespan_ps *n))                                           \
	X(steals, (double)r->steals)                                                                                   \
	X(stolen, (double)r->stolen)                                                                                   \
	X(far_steals, far_sum(r->steals_by_tier))                                                                      \
	X(far_steal_share, share(far_sum(r->steals_by_tier), (double)r->steals))                                       \
	X(far_stolen_share, share(far_sum(r->stolen_by_tier), (double)r->stolen))                                      \
	X(remote_share, share((double)r->remote_ps, (double)r->work_ps))                                               \
	X(remote_cost, share((double)r->extra_ps, (double)r->work_ps))                                                 \
	X(asked, (double)r->asked)                                                                                     \
	X(forced, (double)r->forced)                                                                                   \
	X(parks, (double)r->parks)                                                                                     \
	X(sleeps, (double)r->sleeps)                                                                                   \
	X(wakes, (double)r->wakes)                                                                                     \
	X(barriers, (double)r->barriers)                                                                               \
	X(busy_most, (double)r->busy_most)                                                                             \
	X(busy_most_us, (double)r->all_busy_ps / 1e6)                                                                  \
	X(events, (double)r->events)

enum {
#define X(name, value) COLUMN_##name,
	COLUMNS(X)
#undef X
		COLUMN_COUNT
};

static const char *const names[] = {
#define X(name, value) #name,
	COLUMNS(X)
#undef X
};

static double value(int column, const struct sim_result *r, double n)
{
	switch (column) {
#define X(name, value)                                                                                                 \
	case COLUMN_##name:                                                                                            \
		return value;
		COLUMNS(X)
#undef X
	default:
		return 0;
	}
}

struct range {
	double least, median, most;
};

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

static struct range range_of(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare);
	return (struct range){v[0], n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2, v[n - 1]};
}

static struct range column_range(const struct report_row *row, int column)
{
	double v[OPTIONS_SEEDS_MOST];

	for (unsigned i = 0; i < row->results; i++)
		v[i] = value(column, &row->result[i], row->machine->cpus);
	return range_of(v, row->results);
}

static double tier_median(const struct report_row *row, bool stolen, int tier)
{
	double v[OPTIONS_SEEDS_MOST];

	for (unsigned i = 0; i < row->results; i++)
		v[i] = (double)(stolen ? row->result[i].stolen_by_tier : row->result[i].steals_by_tier)[tier];
	return range_of(v, row->results).median;
}

void report_names(FILE *out, const char *indent)
{
	for (int i = 0; i < COLUMN_COUNT; i++)
		fprintf(out, "%s%s%s", i % 5 ? " " : indent, names[i], i % 5 == 4 || i + 1 == COLUMN_COUNT ? "\n" : "");
}

int report_column(const char *name)
{
	for (int i = 0; i < COLUMN_COUNT; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

/* ---- the table ---- */

void report_head(FILE *out, const struct report_row *row)
{
	const struct load *l = row->load;

	fprintf(out, "simulated machine: %.60s%s, %u CPUs on %u nodes\n", row->machine->text,
		strlen(row->machine->text) > 60 ? "..." : "", row->machine->cpus, row->machine->nodes);
	fprintf(out,
		"load: %s, %" PRIu64 " nodes of %g ns, +- %g %%; %u seed%s; medians, and min - max of the makespan\n",
		l->name, l->nodes, l->work_ns, 100 * l->jitter, row->options->seeds,
		row->options->seeds == 1 ? "" : "s");
	fprintf(out, "%-10s %8s %4s | %10s %21s | %8s %5s | %7s %7s %7s %8s %7s | %7s %7s %7s %6s %6s\n", "policy",
		"delay us", "gate", "makespan", "us, min - max", "speed-up", "used%", "steals", "stolen", "far st.",
		"far item", "remote%", "asked", "forced", "sleeps", "wakes", "barr.");
}

static double median(const struct report_row *row, int column)
{
	return column_range(row, column).median;
}

void report_table(FILE *out, const struct report_row *row)
{
	struct range makespan = column_range(row, COLUMN_makespan_us);
	bool tiers = row->policy == POLICY_NEAR_FIRST;
	char delay[16] = "-", between[32];

	if (tiers)
		snprintf(delay, sizeof(delay), "%g", row->delay_us);
	snprintf(between, sizeof(between), "%.1f - %.1f", makespan.least, makespan.most);
	fprintf(out,
		"%-10s %8s %4s | %10.1f %21s | %8.2f %5.1f | %7.0f %7.0f %6.1f%% %7.1f%% %6.2f%% | %7.0f %7.0f %7.0f "
		"%6.0f %6.0f\n",
		options_policy_names[row->policy], delay,
		!tiers      ? "-"
		: row->gate ? "on"
			    : "off",
		makespan.median, between, median(row, COLUMN_speedup), 100 * median(row, COLUMN_utilisation),
		median(row, COLUMN_steals), median(row, COLUMN_stolen), 100 * median(row, COLUMN_far_steal_share),
		100 * median(row, COLUMN_far_stolen_share), 100 * median(row, COLUMN_remote_share),
		median(row, COLUMN_asked), median(row, COLUMN_forced), median(row, COLUMN_sleeps),
		median(row, COLUMN_wakes), median(row, COLUMN_barriers));
	fflush(out);
}

void report_beside(FILE *out, const struct report_row *row)
{
	for (unsigned i = 0; i < row->options->knowns; i++) {
		const struct options_known *k = &row->options->known[i];
		struct range r = column_range(row, report_column(k->name));

		fprintf(out, "beside: %s: simulated %g (%g - %g), measured %g", k->name, r.median, r.least, r.most,
			k->value);
		if (k->value > 0)
			fprintf(out, ", %+.1f %%", 100 * (r.median / k->value - 1));
		fputc('\n', out);
	}
}

/* ---- JSON ---- */

static void json_tiers(FILE *out, const struct report_row *row, const char *name, bool stolen)
{
	fprintf(out, ",\"%s\":[", name);
	for (int t = 0; t < POLICY_TIERS; t++)
		fprintf(out, "%s%.10g", t ? "," : "", tier_median(row, stolen, t));
	fputc(']', out);
}

static void json_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++)
		fputc(*text == '"' || *text == '\\' || (unsigned char)*text < ' ' ? ' ' : *text, out);
	fputc('"', out);
}

void report_json(FILE *out, const struct report_row *row)
{
	bool verified = true;

	for (unsigned i = 0; i < row->results; i++)
		verified &= !*row->result[i].wrong;
	fputs("{\"simulated\":true,\"machine\":", out);
	json_text(out, row->machine->text);
	fprintf(out, ",\"cpus\":%u,\"nodes\":%u,\"load\":\"%s\",\"policy\":\"%s\"", row->machine->cpus,
		row->machine->nodes, row->load->name, options_policy_names[row->policy]);
	if (row->policy == POLICY_NEAR_FIRST)
		fprintf(out, ",\"delay_us\":%g,\"gate\":%s", row->delay_us, row->gate ? "true" : "false");
	fprintf(out, ",\"seeds\":%u,\"verified\":%s", row->results, verified ? "true" : "false");
	for (int i = 0; i < COLUMN_COUNT; i++) {
		struct range r = column_range(row, i);

		fprintf(out, ",\"%s\":{\"min\":%.10g,\"median\":%.10g,\"max\":%.10g}", names[i], r.least, r.median,
			r.most);
	}
	json_tiers(out, row, "steals_by_tier", false);
	json_tiers(out, row, "stolen_by_tier", true);
	fputs("}\n", out);
	fflush(out);
}
