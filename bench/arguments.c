/* SPDX-License-Identifier: MIT */
#include "bench/arguments.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *program_name = "bench";

int argument_bad(const char *argument, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_name, argument, what);
	return -EINVAL;
}

/* Decimal digits only, least to most. No message. */
static int parse_number(const char *text, unsigned least, unsigned most, unsigned *number)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value < least || value > most)
		return -EINVAL;
	*number = (unsigned)value;
	return 0;
}

/* "1,2,4" */
static int parse_workers(struct common_options *o, const char *argument, const char *value)
{
	char list[strlen(value) + 1], message[160], *next;

	o->workers_listed = 0;
	memcpy(list, value, sizeof(list));
	for (char *word = list; word; word = next) {
		unsigned *into = &o->workers[o->workers_listed];

		next = strchr(word, ',');
		if (next)
			*next++ = 0;
		if (o->workers_listed == WORKERS_LISTED_MOST)
			return argument_bad(argument, "more than 32 numbers");
		if (parse_number(word, 1, WORKERS_MOST, into)) {
			snprintf(message, sizeof(message), "'%.40s' is not a number from 1 to %d", word, WORKERS_MOST);
			return argument_bad(argument, message);
		}
		for (int i = 0; i < o->workers_listed; i++)
			if (o->workers[i] == *into)
				return argument_bad(argument, "a number of workers is there twice");
		o->workers_listed++;
	}
	return 0;
}

char *argument_path(const char *path)
{
	const char *from = getenv("BUILD_WORKING_DIRECTORY");
	char *whole;

	if (*path == '/' || !from)
		return strdup(path);
	return asprintf(&whole, "%s/%s", from, path) < 0 ? NULL : whole;
}

/* A directory that is there, or is made now, and can be written to. */
static int parse_directory(const char *argument, const char *value, char **directory)
{
	*directory = argument_path(value);
	if (!*value || !*directory)
		return argument_bad(argument, "no directory given");
	if (mkdir(*directory, 0777) && errno != EEXIST)
		return argument_bad(argument, strerror(errno));
	return access(*directory, W_OK | X_OK) ? argument_bad(argument, strerror(errno)) : 0;
}

static int no_such_word(const char *argument, const char *word, const char *kind, const char *const *names, int count)
{
	char message[400];
	size_t used = (size_t)snprintf(message, sizeof(message), "no %s '%.40s'; there are", kind, word);

	for (int i = 0; i < count && used < sizeof(message); i++)
		used += (size_t)snprintf(message + used, sizeof(message) - used, "%s %s", i ? "," : "", names[i]);
	return argument_bad(argument, message);
}

int argument_words(const char *argument, const char *value, const char *kind, const char *const *names, int count,
		   bool *chosen)
{
	char list[strlen(value) + 1], *next;

	memcpy(list, value, sizeof(list));
	memset(chosen, 0, (size_t)count * sizeof(*chosen));
	for (char *word = list; word; word = next) {
		int i = 0;

		next = strchr(word, ',');
		if (next)
			*next++ = 0;
		while (i < count && strcmp(names[i], word))
			i++;
		if (i == count)
			return no_such_word(argument, word, kind, names, count);
		chosen[i] = true;
	}
	return 0;
}

unsigned argument_cpus(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : (unsigned)CPU_COUNT(&cpus);
}

bool argument_is(const char *argument, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(argument, name, n) && argument[n] == '=';
}

const char *argument_value(const char *argument)
{
	const char *equals = strchr(argument, '=');

	return equals ? equals + 1 : NULL;
}

int argument_common(struct common_options *o, const char *argument)
{
	const char *value = argument_value(argument);
	unsigned number;

	if (!strcmp(argument, "--list")) {
		o->list = true;
		return 0;
	}
	if (!strcmp(argument, "--help") || !strcmp(argument, "-h")) {
		o->help = true;
		return 0;
	}
	if (!value)
		return argument_bad(argument, "no such option, or its =VALUE is missing; see --help");
	if (argument_is(argument, "--workers"))
		return parse_workers(o, argument, value);
	if (argument_is(argument, "--output"))
		return parse_directory(argument, value, &o->output);
	if (argument_is(argument, "--size"))
		return size_parse(value, &o->size) ? argument_bad(argument, "the sizes are small, medium, large") : 0;
	if (argument_is(argument, "--repeat")) {
		if (parse_number(value, 1, REPEAT_MOST, &number))
			return argument_bad(argument, "must be a number from 1 to 1000");
		o->repeat = (int)number;
		return 0;
	}
	if (argument_is(argument, "--format")) {
		o->json = !strcmp(value, "json");
		return o->json || !strcmp(value, "table") ? 0 : argument_bad(argument, "the formats are table, json");
	}
	return argument_bad(argument, "no such option; see --help");
}
