/* SPDX-License-Identifier: MIT */
/* reason.h - how dumps name what a thread waits in. */
#ifndef PERCH_SEE_REASON_H
#define PERCH_SEE_REASON_H

#include "core/thread/thread.h"

/* As in "waits in ...". */
const char *reason_name(unsigned reason);
/* What it waits for is a descriptor: `wait_for` is its number. */
bool reason_has_fd(unsigned reason);

#endif
