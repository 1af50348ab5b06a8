/* SPDX-License-Identifier: MIT */
/* area.h - what the unit tests of rseq/ start from: areas, and where one runs. */
#ifndef PERCH_TESTS_RSEQ_AREA_H
#define PERCH_TESTS_RSEQ_AREA_H

#include <stdbool.h>

#include "rseq/percpu.h"
#include "rseq/probe.h"

/* The first CPUs this process may run on, as found before anything was pinned;
 * how many of `max` there are. */
int area_cpus(int *cpus, int max);

/* Pins the calling pthread. */
void area_pin(int cpu);

/* Areas for all possible CPUs of the mask, none active; by sections where they
 * work. Returns what the probe said. */
struct probe area_start(void);

/* Where the ring and the fair queue of an inactive area begin. */
void area_begin_at(struct percpu *a, uint32_t ring, uint32_t fair);

/* Stop the test as skipped when the operations are not done by sections. */
void area_need_sections(void);

static inline uint16_t area_head(const struct percpu *a)
{
	return (uint16_t)__atomic_load_n(&a->split, __ATOMIC_ACQUIRE);
}

static inline uint16_t area_split(const struct percpu *a)
{
	return (uint16_t)(__atomic_load_n(&a->split, __ATOMIC_ACQUIRE) >> 16);
}

#endif
