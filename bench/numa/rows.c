/* SPDX-License-Identifier: MIT */
#include "bench/numa/rows.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/arguments.h"
#include "bench/result.h"

#define LINE_MOST 4096

static int take_figures(const char *line, struct row *row)
{
	double workers, samples;

	if (json_number(line, "workers", &workers) || json_number(line, "n", &samples))
		return -EINVAL;
	row->workers = (unsigned)workers;
	row->samples = (int)samples;
	row->verified = strstr(line, "\"verified\":true");
	if (!row->samples) {
		row->min = row->median = row->max = NAN;
		return 0;
	}
	return json_number(line, "min", &row->min) || json_number(line, "median", &row->median) ||
			       json_number(line, "max", &row->max)
		       ? -EINVAL
		       : 0;
}

static const char *take(const char *line, struct row *row)
{
#define TAKE(key, field) json_string(line, key, row->field, sizeof(row->field))
	memset(row, 0, sizeof(*row));
	if (TAKE("workload", workload) || TAKE("case", name) || TAKE("size", size) || TAKE("backend", backend) ||
	    TAKE("metric", metric) || TAKE("unit", unit) || TAKE("params", params) || TAKE("machine", machine) ||
	    take_figures(line, row))
		return "this is no result of the bench";
	if (TAKE("kind", kind))
		return "it does not say what kind of machine it is of";
	if (strcmp(row->kind, "real") != 0 && strcmp(row->kind, "VM") != 0 && strcmp(row->kind, "emulated") != 0)
		return "the kind of machine is neither real, VM nor emulated";
	/* these need not be there */
	if (TAKE("policy", policy))
		*row->policy = 0;
	if (TAKE("error", error))
		*row->error = 0;
#undef TAKE
	return NULL;
}

bool row_same_machine(const struct row *a, const struct row *b)
{
	return !strcmp(a->kind, b->kind) && !strcmp(a->machine, b->machine);
}

static bool same_measurement(const struct row *a, const struct row *b)
{
	return row_same_machine(a, b) && a->workers == b->workers && !strcmp(a->workload, b->workload) &&
	       !strcmp(a->name, b->name) && !strcmp(a->size, b->size) && !strcmp(a->backend, b->backend) &&
	       !strcmp(a->policy, b->policy) && !strcmp(a->metric, b->metric);
}

static struct row *next(struct rows *rows)
{
	if (rows->count == rows->room) {
		size_t room = rows->room ? 2 * rows->room : 256;
		struct row *more = realloc(rows->row, room * sizeof(*more));

		if (!more)
			return NULL;
		rows->row = more;
		rows->room = room;
	}
	return &rows->row[rows->count];
}

static const char *add(struct rows *rows, const char *line)
{
	struct row *row = next(rows);
	const char *wrong = row ? take(line, row) : "no memory";

	for (size_t i = 0; i < rows->count && !wrong; i++)
		if (same_measurement(&rows->row[i], row))
			wrong = "the same measurement is there already: which one is to be shown?";
	if (!wrong)
		rows->count++;
	return wrong;
}

int rows_read(struct rows *rows, const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned number = 0;
	char line[LINE_MOST];

	if (!f) {
		fprintf(stderr, "%s: %s: %s\n", program_name, path, strerror(errno));
		return -EINVAL;
	}
	while (fgets(line, sizeof(line), f)) {
		const char *wrong = add(rows, line);

		number++;
		if (wrong) {
			fprintf(stderr, "%s: %s, line %u: %s\n", program_name, path, number, wrong);
			fclose(f);
			return -EINVAL;
		}
	}
	fclose(f);
	if (!number)
		fprintf(stderr, "%s: %s: no results\n", program_name, path);
	return number ? 0 : -EINVAL;
}

void rows_free(struct rows *rows)
{
	free(rows->row);
	memset(rows, 0, sizeof(*rows));
}

void row_label(const struct row *row, char *text, size_t size)
{
	if (*row->policy)
		snprintf(text, size, "%s/%s", row->backend, row->policy);
	else
		snprintf(text, size, "%s", row->backend);
}
