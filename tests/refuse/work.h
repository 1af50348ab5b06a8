/* SPDX-License-Identifier: MIT */
/* work.h - a bit of everything that the runtime does, with results that are known. */
#ifndef PERCH_TESTS_REFUSE_WORK_H
#define PERCH_TESTS_REFUSE_WORK_H

/*
 * From the main pthread, while the runtime is up. NULL, or what went wrong. What the
 * program itself asks the kernel for (a read, a socket) is made so that another call of the
 * kernel than the one it is named after may be refused.
 */
const char *work(void);

#endif
