/* SPDX-License-Identifier: MIT */
/* stats.h - the counters of perch/stats.h, and what was in force. */
#ifndef PERCH_SEE_STATS_H
#define PERCH_SEE_STATS_H

#include <stdio.h>

#include <perch/config.h>
#include <perch/stats.h>

#include "rseq/probe.h"

/* Threads created so far, by workers and by foreign pthreads. */
uint64_t stats_spawned(void);
/* Threads that have ended. Read it before the spawned ones, to compare. */
uint64_t stats_finished(void);
void stats_print(FILE *f, const struct probe *probe, const struct perch_config *config, uint64_t elapsed_ns);

#endif
