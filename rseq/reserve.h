/* SPDX-License-Identifier: MIT */
/*
 * reserve.h - addresses whose memory comes page by page as they are touched, also in a process
 * that has locked its memory.
 *
 * After mlockall(MCL_FUTURE) the kernel fills each mapping at once: 64 GiB of descriptors that
 * nobody uses. So there a reservation is locked page by page as it is touched (mlock2()), as
 * mlockall() itself does with MCL_ONFAULT. What is locked cannot be given back by MADV_DONTNEED
 * either, and takes no light guard (stack.c).
 *
 * Any pthread may call them, beside anything.
 */
#ifndef PERCH_RSEQ_RESERVE_H
#define PERCH_RSEQ_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed, private, not accounted for. protection and flags: as for mmap(), the flags beside
 * those. NULL: no addresses; or the limit on locked memory is in the way, which is said once. */
void *reserve(size_t bytes, int protection, int flags);

/* Give the memory of these pages back to the system, guards among them staying. False: it did not
 * take it. */
bool reserve_return(void *pages, size_t bytes);
/* The same, and they read as zero afterwards, also when it did not. */
bool reserve_drop(void *pages, size_t bytes);

#endif
