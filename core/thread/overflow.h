/* SPDX-License-Identifier: MIT */
/*
 * overflow.h - a thread that runs off its stack hits its guard: say so, and abort.
 *
 * SIGSEGV and SIGBUS are taken for it. Whatever is no such fault must end as it would
 * without perch, and only the kernel can do that exactly: with the program's mask, flags
 * and stack, or by death. So what was there before is put back, and the signal comes once
 * more: a fault because its instruction is run again, a signal that was sent because it
 * is sent again, with what its sender gave it. The monitor takes the signal
 * again at its next look (overflow_look()), at most 250 ms later; an overflow in between
 * ends without a report, as the program's handler or the kernel have it.
 *
 *	            taken            handed over        another's
 *	handler     stays            a loser's: no-op   left alone
 *	look        -                -> taken           -> another's: forgotten
 *	stop        -> before        stays              stays
 */
#ifndef PERCH_THREAD_OVERFLOW_H
#define PERCH_THREAD_OVERFLOW_H

#include <stdint.h>

#include "core/thread/thread.h"

/* Both are called from a signal handler, on the signal stack.
 * current: the thread that the calling pthread runs, or NULL.
 * report: say that it overflowed at this address. */
void overflow_start(struct thread *(*current)(void), void (*report)(struct thread *t, uintptr_t address));
void overflow_stop(void);
/* Take again what was handed over. By one pthread at a time: the monitor. */
void overflow_look(void);

#endif
