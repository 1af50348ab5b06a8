/* SPDX-License-Identifier: MIT */
#include "bench/machine.h"

#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* x86 says "model name"; arm64 has no name, but numbers. */
static void cpu_model(char *model, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(model, size, "unknown CPU");
	while (f && fgets(line, sizeof(line), f)) {
		char *value = strchr(line, ':');

		if (!value || (strncmp(line, "model name", 10) && strncmp(line, "CPU part", 8)))
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(model, size, "%s%s", *line == 'C' ? "CPU part" : "", value + 1 + (value[1] == ' '));
		break;
	}
	if (f)
		fclose(f);
	/* it goes into JSON strings */
	for (char *c = model; *c; c++)
		if (*c == '"' || *c == '\\' || !isprint((unsigned char)*c))
			*c = '?';
}

const char *machine_describe(void)
{
	static char text[512];
	struct utsname u;
	char model[160];
	cpu_set_t set;
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	long usable = sched_getaffinity(0, sizeof(set), &set) ? online : CPU_COUNT(&set);

	if (*text)
		return text;
	cpu_model(model, sizeof(model));
	if (uname(&u))
		strcpy(u.release, "unknown");
	if (usable == online)
		snprintf(text, sizeof(text), "%s, %ld CPUs, Linux %s, %s", model, online, u.release, COMPILER);
	else
		snprintf(text, sizeof(text), "%s, %ld of %ld CPUs, Linux %s, %s", model, usable, online, u.release,
			 COMPILER);
	return text;
}
