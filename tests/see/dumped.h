/* SPDX-License-Identifier: MIT */
/* dumped.h - what perch_dump() writes, as a string. */
#ifndef PERCH_TESTS_SEE_DUMPED_H
#define PERCH_TESTS_SEE_DUMPED_H

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <perch/see.h>

#include "tests/harness/harness.h"

/* To be freed. */
static inline char *dump(void)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);
	struct stat st;
	char *text;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(perch_dump(fd), 0);
	ASSERT_EQ(fstat(fd, &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	ASSERT_NE(text, NULL);
	ASSERT_EQ(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
	close(fd);
	return text;
}

#endif
