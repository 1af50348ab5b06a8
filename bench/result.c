/* SPDX-License-Identifier: MIT */
#include "bench/result.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Backends write flat objects whose strings hold neither quotes nor escapes
 * (backend/main.c), so a value is found by its key.
 */
static const char *find_value(const char *line, const char *key)
{
	char quoted[48];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = strstr(line, quoted);
	return at ? at + strlen(quoted) : NULL;
}

int json_string(const char *line, const char *key, char *to, size_t size)
{
	const char *at = find_value(line, key), *end;

	if (!at || *at != '"')
		return -EINVAL;
	end = strchr(++at, '"');
	if (!end || (size_t)(end - at) >= size)
		return -EINVAL;
	memcpy(to, at, (size_t)(end - at));
	to[end - at] = 0;
	return 0;
}

int json_number(const char *line, const char *key, double *to)
{
	const char *at = find_value(line, key);
	char *end;

	if (!at)
		return -EINVAL;
	*to = strtod(at, &end);
	return end == at || !isfinite(*to) ? -EINVAL : 0;
}

static struct metric *metric_of(struct run *run, const char *name)
{
	struct metric *m;

	for (int i = 0; i < run->metrics; i++)
		if (!strcmp(run->metric[i].name, name))
			return &run->metric[i];
	if (run->metrics == METRICS_MOST)
		return NULL;
	m = &run->metric[run->metrics];
	m->sample = calloc((size_t)run->room, sizeof(*m->sample));
	if (!m->sample)
		return NULL;
	strcpy(m->name, name);
	run->metrics++;
	return m;
}

int run_take(struct run *run, const char *line)
{
	char name[sizeof(run->metric[0].name)];
	const char *verified = find_value(line, "verified");
	struct metric *m;
	double value;

	if (!json_string(line, "skipped", run->skipped, sizeof(run->skipped)))
		return 0;
	if (!verified || json_string(line, "metric", name, sizeof(name)) || json_number(line, "value", &value) ||
	    json_string(line, "params", run->params, sizeof(run->params)))
		return -EINVAL;
	m = metric_of(run, name);
	if (!m || m->samples == run->room || json_string(line, "unit", m->unit, sizeof(m->unit)) ||
	    json_string(line, "better", m->better, sizeof(m->better)))
		return -EINVAL;
	m->sample[m->samples++] = value;
	if (strncmp(verified, "true", 4))
		run->verified = false;
	return 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void run_settle(struct run *run)
{
	for (int i = 0; i < run->metrics; i++) {
		struct metric *m = &run->metric[i];

		qsort(m->sample, (size_t)m->samples, sizeof(*m->sample), compare);
		m->min = m->sample[0];
		m->max = m->sample[m->samples - 1];
		m->median = (m->sample[(m->samples - 1) / 2] + m->sample[m->samples / 2]) / 2;
	}
}

void run_free(struct run *run)
{
	for (int i = 0; i < run->metrics; i++)
		free(run->metric[i].sample);
	run->metrics = 0;
}

const struct metric *run_metric(const struct run *run, const char *name)
{
	for (int i = 0; i < run->metrics; i++)
		if (!strcmp(run->metric[i].name, name))
			return &run->metric[i];
	return NULL;
}
