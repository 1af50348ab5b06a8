/* SPDX-License-Identifier: MIT */
/* sanitizer.h - which sanitizers this is built with, for gcc and clang. */
#ifndef PERCH_RSEQ_SANITIZER_H
#define PERCH_RSEQ_SANITIZER_H

#if defined(__SANITIZE_THREAD__)
#define SANITIZER_THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZER_THREAD 1
#endif
#endif
#ifndef SANITIZER_THREAD
#define SANITIZER_THREAD 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZER_ADDRESS 1
#endif
#endif
#ifndef SANITIZER_ADDRESS
#define SANITIZER_ADDRESS 0
#endif

/* What one side does before GIVE(p), the other sees behind TAKE(p): for hand-
 * overs in code that the thread sanitizer does not see into (liburcu's). */
#if SANITIZER_THREAD
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define SANITIZER_GIVE(p) __tsan_release(p)
#define SANITIZER_TAKE(p) __tsan_acquire(p)
#else
#define SANITIZER_GIVE(p) ((void)0)
#define SANITIZER_TAKE(p) ((void)0)
#endif

#endif
