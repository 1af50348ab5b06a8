/* SPDX-License-Identifier: MIT */
#include "bench/report.h"

#include <string.h>

#include "bench/machine.h"

static void json_head(FILE *to, const struct run *run)
{
	fprintf(to,
		"{\"workload\":\"%s\",\"size\":\"%s\",\"case\":\"%s\",\"params\":\"%s\",\"backend\":\"%s\",\"workers\":"
		"%u",
		run->bench_case->workload, size_name(run->bench_case->size), run->bench_case->name, run->params,
		run->backend, run->workers);
}

static void json_tail(FILE *to, const struct run *run)
{
	fprintf(to, ",\"verified\":%s,\"machine\":\"%s\"", run->verified ? "true" : "false", machine_describe());
	if (*run->error) {
		fputs(",\"error\":\"", to);
		for (const char *c = run->error; *c; c++)
			fputc(*c == '"' || *c == '\\' || (unsigned char)*c < ' ' ? '\'' : *c, to);
		fputc('"', to);
	}
	fputs("}\n", to);
}

void report_json(FILE *to, const struct run *run)
{
	if (!run->metrics && *run->error) {
		const char *unit, *metric = case_metric(run->bench_case, &unit);

		json_head(to, run);
		fprintf(to,
			",\"metric\":\"%s\",\"unit\":\"%s\",\"better\":\"lower\",\"min\":null,\"median\":null,"
			"\"max\":null,\"n\":0",
			metric, unit);
		json_tail(to, run);
	}
	for (int i = 0; i < run->metrics; i++) {
		const struct metric *m = &run->metric[i];

		json_head(to, run);
		fprintf(to,
			",\"metric\":\"%s\",\"unit\":\"%s\",\"better\":\"%s\",\"min\":%.6g,\"median\":%.6g,\"max\":%."
			"6g,"
			"\"n\":%d",
			m->name, m->unit, m->better, m->min, m->median, m->max, m->samples);
		json_tail(to, run);
	}
}

void report_table_head(FILE *to, int repeat)
{
	fprintf(to, "machine: %s\n", machine_describe());
	fprintf(to, "%d run%s of each, the backends in turn; x serial: median over the serial one's median\n", repeat,
		repeat == 1 ? "" : "s");
}

static void put_figure(FILE *to, double value)
{
	if (value >= 1000)
		fprintf(to, " %10.0f", value);
	else if (value >= 100)
		fprintf(to, " %10.1f", value);
	else if (value >= 0.1 || value == 0)
		fprintf(to, " %10.2f", value);
	else
		fprintf(to, " %10.5f", value);
}

static const struct metric *serial_metric(const struct run *run, int runs, const char *name)
{
	for (int i = 0; i < runs; i++)
		if (!strcmp(run[i].backend, "serial"))
			return run_metric(&run[i], name);
	return NULL;
}

static const struct metric *rate_metric(const struct run *run)
{
	for (int i = 0; i < run->metrics; i++)
		if (!strcmp(run->metric[i].unit, "10^6/s"))
			return &run->metric[i];
	return NULL;
}

static void put_row(FILE *to, const struct run *run, const struct metric *m, const struct metric *serial,
		    const struct metric *rate)
{
	fprintf(to, "    %-8s %7u", run->backend, run->workers);
	put_figure(to, m->min);
	put_figure(to, m->median);
	put_figure(to, m->max);
	fprintf(to, " %-4s", m->unit);
	if (serial && serial->median > 0)
		fprintf(to, " %9.2f", m->median / serial->median);
	else
		fprintf(to, " %9s", "-");
	if (rate)
		put_figure(to, rate->median);
	fprintf(to, "  %s\n", run->verified ? "yes" : "NO");
}

/* A time and its rate say the same: the rate is a column beside the time. */
static void put_metric(FILE *to, const struct run *run, int runs, const char *name)
{
	const struct metric *serial = serial_metric(run, runs, name);
	bool first = true;

	for (int i = 0; i < runs; i++) {
		const struct metric *m = run_metric(&run[i], name);
		const struct metric *rate = m && !strcmp(m->unit, "ns") ? rate_metric(&run[i]) : NULL;

		if (m && first)
			fprintf(to, "  %s, %s is better\n    %-8s %7s %10s %10s %10s %-4s %9s%s%s  %s\n", name,
				m->better, "backend", "workers", "min", "median", "max", "unit", "x serial",
				rate ? "   " : "", rate ? " 10^6/s" : "", "verified");
		if (m)
			put_row(to, &run[i], m, serial, rate);
		first = first && !m;
	}
}

/* Counters of one backend's runtime: not to be compared with the others. */
static bool is_counter(const struct metric *m)
{
	return !strcmp(m->unit, "1") || !strcmp(m->name, "ns_per_asked_steal") ||
	       !strcmp(m->name, "ns_per_forced_reveal");
}

/* Medians, a line for each number of workers. */
static void put_counters(FILE *to, const struct run *run)
{
	bool any = false;

	for (int i = 0; i < run->metrics; i++) {
		const struct metric *m = &run->metric[i];

		/* of the distances from which nothing was ever stolen nothing is said */
		if (!is_counter(m) || (strstr(m->name, "_tier") && m->max == 0))
			continue;
		if (!any)
			fprintf(to, "  %s, %u workers, counted in a run:", run->backend, run->workers);
		fprintf(to, "%s %s %.4g", any ? "," : "", m->name, m->median);
		any = true;
	}
	if (any)
		fputc('\n', to);
}

/* Backends that ran the same thing are named together. */
static void put_params(FILE *to, const struct run *run, int runs)
{
	for (int i = 0; i < runs; i++) {
		const char *named = NULL;
		bool again = !*run[i].params;

		for (int j = 0; j < i; j++)
			again |= !strcmp(run[i].params, run[j].params);
		if (again)
			continue;
		fprintf(to, "  %s:", run[i].params);
		for (int j = i; j < runs; j++)
			if (!strcmp(run[i].params, run[j].params) && (!named || strcmp(named, run[j].backend))) {
				named = run[j].backend;
				fprintf(to, " %s", named);
			}
		fputc('\n', to);
	}
}

/* Metrics in the order in which any run names them first; counters apart. */
static void put_metrics(FILE *to, const struct run *run, int runs)
{
	const char *done[METRICS_MOST];
	int dones = 0;

	for (int i = 0; i < runs; i++)
		for (int j = 0; j < run[i].metrics && dones < METRICS_MOST; j++) {
			const struct metric *m = &run[i].metric[j];
			bool seen = false;

			for (int k = 0; k < dones; k++)
				seen |= !strcmp(done[k], m->name);
			if (seen || is_counter(m) || !strcmp(m->unit, "10^6/s"))
				continue;
			done[dones++] = m->name;
			put_metric(to, run, runs, m->name);
		}
}

void report_table_case(FILE *to, const struct run *run, int runs)
{
	fprintf(to, "\n%s %s, size %s\n", run->bench_case->workload, run->bench_case->name,
		size_name(run->bench_case->size));
	put_params(to, run, runs);
	put_metrics(to, run, runs);
	for (int i = 0; i < runs; i++) {
		if (*run[i].skipped)
			fprintf(to, "  %s, %u workers: skipped: %s\n", run[i].backend, run[i].workers, run[i].skipped);
		if (*run[i].error)
			fprintf(to, "  %s, %u workers: FAILED: %s\n", run[i].backend, run[i].workers, run[i].error);
		put_counters(to, &run[i]);
	}
}
