/* SPDX-License-Identifier: MIT */
/*
 * trim.h - when the memory of free stacks and descriptors goes back to the kernel.
 *
 * By age, off the path of whoever creates and ends threads: what has lain in a depot from
 * one tick to the next retires (rseq/pool.h), in steps, by the monitor. So memory that a
 * burst took is back after two to four seconds, and work that uses it again within one is
 * not slowed. Each CPU keeps its lists: up to 32 stacks of each size in use, and 1,024
 * descriptors. trim_all() takes those, too.
 *
 * One pthread at a time does any of it.
 */
#ifndef PERCH_THREAD_TRIM_H
#define PERCH_THREAD_TRIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIM_TICK_NS UINT64_C(2000000000)

/* A part of what is due: milliseconds at most. In how many ns there is more to do: 0, at
 * once; UINT64_MAX, nothing is left to give. */
uint64_t trim_step(void);
/* Whether a step would have anything to see to; a look. */
bool trim_wanted(void);
/* All that is free, now. How many bytes; of a stack one page is counted. */
size_t trim_all(void);

#endif
