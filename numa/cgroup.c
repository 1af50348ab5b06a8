/* SPDX-License-Identifier: MIT */
#include "numa/cgroup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mount {
	char point[PATH_MAX]; /* where it is mounted */
	char top[PATH_MAX];   /* which group is mounted there */
};

/* Is `word` one of the comma-separated words of `list`? */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p && *p; p = strchr(p, ',')) {
		if (*p == ',')
			p++;
		if (!strncmp(p, word, n) && (!p[n] || p[n] == ','))
			return true;
	}
	return false;
}

/* mountinfo writes blanks and back-slashes as \040 and the like */
static void unescape(char *out, const char *in)
{
	size_t n = 0;

	while (*in && n < PATH_MAX - 1) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] && in[3]) {
			out[n++] = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 4;
		} else {
			out[n++] = *in++;
		}
	}
	out[n] = 0;
}

/* One line of mountinfo: ID PARENT MAJ:MIN TOP POINT OPTIONS [TAGS...] - TYPE SOURCE SUPER. */
static bool parse_mount(char *line, enum cgroup_version version, const char *controller, struct mount *m)
{
	char *field[5], *rest = strstr(line, " - "), *save, *type, *super;

	if (!rest)
		return false;
	*rest = 0;
	field[0] = strtok_r(line, " ", &save);
	for (int i = 1; i < 5; i++)
		field[i] = field[i - 1] ? strtok_r(NULL, " ", &save) : NULL;
	type = strtok_r(rest + 3, " ", &save);
	if (!field[4] || !type)
		return false;
	(void)strtok_r(NULL, " ", &save);
	super = strtok_r(NULL, " ", &save);
	if (version == CGROUP_V2 ? strcmp(type, "cgroup2") != 0
				 : strcmp(type, "cgroup") != 0 || !super || !has_word(super, controller))
		return false;
	unescape(m->top, field[3]);
	unescape(m->point, field[4]);
	return true;
}

/* 1 found, 0 not, -ENOMEM */
static int find_mount(char *mountinfo, enum cgroup_version version, const char *controller, struct mount *m)
{
	char *save, *copy = strdup(mountinfo);
	bool found = false;

	if (!copy)
		return -ENOMEM;
	for (char *line = strtok_r(copy, "\n", &save); line && !found; line = strtok_r(NULL, "\n", &save))
		found = parse_mount(line, version, controller, m);
	free(copy);
	return found;
}

/* It leads out of what the namespace shows. (A group may be called "..x".) */
static bool leads_up(const char *path)
{
	while ((path = strstr(path, "/.."))) {
		path += 3;
		if (!*path || *path == '/')
			return true;
	}
	return false;
}

static int walk_up(struct sysfs *s, enum cgroup_version version, const struct mount *m, const char *group,
		   int (*visit)(struct sysfs *, enum cgroup_version, const char *, void *), void *context)
{
	char directory[2 * PATH_MAX];
	size_t point = strlen(m->point), top = strlen(m->top);
	int r;

	/*
	 * The path is told from the root of the cgroup namespace, and what is
	 * mounted may be a group below that. A group that is not below what is
	 * mounted cannot be seen from here; the mounted one is then its ancestor
	 * or stands in for it (a container without a namespace of its own).
	 */
	if (top == 1)
		top = 0;
	if (strncmp(group, m->top, top) != 0 || (group[top] && group[top] != '/') || leads_up(group))
		group = "";
	else
		group += top;
	snprintf(directory, sizeof(directory), "%s%s", m->point, group);
	if (strlen(directory) > 1 && directory[strlen(directory) - 1] == '/')
		directory[strlen(directory) - 1] = 0;
	for (;;) {
		char *slash;

		r = visit(s, version, directory, context);
		if (r)
			return r < 0 ? r : 0;
		slash = strrchr(directory, '/');
		if (strlen(directory) <= point || !slash)
			return 0;
		*slash = 0;
	}
}

int cgroup_walk(struct sysfs *s, const char *controller,
		int (*visit)(struct sysfs *s, enum cgroup_version version, const char *directory, void *context),
		void *context)
{
	/* the process's own are those of its main pthread, which may have ended; files without the
	 * other name are of an old kernel, or a test's */
	const char *self = sysfs_exists(s, "/proc/thread-self/cgroup") ? "/proc/thread-self" : "/proc/self";
	char *groups = NULL, *mounts = NULL, *save;
	int r;

	if (!sysfs_exists(s, "%s/cgroup", self))
		return 0; /* a kernel without control groups */
	r = sysfs_read(s, &groups, "%s/cgroup", self);
	if (!r)
		r = sysfs_read(s, &mounts, "%s/mountinfo", self);
	/* lines: ID:CONTROLLERS:PATH; version 2 is "0::PATH" */
	for (char *line = r ? NULL : strtok_r(groups, "\n", &save); line && !r; line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
		enum cgroup_version version;
		struct mount m;

		if (!path) {
			r = sysfs_fail(s, -EINVAL, "a line is not ID:CONTROLLERS:PATH", "%s/cgroup", self);
			break;
		}
		*path++ = 0;
		controllers++;
		version = *controllers ? CGROUP_V1 : CGROUP_V2;
		if (version == CGROUP_V1 && !has_word(controllers, controller))
			continue;
		r = find_mount(mounts, version, controller, &m);
		if (r > 0)
			r = walk_up(s, version, &m, path, visit, context);
		else if (r)
			sysfs_fail(s, r, "no memory", "%s/mountinfo", self);
	}
	free(groups);
	free(mounts);
	return r;
}
