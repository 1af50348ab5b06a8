/* SPDX-License-Identifier: MIT */
/* perch/alloc.h - memory for objects: as malloc(), with a cache for each CPU. */
#ifndef PERCH_ALLOC_H
#define PERCH_ALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * From any thread and any pthread, before perch_start(), while the runtime runs and after
 * perch_stop(); also in the child of a fork(). An object may be given back by another thread, on another
 * CPU. None of these calls switches threads, and none touches errno. None may be called
 * from a signal handler.
 *
 * While the runtime runs, what is freed on a CPU stays there and is handed out there again:
 * neither call makes a system call then, takes a lock, or has an atomic instruction.
 */

/*
 * perch_alloc - memory for an object.
 * @size: bytes; 0 is as 1
 *
 * Aligned to 16 bytes; its contents are anything. Beyond 128 bytes no more than an eighth of the size
 * is lost to rounding. Returns NULL when there is no memory, or size is more than could ever be had; nothing
 * else changes then.
 */
void *perch_alloc(size_t size) __attribute__((__malloc__, __warn_unused_result__));

/* perch_zalloc - the same, zeroed. */
void *perch_zalloc(size_t size) __attribute__((__malloc__, __warn_unused_result__));

/*
 * perch_aligned_alloc - the same, aligned.
 * @alignment: bytes; a power of two
 * @size: bytes; need not be a multiple of it
 *
 * Returns NULL also when alignment is no power of two.
 */
void *perch_aligned_alloc(size_t alignment, size_t size) __attribute__((__malloc__, __warn_unused_result__));

/*
 * perch_realloc - another size for an object, which may move.
 * @p: the object, or NULL: as perch_alloc()
 * @size: bytes; 0 is as 1
 *
 * Its first bytes, as many as the smaller size has, stay as they are; its alignment may be 16 afterwards.
 * Returns where it is now; NULL when there is no memory: the object is then as it was.
 */
void *perch_realloc(void *p, size_t size) __attribute__((__warn_unused_result__));

/*
 * perch_free - give an object back.
 * @p: what one of the above has returned, and that was not given back since; or NULL
 *
 * Anything else destroys what others have in memory, or ends the process; a checked build
 * (perch_alloc(3)) always ends it, and says what was wrong.
 */
void perch_free(void *p);

/* perch_usable_size - bytes that the object has, which may be more than were asked for, and
 * may all be used. 0 of NULL. */
size_t perch_usable_size(const void *p);

/*
 * perch_trim - give the memory of all that is free back to the system, at once: of objects, and
 * of stacks and descriptors while the runtime runs; what CPUs keep ready for themselves, too.
 * Without it, that is done while the runtime runs, with what was not in use for 2 to 4
 * seconds (perch(7)). What is needed next takes memory anew, at the price of page faults.
 *
 * From any pthread. Takes time by how much there is, a call on each CPU and for each run of pages.
 * Does not switch threads. Returns how many bytes were given back; of a stack one page is
 * counted, as it is not known how deep it was used.
 */
size_t perch_trim(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
