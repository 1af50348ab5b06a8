/* SPDX-License-Identifier: MIT */
/*
 * hypervisor.h - is this machine a virtual one? As systemd-detect-virt does it:
 * the CPU is asked first, then the firmware, then the device tree.
 */
#ifndef BENCH_HYPERVISOR_H
#define BENCH_HYPERVISOR_H

#include <stddef.h>

/* The name of the hypervisor below, "" when none can be seen; a constant string. */
const char *hypervisor_name(void);

/*
 * The same, told what there is to see; for tests.
 * @root:      where sys and proc are: "" or a directory
 * @signature: the twelve letters that the CPU gives (leaf 0x40000000); "" when
 *             it has no hypervisor bit, or is no x86
 */
void hypervisor_find(const char *root, const char *signature, char *name, size_t size);

#endif
