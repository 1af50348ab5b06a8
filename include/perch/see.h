/* SPDX-License-Identifier: MIT */
/* perch/see.h - seeing what all threads do, and hearing of a deadlock. */
#ifndef PERCH_SEE_H
#define PERCH_SEE_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * perch_dump - write all threads (state, what they wait for, since when, from
 * where), the queues of each processor, and the workers. Threads that do the
 * same at the same place are one entry with a count; what is shown of them,
 * and how many entries, is bounded.
 * @fd: where to; written in one go after the dump has been made. When it does
 *      not block, and nobody reads, it is waited for, 5 seconds at most.
 *
 * At any time, from any pthread or thread, but not in a signal handler; threads
 * that run meanwhile are shown as they were at some moment. SIGQUIT does the same
 * to stderr (perch_config.sigquit). Does not switch threads.
 *
 * Functions are named from the symbol tables of the program's files (static ones
 * too, unless it is stripped); `addr2line -e MODULE OFFSET` knows the line.
 *
 * Returns 0, -EINVAL (the runtime is not running), -EBADF or another error of
 * write(2), -ENOMEM, -EPERM (in the child of a fork()).
 */
int perch_dump(int fd);

/* The exit status of a program that perch found in a deadlock. */
#define PERCH_DEADLOCK_STATUS 86

/*
 * A deadlock: threads exist, all of them wait, and nothing can wake one: no
 * timer, no worker that is stuck, no foreign pthread that is a waker. It is
 * reported after it has lasted for 50 ms: a line and a dump to stderr. Then the
 * program ends with PERCH_DEADLOCK_STATUS, by _exit(2): what stdout and stderr
 * hold is flushed (unless somebody has locked them), other streams are not, and
 * nothing that was given to atexit(3) is called.
 *
 * A foreign pthread is a waker from the first of its calls that starts the
 * runtime, creates a thread, waits, or wakes somebody, to its end; but not while
 * it waits itself, without a time-out, in a perch call (or is in perch_stop or
 * perch_run).
 *
 * Pthreads that perch has never heard of may be wakers too. So while there are
 * any, nothing is said; if they end, that is noticed for 51 seconds, each look
 * after twice as long as the last. With PERCH_DEADLOCK=report
 * (perch_config.deadlock) they do not count: those that will wake somebody must
 * then call perch_waker_register().
 */

/*
 * perch_deadlock_handler - call this instead of exiting, after the report was
 * written; NULL: exit again. It is called on a pthread of the library's with all
 * signals blocked and 256 KiB of stack, once for each deadlock (again only after
 * something has run); what it wakes goes on. It may make any call but
 * perch_stop, which is -EDEADLK there. Returns 0.
 */
int perch_deadlock_handler(void (*fn)(void *arg), void *arg);

/*
 * perch_waker_register - a pthread that has not called perch yet, but will wake
 * somebody: it counts as a waker from here on, until its end or
 * perch_waker_unregister(). That can also be said by one that has called perch,
 * and will wake nobody as long as all threads wait. At any time, also while the
 * runtime is not running. Do not switch threads.
 * Return 0; -EPERM from a perch thread; -ENOMEM.
 */
int perch_waker_register(void);
int perch_waker_unregister(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
