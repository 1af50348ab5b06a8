/* SPDX-License-Identifier: MIT */
/*
 * hotplug.h - CPUs that this process puts off and on: in a guest, as root.
 */
#ifndef PERCH_TESTS_RESIZE_HOTPLUG_H
#define PERCH_TESTS_RESIZE_HOTPLUG_H

#include <stdbool.h>

/* How often CPUs are to go off, by PERCH_TEST_HOTPLUG. Skips the test when that does not say. */
int hotplug_times(void);

/* True when the kernel did it, and the CPU was not so before. */
bool hotplug_switch(int cpu, bool on);

/* CPUs that are on, as the kernel lists them. */
unsigned hotplug_online(void);

void pause_ms(long ms);

#endif
