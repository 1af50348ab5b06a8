/* SPDX-License-Identifier: MIT */
/* die.h - the end of a process that has given back what it did not have. */
#ifndef PERCH_ALLOC_DIE_H
#define PERCH_ALLOC_DIE_H

#include <stdio.h>
#include <stdlib.h>

#define die(...)                                                                                                       \
	do {                                                                                                           \
		char text_[200];                                                                                       \
		snprintf(text_, sizeof(text_), __VA_ARGS__);                                                           \
		fprintf(stderr, "perch: %s\n", text_);                                                                 \
		abort();                                                                                               \
	} while (0)

#endif
