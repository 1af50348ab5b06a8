/* SPDX-License-Identifier: MIT */
/* machine.h - what the figures were measured on, in one line. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

/* "MODEL, N CPUs, Linux RELEASE, COMPILER"; a constant string. */
const char *machine_describe(void);

#endif
