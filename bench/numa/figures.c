/* SPDX-License-Identifier: MIT */
#include "bench/numa/figures.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct figures {
	const struct rows *rows;
	const struct row *machine;
	const char *prefix;
	int (*draw)(void *arg, const struct chart *chart);
	void *arg;
	unsigned workers; /* of which pictures are made now */
};

/* Put a result into the picture, if it belongs there. 0 or -errno. */
typedef int take_fn(const struct figures *f, struct chart *chart, const struct row *row);

/* With so many workers; what has one by its nature is beside all. */
static bool has_workers(const struct figures *f, const struct row *row)
{
	return row->workers == f->workers || !strcmp(row->backend, "serial");
}

static bool is_tree(const struct row *row)
{
	return !strcmp(row->workload, "uts") || !strcmp(row->workload, "nqueens") || !strcmp(row->workload, "fib");
}

static void case_name(const struct row *row, char *name, size_t size)
{
	if (!strcmp(row->workload, row->name))
		snprintf(name, size, "%s", row->name);
	else
		snprintf(name, size, "%.15s %.24s", row->workload, row->name);
}

static int put(struct chart *chart, const char *name, const char *column, const struct row *row)
{
	return chart_cell(chart, name, column, row, row->min, row->median, row->max);
}

/* Tiers in their order, also where the first case has none of some. */
static const char *const tiers[][2] = {
	{"stolen_tier0", "SMT sibling"},     {"stolen_tier1", "same cache"},      {"stolen_tier2", "same node"},
	{"stolen_tier3", "nearest node(s)"}, {"stolen_tier4", "2nd distance"},    {"stolen_tier5", "3rd distance"},
	{"stolen_tier6", "4th distance"},    {"stolen_tier7", "5th and farther"},
};

static int take_stolen(const struct figures *f, struct chart *chart, const struct row *row)
{
	char name[64], where[48];

	if (!is_tree(row) || !has_workers(f, row) || !*row->policy)
		return 0;
	case_name(row, where, sizeof(where));
	snprintf(name, sizeof(name), "%.40s: %s", where, row->policy);
	for (size_t t = 0; t < sizeof(tiers) / sizeof(tiers[0]); t++)
		if (!strcmp(row->metric, tiers[t][0]))
			return put(chart, name, tiers[t][1], row);
	return 0;
}

/* By which policy the others are divided. */
static const struct row *near_first(const struct figures *f, const struct row *row)
{
	for (size_t i = 0; i < f->rows->count; i++) {
		const struct row *r = &f->rows->row[i];

		if (row_same_machine(r, row) && !strcmp(r->workload, row->workload) && !strcmp(r->name, row->name) &&
		    !strcmp(r->size, row->size) && !strcmp(r->metric, row->metric) && r->workers == row->workers &&
		    !strcmp(r->policy, "near-first") && r->median > 0)
			return r;
	}
	return NULL;
}

static int take_time(const struct figures *f, struct chart *chart, const struct row *row)
{
	const struct row *one;
	char name[64];

	if (!is_tree(row) || !has_workers(f, row) || !*row->policy ||
	    (strcmp(row->metric, "ns_per_node") != 0 && strcmp(row->metric, "ns_per_fork") != 0))
		return 0;
	one = near_first(f, row);
	if (!one)
		return 0;
	case_name(row, name, sizeof(name));
	return chart_cell(chart, name, row->policy, row, row->min / one->median, row->median / one->median,
			  row->max / one->median);
}

static int take_loop(const struct figures *f, struct chart *chart, const struct row *row, const char *workload,
		     const char *metric)
{
	char label[48], name[64];

	if ((workload && strcmp(row->workload, workload) != 0) || strcmp(row->metric, metric) != 0 ||
	    !has_workers(f, row))
		return 0;
	row_label(row, label, sizeof(label));
	case_name(row, name, sizeof(name));
	return put(chart, name, label, row);
}

static int take_triad(const struct figures *f, struct chart *chart, const struct row *row)
{
	return take_loop(f, chart, row, "triad", "gb_per_s");
}

static int take_jacobi(const struct figures *f, struct chart *chart, const struct row *row)
{
	return take_loop(f, chart, row, "jacobi", "ns_per_element");
}

static int take_home(const struct figures *f, struct chart *chart, const struct row *row)
{
	return take_loop(f, chart, row, NULL, "percent_home");
}

static int take_placement(const struct figures *f, struct chart *chart, const struct row *row)
{
	static const char *const what[][2] = {
		{"percent_stacks_home", "stack on the node of the CPU that started it"},
		{"percent_pages_home", "page on its node (all memory of the runtime)"},
		{"percent_woken_home", "woken on the node of its stack"},
		{"percent_started_abroad", "started on another node than its creator"},
	};
	char label[48];

	if (strcmp(row->workload, "placement") != 0 || !has_workers(f, row))
		return 0;
	row_label(row, label, sizeof(label));
	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++)
		if (!strcmp(row->metric, what[i][0]))
			return put(chart, label, what[i][1], row);
	return 0;
}

static int take_pair(struct chart *chart, const struct row *row, const char *metric)
{
	char from[16], to[16];
	int f, t;

	if (strcmp(row->workload, "nodes") != 0 || strcmp(row->metric, metric) != 0 ||
	    sscanf(row->name, "%d-%d", &f, &t) != 2)
		return 0;
	snprintf(from, sizeof(from), "%d", f);
	snprintf(to, sizeof(to), "%d", t);
	return put(chart, from, to, row);
}

static int take_latency(const struct figures *f, struct chart *chart, const struct row *row)
{
	(void)f;
	return take_pair(chart, row, "ns_per_load");
}

static int take_bandwidth(const struct figures *f, struct chart *chart, const struct row *row)
{
	(void)f;
	return take_pair(chart, row, "read_gb_per_s");
}

static const struct picture {
	const char *name;
	enum chart_form form;
	const char *title, *unit, *rows_are, *columns_are;
	take_fn *take;
	bool by_workers;
} pictures[] = {
	{"steals", CHART_STACKED, "Where stolen threads came from, by stealing policy", "% of stolen threads",
	 "tree: policy", "", take_stolen, true},
	{"steals-time", CHART_BARS, "Time of the trees, by stealing policy (bars: median, lines: min to max)",
	 "time / median time by near-first", "tree", "", take_time, true},
	{"placement", CHART_BARS, "Placement of threads and their stacks", "% of threads, of pages", "runtime/policy",
	 "", take_placement, true},
	{"jacobi", CHART_BARS, "Jacobi, 5-point (bars: median, lines: min to max; less is better)", "ns per element",
	 "form of the loop", "", take_jacobi, true},
	{"triad", CHART_BARS, "STREAM triad (bars: median, lines: min to max; more is better)",
	 "GB/s (24 bytes per element)", "form of the loop", "", take_triad, true},
	{"home", CHART_BARS, "Blocks that ran on the node of their memory", "% of blocks", "loop and its form", "",
	 take_home, true},
	{"latency", CHART_TABLE, "Latency of a load, node to node", "ns per load", "node of the CPU",
	 "node of the memory", take_latency, false},
	{"bandwidth", CHART_TABLE, "Read bandwidth of all CPUs of a node, node to node", "GB/s", "node of the CPUs",
	 "node of the memory", take_bandwidth, false},
};

/* Names of tiers that nobody stole from are not in the legend. */
static void drop_empty_columns(struct chart *chart)
{
	int kept = 0;

	for (int j = 0; j < chart->columns; j++) {
		bool any = false;

		for (int i = 0; i < chart->rows; i++)
			any |= chart->cell[i][j].filled && chart->cell[i][j].median > 0;
		if (!any)
			continue;
		for (int i = 0; i < chart->rows; i++)
			chart->cell[i][kept] = chart->cell[i][j];
		chart->colour[kept] = chart->colour[j];
		memmove(chart->column[kept], chart->column[j], sizeof(chart->column[0]));
		kept++;
	}
	chart->columns = kept;
}

static int make_one(const struct figures *f, const struct picture *p)
{
	struct chart *chart = chart_new(p->form, p->title, p->unit);
	int r = chart ? 0 : -ENOMEM;

	for (size_t i = 0; i < f->rows->count && !r; i++) {
		const struct row *row = &f->rows->row[i];

		if (row_same_machine(row, f->machine) && isfinite(row->median))
			r = p->take(f, chart, row);
	}
	if (!r && p->form == CHART_STACKED)
		drop_empty_columns(chart);
	if (!r && chart->rows && chart->columns) {
		snprintf(chart->rows_are, sizeof(chart->rows_are), "%s", p->rows_are);
		snprintf(chart->columns_are, sizeof(chart->columns_are), "%s", p->columns_are);
		chart->workers = p->by_workers ? f->workers : 0;
		if (p->by_workers)
			snprintf(chart->file, sizeof(chart->file), "%s-%s-w%u", f->prefix, p->name, f->workers);
		else
			snprintf(chart->file, sizeof(chart->file), "%s-%s", f->prefix, p->name);
		r = f->draw(f->arg, chart);
	}
	free(chart);
	return r;
}

/* The least number of workers above f->workers that a runtime was run with; 0: none. */
static unsigned next_workers(const struct figures *f)
{
	unsigned next = 0;

	for (size_t i = 0; i < f->rows->count; i++) {
		const struct row *row = &f->rows->row[i];

		if (row_same_machine(row, f->machine) && strcmp(row->workload, "nodes") != 0 &&
		    strcmp(row->backend, "serial") != 0 && row->workers > f->workers && (!next || row->workers < next))
			next = row->workers;
	}
	return next;
}

int figures_make(const struct rows *rows, const struct row *machine, const char *prefix,
		 int (*draw)(void *arg, const struct chart *chart), void *arg)
{
	struct figures f = {rows, machine, prefix, draw, arg, 0};
	int r = 0;

	for (size_t p = 0; p < sizeof(pictures) / sizeof(pictures[0]) && !r; p++) {
		if (!pictures[p].by_workers) {
			r = make_one(&f, &pictures[p]);
			continue;
		}
		f.workers = 0;
		while (!r && (f.workers = next_workers(&f)))
			r = make_one(&f, &pictures[p]);
	}
	return r;
}
