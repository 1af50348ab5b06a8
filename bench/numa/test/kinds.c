/* SPDX-License-Identifier: MIT */
/*
 * kinds.c - that figures of two machines, or of two kinds, never come into one
 * picture; and what is taken for a VM. kinds DIRECTORY: an empty one, to write in.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/hypervisor.h"
#include "bench/numa/chart.h"

static int failures;

static void expect(bool right, const char *what)
{
	if (right)
		return;
	printf("FAILED: %s\n", what);
	failures++;
}

static const struct row vm = {.machine = "a machine", .kind = "VM"}, real = {.machine = "a machine", .kind = "real"},
			emulated = {.machine = "a machine", .kind = "emulated"},
			other = {.machine = "another machine", .kind = "VM"};

static void refuses(const char *directory, const struct row *first, const struct row *second, const char *what)
{
	struct chart *chart = chart_new(CHART_BARS, what, "ns");
	char path[512];

	snprintf(chart->file, sizeof(chart->file), "refused");
	expect(!chart_cell(chart, "a", "x", first, 1, 2, 3), "the first figure is taken");
	expect(chart_cell(chart, "a", "y", second, 1, 2, 3) == -EXDEV, what);
	/* also when what was returned is not looked at */
	expect(chart_draw(chart, directory) == -EXDEV, "nothing is drawn of what was refused");
	snprintf(path, sizeof(path), "%s/refused.gp", directory);
	expect(access(path, F_OK), "no script of what was refused");
	expect(chart->columns == 1 && chart->rows == 1, "nothing of what was refused is in the picture");
	free(chart);
}

static void write_file(const char *root, const char *directory, const char *file, const char *text)
{
	char path[512], *slash;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/", root, directory);
	for (slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(path, 0777);
		*slash = '/';
	}
	snprintf(path, sizeof(path), "%s/%s/%s", root, directory, file);
	f = fopen(path, "we");
	if (!f || fputs(text, f) < 0 || fclose(f)) {
		printf("FAILED: cannot write %s\n", path);
		exit(1);
	}
}

static void found(const char *root, const char *signature, const char *want)
{
	char name[64], what[200];

	hypervisor_find(root, signature, name, sizeof(name));
	snprintf(what, sizeof(what), "'%s', %s: found '%s', not '%s'", signature, root, name, want);
	expect(!strcmp(name, want), what);
}

static void hypervisors(const char *directory)
{
	char root[400];

	snprintf(root, sizeof(root), "%s/nothing", directory);
	found(root, "", "");
	found(root, "KVMKVMKVM", "KVM");
	found(root, "TCGTCGTCGTCG", "QEMU TCG");
	found(root, "never heard", "hypervisor 'never heard'");
	snprintf(root, sizeof(root), "%s/board", directory);
	write_file(root, "sys/class/dmi/id", "sys_vendor", "Dell Inc.\n");
	write_file(root, "sys/class/dmi/id", "product_name", "PowerEdge R760\n");
	found(root, "", "");
	snprintf(root, sizeof(root), "%s/qemu", directory);
	write_file(root, "sys/class/dmi/id", "sys_vendor", "QEMU\n");
	found(root, "", "QEMU");
	snprintf(root, sizeof(root), "%s/ec2", directory);
	write_file(root, "sys/class/dmi/id", "sys_vendor", "Amazon EC2\n");
	write_file(root, "sys/class/dmi/id", "product_name", "c7g.metal\n");
	found(root, "", "");
	write_file(root, "sys/class/dmi/id", "product_name", "c7g.large\n");
	found(root, "", "Amazon EC2");
	snprintf(root, sizeof(root), "%s/tree", directory);
	write_file(root, "proc/device-tree", "compatible", "linux,dummy-virt");
	found(root, "", "linux,dummy-virt");
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	refuses(argv[1], &vm, &real, "a VM and a real machine in one picture");
	refuses(argv[1], &real, &emulated, "a real machine and one that is emulated in one picture");
	refuses(argv[1], &emulated, &vm, "an emulated machine and a VM in one picture");
	refuses(argv[1], &vm, &other, "two VMs in one picture");
	hypervisors(argv[1]);
	return failures != 0;
}
