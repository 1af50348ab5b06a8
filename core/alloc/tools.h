/* SPDX-License-Identifier: MIT */
/*
 * tools.h - what is told to the tools that watch memory: the address sanitizer and valgrind.
 * Under valgrind there is no rseq, so every call takes a slow way, and only those tell it.
 */
#ifndef PERCH_ALLOC_TOOLS_H
#define PERCH_ALLOC_TOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "rseq/sanitizer.h"

/* Not where this is cross-built: that header is the building machine's. */
#if defined(__x86_64__) && defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define TOOLS_VALGRIND 1
#endif
#endif
#ifndef TOOLS_VALGRIND
#define TOOLS_VALGRIND 0
#endif

/* In a program that has a leak checker, whether this was built with it or not. */
void __lsan_register_root_region(const void *p, size_t size) __attribute__((__weak__));
void __lsan_unregister_root_region(const void *p, size_t size) __attribute__((__weak__));

#if SANITIZER_ADDRESS
void __asan_poison_memory_region(void const volatile *p, size_t size);
void __asan_unpoison_memory_region(void const volatile *p, size_t size);
#define TOOLS_POISON(p, size) __asan_poison_memory_region(p, size)
#define TOOLS_UNPOISON(p, size) __asan_unpoison_memory_region(p, size)
#else
#define TOOLS_POISON(p, size) ((void)(p))
#define TOOLS_UNPOISON(p, size) ((void)(p))
#endif

/* Addresses in which objects will lie: the leak checker looks for pointers in them. */
static inline void tools_region(void *p, size_t size)
{
	if (__lsan_register_root_region)
		__lsan_register_root_region(p, size);
}

/* Nothing there is anybody's yet. */
static inline void tools_nobodys(void *p, size_t size)
{
#if TOOLS_VALGRIND
	VALGRIND_MAKE_MEM_NOACCESS(p, size);
#endif
	(void)p;
	(void)size;
}

/* Before they are unmapped. */
static inline void tools_region_ends(void *p, size_t size)
{
	if (__lsan_unregister_root_region)
		__lsan_unregister_root_region(p, size);
}

/* Handed out, and given back. */
static inline void tools_begin(void *p, size_t size)
{
#if TOOLS_VALGRIND
	VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
#endif
	(void)p;
	(void)size;
}

static inline void tools_end(void *p)
{
#if TOOLS_VALGRIND
	VALGRIND_FREELIKE_BLOCK(p, 0);
#endif
	(void)p;
}

/* Somebody knows objects by the sizes that were asked for, so none may grow where it is. */
static inline bool tools_watching(void)
{
#if TOOLS_VALGRIND
	return RUNNING_ON_VALGRIND;
#else
	return false;
#endif
}

/* Of an object, with what lies behind the size that was asked for. */
static inline void tools_copy(void *to, const void *from, size_t size)
{
#if TOOLS_VALGRIND
	VALGRIND_DISABLE_ERROR_REPORTING;
#endif
	memcpy(to, from, size);
#if TOOLS_VALGRIND
	VALGRIND_ENABLE_ERROR_REPORTING;
#endif
}

#endif
