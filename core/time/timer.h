/* SPDX-License-Identifier: MIT */
/*
 * timer.h - what perch_stop() needs of the timers: a runtime in which only
 * periodic timers still make threads must come to an end.
 */
#ifndef PERCH_TIME_TIMER_H
#define PERCH_TIME_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Threads that run a timer's call: how many were made, and have ended. A call is
 * counted only while its thread is counted as spawned and not as finished; so
 * begun (read first) minus ended (read last) is never more than there are
 * threads in between.
 */
uint64_t timer_calls_begun(void);
uint64_t timer_calls_ended(void);

/* From now on a periodic timer comes once more, and is idle then; or no longer so. */
void timer_periods_end(bool end);

#endif
