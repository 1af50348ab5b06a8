/* SPDX-License-Identifier: MIT */
/*
 * pages.h - whether memory is on the nodes where it belongs (core/thread/group.h), as
 * the kernel says. By anybody while the runtime cannot stop: whoever holds
 * dump_begin(), or stops it himself.
 */
#ifndef PERCH_SEE_PAGES_H
#define PERCH_SEE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include <perch/numa.h>

/* 0 or -ENOMEM. */
int pages_verify(struct perch_numa_pages *out);

/* The sums that the last pages_verify() since pages_forget() has found. */
void pages_last(uint64_t *placed, uint64_t *misplaced);
void pages_forget(void);

/* For people, one line without its end; false: there is nothing to tell, with one node. */
#define PAGES_TEXT 600
bool pages_tell(const struct perch_numa_pages *pages, char text[PAGES_TEXT]);

#endif
