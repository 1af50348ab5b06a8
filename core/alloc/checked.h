/* SPDX-License-Identifier: MIT */
/*
 * checked.h - the checked build of perch_alloc and its kin: compiled with PERCH_CHECKED, or with
 * the address sanitizer, which is told of each object then.
 *
 * Behind an object's last byte lie a pattern up to the end of its memory, and there a mark, which
 * says how large it is and whether it is in use. Each call that is given a pointer looks at all of these.
 * What is freed is filled with another pattern and kept for a while (the quarantine); when it is
 * let go of, the pattern must be as it was. So found: freed twice, written beyond the end,
 * written to after the free (late), a pointer that never was an object. Each ends the process with a
 * line that says so.
 */
#ifndef PERCH_ALLOC_CHECKED_H
#define PERCH_ALLOC_CHECKED_H

#include <stdbool.h>
#include <stddef.h>

#include "rseq/sanitizer.h"

#if defined(PERCH_CHECKED) || SANITIZER_ADDRESS
#define ALLOC_CHECKED 1
#else
#define ALLOC_CHECKED 0
#endif

void *checked_alloc(size_t alignment, size_t size, bool zeroed);
void *checked_realloc(void *p, size_t size);
void checked_free(void *p);
size_t checked_size(const void *p);

/* Let go of all that is kept. */
void checked_let_go(void);

/* Around a fork(). */
void checked_lock(void);
void checked_unlock(void);

#endif
