/* SPDX-License-Identifier: MIT */
#include "numa/sysfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "numa/cpuset.h"

/* No kernel counts CPUs or nodes this far; a larger number is a broken file. */
#define LIST_LIMIT (1L << 20)

static void full_path(const struct sysfs *s, char *out, const char *path, va_list args)
{
	int n = snprintf(out, PATH_MAX, "%s", s->root);

	if (n >= 0 && n < PATH_MAX)
		vsnprintf(out + n, (size_t)(PATH_MAX - n), path, args);
}

#define FULL_PATH(s, out, path)                                                                                        \
	do {                                                                                                           \
		va_list args;                                                                                          \
		va_start(args, path);                                                                                  \
		full_path(s, out, path, args);                                                                         \
		va_end(args);                                                                                          \
	} while (0)

static int fail(struct sysfs *s, int error, const char *what, const char *file)
{
	/* the end of a long path says more than its beginning */
	size_t n = strlen(file), most = sizeof(s->error) / 2;

	snprintf(s->error, sizeof(s->error), "%s%.160s: %.120s", n > most ? "..." : "",
		 n > most ? file + n - most : file, what);
	return error;
}

int sysfs_fail(struct sysfs *s, int error, const char *what, const char *path, ...)
{
	char file[PATH_MAX];

	FULL_PATH(s, file, path);
	return fail(s, error, what, file);
}

static int read_file(struct sysfs *s, char **text, const char *file)
{
	size_t size = 0, room = 4096;
	char *buffer = malloc(room);
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	int error = 0;

	*text = NULL;
	if (!buffer)
		error = -ENOMEM;
	else if (fd < 0)
		error = -errno;
	while (!error) {
		ssize_t n = read(fd, buffer + size, room - size - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			error = -errno;
		if (n <= 0)
			break;
		size += (size_t)n;
		if (size == room - 1) {
			char *larger = realloc(buffer, room *= 2);

			if (larger)
				buffer = larger;
			else
				error = -ENOMEM;
		}
	}
	if (fd >= 0)
		close(fd);
	if (error) {
		free(buffer);
		return fail(s, error, strerror(-error), file);
	}
	while (size && isspace((unsigned char)buffer[size - 1]))
		size--;
	buffer[size] = 0;
	*text = buffer;
	return 0;
}

int sysfs_read(struct sysfs *s, char **text, const char *path, ...)
{
	char file[PATH_MAX];

	FULL_PATH(s, file, path);
	return read_file(s, text, file);
}

/* `text` is what the file held; say so in the error, as far as it fits. */
static int bad_content(struct sysfs *s, const char *text, const char *expected, const char *file)
{
	char what[120];

	snprintf(what, sizeof(what), "expected %s, found '%.60s'", expected, text);
	return fail(s, -EINVAL, what, file);
}

int sysfs_number(struct sysfs *s, long *number, const char *path, ...)
{
	char file[PATH_MAX], *text, *end;
	int error;

	FULL_PATH(s, file, path);
	error = read_file(s, &text, file);
	if (error)
		return error;
	errno = 0;
	*number = strtol(text, &end, 10);
	if (end == text || *end || errno)
		error = bad_content(s, text, "a number", file);
	free(text);
	return error;
}

/* Calls set() on each member; returns the highest, -1 for an empty list, or -EINVAL. */
static long walk_list(const char *text, struct bitmask *list)
{
	long highest = -1;

	if (!*text)
		return -1;
	for (;;) {
		char *end;
		long first, last;

		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		first = last = strtol(text, &end, 10);
		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtol(end + 1, &end, 10);
		if (last < first || last >= LIST_LIMIT)
			return -EINVAL;
		if (last > highest)
			highest = last;
		for (long i = first; list && i <= last; i++)
			numa_bitmask_setbit(list, (unsigned)i);
		if (!*end)
			return highest;
		if (*end != ',')
			return -EINVAL;
		text = end + 1;
	}
}

int sysfs_parse_list(const char *text, struct bitmask **list)
{
	long highest = walk_list(text, NULL);

	*list = NULL;
	if (highest == -EINVAL)
		return -EINVAL;
	*list = cpuset_alloc(highest < 0 ? 1 : (unsigned)highest + 1);
	if (!*list)
		return -ENOMEM;
	walk_list(text, *list);
	return 0;
}

int sysfs_list(struct sysfs *s, struct bitmask **list, const char *path, ...)
{
	char file[PATH_MAX], *text;
	int error;

	*list = NULL;
	FULL_PATH(s, file, path);
	error = read_file(s, &text, file);
	if (error)
		return error;
	error = sysfs_parse_list(text, list);
	if (error == -EINVAL)
		bad_content(s, text, "a list such as 0-3,8", file);
	else if (error)
		fail(s, error, strerror(-error), file);
	free(text);
	return error;
}

bool sysfs_exists(struct sysfs *s, const char *path, ...)
{
	char file[PATH_MAX];

	FULL_PATH(s, file, path);
	return !access(file, F_OK);
}
