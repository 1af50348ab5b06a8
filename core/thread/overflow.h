/* SPDX-License-Identifier: MIT */
/*
 * overflow.h - a thread that runs off its stack hits its guard: say which
 * thread it was, how large its stack is, and where it was, then abort.
 *
 * The only signals that the runtime takes: SIGSEGV and SIGBUS. A fault that is
 * not in the current thread's guard goes to the handler that was there before.
 */
#ifndef PERCH_THREAD_OVERFLOW_H
#define PERCH_THREAD_OVERFLOW_H

#include "core/thread/thread.h"

/* current: the thread that the calling pthread runs, or NULL; called from a
 * signal handler. */
int overflow_start(struct thread *(*current)(void));
void overflow_stop(void);

#endif
