/* SPDX-License-Identifier: MIT */
/*
 * machine.h - what the figures were measured on, in one line; and whether that
 * is a real machine, a virtual one, or one that is only described.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

/*
 * "MODEL, N CPUs, Linux RELEASE, COMPILER", with the nodes where there are
 * several, the hypervisor in a VM, and the description where there is one; a
 * constant string that may stand in JSON.
 */
const char *machine_describe(void);

/*
 * What figures may be compared with which:
 *   "emulated"  PERCH_TOPOLOGY describes another machine: who robs whom is as
 *               there, times are not
 *   "VM"        a hypervisor is below: the nodes are what it shows
 *   "real"      neither
 */
const char *machine_kind(void);

#endif
