/* SPDX-License-Identifier: MIT */
#include "tests/numa/machine.h"

#include <err.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "numa/sysfs.h"

#define CPU_DIR "/sys/devices/system/cpu"
#define NODE_DIR "/sys/devices/system/node"

void machine_make(struct machine *m)
{
	const char *tmp = getenv("TEST_TMPDIR");

	if (!tmp || strlen(tmp) > sizeof(m->root) - 24)
		tmp = "/tmp";
	snprintf(m->root, sizeof(m->root), "%s/machine.XXXXXX", tmp);
	if (!mkdtemp(m->root))
		err(1, "%s", m->root);
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void machine_remove(struct machine *m)
{
	nftw(m->root, drop, 16, FTW_DEPTH | FTW_PHYS);
}

void machine_write(const struct machine *m, const char *path, const char *format, ...)
{
	char file[PATH_MAX];
	va_list args;
	FILE *f;

	snprintf(file, sizeof(file), "%s%s", m->root, path);
	for (char *p = file + strlen(m->root) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		if (mkdir(file, 0777) && errno != EEXIST)
			err(1, "%s", file);
		*p = '/';
	}
	f = fopen(file, "w");
	if (!f)
		err(1, "%s", file);
	va_start(args, format);
	vfprintf(f, format, args);
	va_end(args);
	if (fputc('\n', f) == EOF || fclose(f))
		err(1, "%s", file);
}

void machine_unlink(const struct machine *m, const char *path)
{
	char file[PATH_MAX];

	snprintf(file, sizeof(file), "%s%s", m->root, path);
	if (remove(file))
		err(1, "%s", file);
}

void machine_cpu(const struct machine *m, int cpu, int package, const char *siblings, const char *cache)
{
	/* level 1 instructions, level 1 data, then the last level */
	static const char *const level[] = {"1", "1", "3"}, *const type[] = {"Data", "Instruction", "Unified"};
	char path[128];

	snprintf(path, sizeof(path), CPU_DIR "/cpu%d/topology/physical_package_id", cpu);
	machine_write(m, path, "%d", package);
	if (siblings) {
		snprintf(path, sizeof(path), CPU_DIR "/cpu%d/topology/thread_siblings_list", cpu);
		machine_write(m, path, "%s", siblings);
	}
	for (int i = 0; cache && i < 3; i++) {
		snprintf(path, sizeof(path), CPU_DIR "/cpu%d/cache/index%d/level", cpu, i);
		machine_write(m, path, "%s", level[i]);
		snprintf(path, sizeof(path), CPU_DIR "/cpu%d/cache/index%d/type", cpu, i);
		machine_write(m, path, "%s", type[i]);
		snprintf(path, sizeof(path), CPU_DIR "/cpu%d/cache/index%d/shared_cpu_list", cpu, i);
		machine_write(m, path, "%s", i == 2 || !siblings ? cache : siblings);
	}
}

void machine_node(const struct machine *m, int node, const char *cpus, long mib, const char *distances)
{
	char path[128];

	snprintf(path, sizeof(path), NODE_DIR "/node%d/cpulist", node);
	machine_write(m, path, "%s", cpus);
	snprintf(path, sizeof(path), NODE_DIR "/node%d/distance", node);
	machine_write(m, path, "%s", distances);
	snprintf(path, sizeof(path), NODE_DIR "/node%d/meminfo", node);
	machine_write(m, path, "Node %d MemTotal:       %ld kB\nNode %d MemFree:        1 kB", node, mib << 10, node);
}

struct bitmask *machine_set(const char *list)
{
	struct bitmask *set;

	if (sysfs_parse_list(list, &set))
		errx(1, "bad list '%s'", list);
	return set;
}

void machine_two_sockets(const struct machine *m)
{
	machine_write(m, CPU_DIR "/possible", "0-127");
	machine_write(m, CPU_DIR "/online", "0-15");
	machine_write(m, NODE_DIR "/online", "0-1");
	for (int cpu = 0; cpu < 16; cpu++) {
		int core = cpu % 8, pair = core & ~1;
		char siblings[16], cache[32];

		snprintf(siblings, sizeof(siblings), "%d,%d", core, core + 8);
		snprintf(cache, sizeof(cache), "%d-%d,%d-%d", pair, pair + 1, pair + 8, pair + 9);
		machine_cpu(m, cpu, core / 4, siblings, cache);
	}
	machine_node(m, 0, "0-3,8-11", 1024, "10 21");
	machine_node(m, 1, "4-7,12-15", 2048, "21 10");
}

void machine_sparse(const struct machine *m)
{
	static const int cpu[] = {2, 3, 8, 9, 64, 65};

	machine_write(m, CPU_DIR "/possible", "0-71");
	machine_write(m, CPU_DIR "/online", "2-3,8-9,64-65");
	machine_write(m, NODE_DIR "/online", "1,5-6,9");
	for (int i = 0; i < 6; i++) {
		char self[16];

		snprintf(self, sizeof(self), "%d", cpu[i]);
		machine_cpu(m, cpu[i], i / 2, self, NULL);
	}
	/* to:                                   1  5  6  9 */
	machine_node(m, 1, "2-3", 512, "10 20 30 17");
	machine_node(m, 5, "8-9", 256, "24 10 14 40");
	machine_node(m, 6, "64-65", 0, "16 28 10 50");
	machine_node(m, 9, "", 4096, "17 40 50 10");
}
