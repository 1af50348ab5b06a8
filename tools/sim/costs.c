/* SPDX-License-Identifier: MIT */
#include "tools/sim/costs.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct cost {
	const char *name, *what, *from;
	size_t at;
	double value;
} all[] = {
#define X(name, value, what, from) {#name, what, from, offsetof(struct costs, name), value},
	COSTS(X)
#undef X
};
#define COUNT (sizeof(all) / sizeof(all[0]))
/* A second. What is longer is a slip of the pen, and sums of it overflow. */
#define MOST 1e9

static double *at(struct costs *c, const struct cost *cost)
{
	return (double *)(void *)((char *)c + cost->at);
}

void costs_init(struct costs *c)
{
	for (size_t i = 0; i < COUNT; i++)
		*at(c, &all[i]) = all[i].value;
}

int costs_set(struct costs *c, const char *text, char *message, size_t size)
{
	const char *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : strlen(text), i = 0;
	double value, most;
	char *end;

	while (i < COUNT && (strlen(all[i].name) != length || strncmp(all[i].name, text, length) != 0))
		i++;
	if (i == COUNT) {
		snprintf(message, size, "there is no cost '%.*s' (--costs lists them)",
			 (int)(length < 40 ? length : 40), text);
		return -EINVAL;
	}
	most = all[i].at == offsetof(struct costs, memory_share) ? 1 : MOST;
	value = equals ? strtod(equals + 1, &end) : NAN;
	if (!equals || end == equals + 1 || *end || !(value >= 0 && value <= most)) {
		snprintf(message, size, "%s: '%.40s' is not a number from 0 to %g", all[i].name,
			 equals ? equals + 1 : "", most);
		return -EINVAL;
	}
	*at(c, &all[i]) = value;
	return 0;
}

int costs_read(struct costs *c, const char *path, char *message, size_t size)
{
	char line[256], what[160];
	FILE *f = fopen(path, "r");
	int r = 0;

	if (!f) {
		r = -errno;
		snprintf(message, size, "%s", strerror(errno));
		return r;
	}
	for (int n = 1; !r && fgets(line, sizeof(line), f); n++) {
		char *text = line + strspn(line, " \t"), *end;

		text[strcspn(text, "#\n")] = 0;
		end = text + strlen(text);
		while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
			*--end = 0;
		if (*text && (r = costs_set(c, text, what, sizeof(what))))
			snprintf(message, size, "line %d: %s", n, what);
	}
	if (!r && ferror(f)) {
		r = -EIO;
		snprintf(message, size, "cannot be read");
	}
	fclose(f);
	return r;
}

void costs_list(const struct costs *c, FILE *out)
{
	for (size_t i = 0; i < COUNT; i++)
		fprintf(out, "%s=%-*g # %s; %s\n", all[i].name, (int)(20 - strlen(all[i].name)),
			*(const double *)(const void *)((const char *)c + all[i].at), all[i].what, all[i].from);
}
