/* SPDX-License-Identifier: MIT */
/* quiet.h - reads that race on purpose, and go to stacks that the sanitizers
 * think somebody else's: the functions that make them say so. */
#ifndef PERCH_SEE_QUIET_H
#define PERCH_SEE_QUIET_H

#include <stdint.h>

#define QUIET __attribute__((noinline, no_sanitize("address"), no_sanitize("thread")))

/* Whatever it is a word of. */
typedef uint64_t __attribute__((may_alias)) quiet_word;

/* Words at a time; other functions' names (memcpy) are the sanitizers' own. */
static QUIET __attribute__((unused)) void quiet_copy(void *to, const void *from, unsigned words)
{
	for (unsigned i = 0; i < words; i++)
		((quiet_word *)to)[i] = ((const volatile quiet_word *)from)[i];
}

static QUIET __attribute__((unused)) uint64_t quiet_read(const void *from)
{
	return *(const volatile quiet_word *)from;
}

#endif
