/* SPDX-License-Identifier: MIT */
/*
 * perch/time.h - sleeping and timers.
 *
 * Times are of CLOCK_MONOTONIC. Nothing comes early. How late it comes depends
 * on when a worker next looks: at every scheduling round of an idle one, within
 * 61 rounds of a busy one (docs/caveats.md).
 */
#ifndef PERCH_TIME_H
#define PERCH_TIME_H

#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * perch_sleep - sleep for that many nanoseconds; 0 is a yield.
 * perch_sleep_until - sleep until a point of CLOCK_MONOTONIC, in the past: a
 * yield; -EINVAL when abstime is NULL or tv_nsec is out of range.
 * From any pthread, whether the runtime is up or not. May switch threads.
 * Return 0, or -EPERM (in the child of a fork()).
 */
int perch_sleep(uint64_t ns);
int perch_sleep_until(const struct timespec *abstime);

/*
 * A timer calls fn(arg) in a thread of its own, once or again and again. The
 * object is the caller's, and must stay where it is until perch_timer_destroy().
 */
typedef struct perch_timer {
	uint64_t words[12];
} perch_timer_t;

/* -EINVAL: t or fn is NULL. */
int perch_timer_init(perch_timer_t *t, void (*fn)(void *), void *arg);
/*
 * perch_timer_start - arm it, anew if it was armed.
 * @first_ns: from now to the first call
 * @period_ns: between calls, from due time to due time; 0: one call only
 *
 * A period whose call has not ended when the next is due is counted as an
 * overrun, and not called. The first call after a start is not left out so: if
 * one from before still runs, it comes when that has ended. Does not switch
 * threads.
 *
 * perch_stop() leaves a timer that is armed when no thread is left, idle. Once
 * nothing but calls of timers is left, periodic ones come once more at most.
 *
 * Returns 0, -EINVAL (t not initialised, or being destroyed, or the runtime is
 * not running), -EPERM (in the child of a fork()).
 */
int perch_timer_start(perch_timer_t *t, uint64_t first_ns, uint64_t period_ns);
/* Disarm it. Returns 1 when a call was still to come, which will not come now, 0
 * when not. A call that has begun goes on. -EINVAL (not initialised), -EPERM (in
 * the child of a fork()). Does not switch threads. */
int perch_timer_stop(perch_timer_t *t);
/* Disarm it and wait for a call that has begun, and for the destructors of its
 * thread's keys; then t is free. -EDEADLK (from its own call, or a thread that
 * this runs on its stack while it joins it; nothing was done then), -EINVAL (not
 * initialised, or being destroyed), -EPERM. May switch threads. */
int perch_timer_destroy(perch_timer_t *t);
/* Calls that were left out, because the last one still ran or no thread could
 * be made, since perch_timer_init(). */
uint64_t perch_timer_overruns(const perch_timer_t *t);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
