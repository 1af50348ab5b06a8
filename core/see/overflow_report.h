/* SPDX-License-Identifier: MIT */
/*
 * overflow_report.h - what is written of a thread that has overflowed its stack: which one,
 * how large its stack is, what makes it larger, and its backtrace with names, in which a
 * recursion is told once.
 *
 * It runs in a signal handler, and the thread may have been stopped within malloc: so no memory
 * comes from there. It does take the dynamic linker's lock (dl_iterate_phdr, as every unwinder
 * does), which the same pthread may take again.
 */
#ifndef PERCH_SEE_OVERFLOW_REPORT_H
#define PERCH_SEE_OVERFLOW_REPORT_H

#include "core/thread/thread.h"

/* Load what the report will need, where that may still be done. */
void overflow_report_prepare(void);
void overflow_report(struct thread *t, uintptr_t address);

#endif
