/* SPDX-License-Identifier: MIT */
/*
 * hang.c - what the threads of a hung test are doing, from /proc; and, for
 * those who want more, a command of their own:
 *	PERCH_TEST_ON_TIMEOUT='gdb -batch -ex "thread apply all bt" -p $1'
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/helpers.h"
#include "tests/harness/internal.h"

#define SHOWN_THREADS 64

static void read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");

	line[0] = 0;
	if (!f)
		return;
	if (!fgets(line, (int)size, f))
		line[0] = 0;
	fclose(f);
	line[strcspn(line, "\n")] = 0;
}

static void show_thread(pid_t pid, const char *tid)
{
	char path[300], stat[512], wchan[128], call[128];
	const char *state;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", pid, tid);
	read_line(path, stat, sizeof(stat));
	snprintf(path, sizeof(path), "/proc/%d/task/%s/wchan", pid, tid);
	read_line(path, wchan, sizeof(wchan));
	snprintf(path, sizeof(path), "/proc/%d/task/%s/syscall", pid, tid);
	read_line(path, call, sizeof(call));
	state = strrchr(stat, ')');
	harness_log("  thread %s: state %c, in %s, syscall %s", tid, state && state[1] ? state[2] : '?',
		    wchan[0] ? wchan : "?", call[0] ? call : "?");
}

void harness_show_hang(pid_t pid)
{
	const char *command = getenv("PERCH_TEST_ON_TIMEOUT");
	char path[64], number[16];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		if (n++ < SHOWN_THREADS)
			show_thread(pid, e->d_name);
	}
	if (d)
		closedir(d);
	if (n > SHOWN_THREADS)
		harness_log("  and %u threads more", n - SHOWN_THREADS);
	if (command) {
		pid_t sh;

		snprintf(number, sizeof(number), "%d", pid);
		sh = fork();
		if (!sh) {
			execl("/bin/sh", "sh", "-c", command, "on-timeout", number, (char *)NULL);
			_exit(127);
		}
		if (sh > 0)
			waitpid(sh, NULL, 0);
	}
}
