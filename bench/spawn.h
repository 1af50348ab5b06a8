/* SPDX-License-Identifier: MIT */
/* spawn.h - one run of a backend's program. */
#ifndef BENCH_SPAWN_H
#define BENCH_SPAWN_H

#include "bench/result.h"

/* A run that takes longer than this is ended, and has failed. */
#define RUN_SECONDS_MOST 600

/* Where the backends are: beside this program, or in `below` seen from there ("..").
 * 0 or -errno. */
int spawn_find_backends(const char *below);
/* Run once, and add what it measured to `run`; a failure is noted in run->error. */
void spawn_run(struct run *run);

#endif
