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

int argument_number(const char *text, unsigned least, unsigned most, unsigned *number)
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

int argument_workers(const char *argument, char *list, unsigned workers[WORKERS_LISTED_MOST], int *listed)
{
	char message[160], *next;

	*listed = 0;
	for (char *word = list; word; word = next) {
		unsigned *into = &workers[*listed];

		next = strchr(word, ',');
		if (next)
			*next++ = 0;
		if (*listed == WORKERS_LISTED_MOST)
			return argument_bad(argument, "more than 32 numbers");
		if (argument_number(word, 1, WORKERS_MOST, into)) {
			snprintf(message, sizeof(message), "'%.40s' is not a number from 1 to %d", word, WORKERS_MOST);
			return argument_bad(argument, message);
		}
		for (int i = 0; i < *listed; i++)
			if (workers[i] == *into)
				return argument_bad(argument, "a number of workers is there twice");
		++*listed;
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

int argument_directory(const char *argument, const char *value, char **directory)
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

int argument_words(const char *argument, char *list, const char *kind, const char *const *names, int count,
		   bool *chosen)
{
	char *next;

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
