/* SPDX-License-Identifier: MIT */
#include "bench/machine.h"

#include <ctype.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/hypervisor.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* It goes into JSON strings. */
static void for_json(char *text)
{
	for (char *c = text; *c; c++)
		if (*c == '"' || *c == '\\' || !isprint((unsigned char)*c))
			*c = '?';
}

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
	for_json(model);
}

/* How many nodes are online: "0-1,4". 1 where nothing is told. */
static int nodes_online(void)
{
	FILE *f = fopen("/sys/devices/system/node/online", "re");
	int nodes = 0, from, to;
	char between;

	while (f && fscanf(f, "%d", &from) == 1) {
		to = from;
		between = (char)fgetc(f);
		if (between == '-' && fscanf(f, "%d", &to) == 1)
			between = (char)fgetc(f);
		nodes += to - from + 1;
		if (between != ',')
			break;
	}
	if (f)
		fclose(f);
	return nodes < 1 ? 1 : nodes;
}

static const char *description(void)
{
	const char *text = getenv("PERCH_TOPOLOGY");

	return text && *text ? text : NULL;
}

const char *machine_kind(void)
{
	return description() ? "emulated" : *hypervisor_name() ? "VM" : "real";
}

static void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

const char *machine_describe(void)
{
	static char text[480];
	struct utsname u;
	char model[160];
	cpu_set_t set;
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	long usable = sched_getaffinity(0, sizeof(set), &set) ? online : CPU_COUNT(&set);
	int nodes = nodes_online();

	if (*text)
		return text;
	cpu_model(model, sizeof(model));
	if (uname(&u))
		strcpy(u.release, "unknown");
	append(text, sizeof(text), "%s, ", model);
	if (usable != online)
		append(text, sizeof(text), "%ld of ", usable);
	append(text, sizeof(text), "%ld CPUs, ", online);
	if (nodes > 1)
		append(text, sizeof(text), "%d nodes, ", nodes);
	append(text, sizeof(text), "Linux %s, %s", u.release, COMPILER);
	if (*hypervisor_name())
		append(text, sizeof(text), ", in a VM (%s)", hypervisor_name());
	if (description())
		append(text, sizeof(text), ", emulated as %.120s", description());
	for_json(text);
	return text;
}
