/* SPDX-License-Identifier: MIT */
#include "bench/hypervisor.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

/* The first line of a file below `root`, or what is there of it; "" when it cannot be read. */
static void first_line(const char *root, const char *path, char *line, size_t size)
{
	char whole[512];
	FILE *f;

	*line = 0;
	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	f = fopen(whole, "re");
	if (!f)
		return;
	if (!fgets(line, (int)size, f))
		*line = 0;
	line[strcspn(line, "\n")] = 0;
	fclose(f);
}

/* What the CPU answers, and what the firmware says; the CPU first. */
static const struct {
	const char *signature, *name;
} signatures[] = {
	{"KVMKVMKVM", "KVM"},          {"Linux KVM Hv", "KVM"},    {"TCGTCGTCGTCG", "QEMU TCG"},
	{"Microsoft Hv", "Hyper-V"},   {"VMwareVMware", "VMware"}, {"XenVMMXenVMM", "Xen"},
	{"bhyve bhyve ", "bhyve"},     {"ACRNACRNACRN", "ACRN"},   {"VBoxVBoxVBox", "VBox"},
	{"prl hyperv  ", "Parallels"},
};

static const struct {
	const char *vendor, *name;
} vendors[] = {
	{"QEMU", "QEMU"},
	{"KVM", "KVM"},
	{"VMware", "VMware"},
	{"innotek", "VirtualBox"},
	{"VirtualBox", "VirtualBox"},
	{"Xen", "Xen"},
	{"Bochs", "Bochs"},
	{"Parallels", "Parallels"},
	{"Virtual Machine", "Hyper-V"},
	{"Apple Virtualization", "Apple"},
	{"OpenStack", "OpenStack"},
	{"Google Compute Engine", "Google Compute Engine"},
	{"DigitalOcean", "DigitalOcean"},
	{"Alibaba Cloud ECS", "Alibaba Cloud"},
};

/* Amazon's bare machines have the same vendor as its virtual ones. */
static bool by_firmware(const char *root, char *name, size_t size)
{
	static const char *const files[] = {"sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name",
					    "sys/class/dmi/id/board_vendor", "sys/class/dmi/id/bios_vendor"};
	char line[160], product[160];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		first_line(root, files[i], line, sizeof(line));
		for (size_t v = 0; v < sizeof(vendors) / sizeof(vendors[0]); v++)
			if (strstr(line, vendors[v].vendor)) {
				snprintf(name, size, "%s", vendors[v].name);
				return true;
			}
	}
	first_line(root, "sys/class/dmi/id/sys_vendor", line, sizeof(line));
	first_line(root, "sys/class/dmi/id/product_name", product, sizeof(product));
	if (strcmp(line, "Amazon EC2") != 0 || strstr(product, ".metal"))
		return false;
	snprintf(name, size, "Amazon EC2");
	return true;
}

/* Without DMI: what the device tree says, as on most of arm64. */
static bool by_device_tree(const char *root, char *name, size_t size)
{
	char line[160];

	first_line(root, "proc/device-tree/hypervisor/compatible", line, sizeof(line));
	if (!*line)
		first_line(root, "sys/hypervisor/type", line, sizeof(line));
	if (!*line) {
		first_line(root, "proc/device-tree/compatible", line, sizeof(line));
		if (strcmp(line, "linux,dummy-virt") != 0)
			return false;
	}
	snprintf(name, size, "%s", line);
	return true;
}

void hypervisor_find(const char *root, const char *signature, char *name, size_t size)
{
	*name = 0;
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++)
		if (!strcmp(signature, signatures[i].signature)) {
			snprintf(name, size, "%s", signatures[i].name);
			return;
		}
	if (by_firmware(root, name, size) || by_device_tree(root, name, size) || !*signature)
		return;
	snprintf(name, size, "hypervisor '%s'", signature);
}

/* "" when the CPU has no hypervisor bit. */
static void cpu_signature(char signature[13])
{
	*signature = 0;
#ifdef __x86_64__
	unsigned a, b, c, d, words[3];

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 31))
		return;
	__cpuid(0x40000000, a, words[0], words[1], words[2]);
	memcpy(signature, words, 12);
	signature[12] = 0;
	if (!*signature) /* the bit, and no name */
		strcpy(signature, "unnamed");
#endif
}

const char *hypervisor_name(void)
{
	static char name[64];
	static bool asked;
	char signature[13];

	if (!asked) {
		cpu_signature(signature);
		hypervisor_find("", signature, name, sizeof(name));
		asked = true;
	}
	return name;
}
