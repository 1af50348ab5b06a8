/* SPDX-License-Identifier: MIT */
/*
 * large.h - objects that are larger than any class, or whose alignment is: a mapping each,
 * with a header right before the object. They are in a list, under a lock, beside two system
 * calls for each.
 */
#ifndef PERCH_ALLOC_LARGE_H
#define PERCH_ALLOC_LARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* alignment: a power of two. NULL: no memory, or the size is beyond all addresses. Zeroed. */
void *large_alloc(size_t alignment, size_t size);
/* `call`: whose argument it was; a pointer that is to no large object ends the process. */
void large_free(void *p, const char *call);
/* Bytes at p that belong to it. */
size_t large_room(const void *p, const char *call);
/* The same object with another size, maybe elsewhere; NULL, with nothing changed: no memory. Its
 * alignment is 64 then. */
void *large_resize(void *p, size_t size, const char *call);

/* It is the start of one: a search. */
bool large_has(const void *p);
/* How many there are; their bytes. */
void large_count(uint64_t *objects, uint64_t *bytes);

void large_lock(void);
void large_unlock(void);

#endif
