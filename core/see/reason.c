/* SPDX-License-Identifier: MIT */
#include "core/see/reason.h"

static const char *const names[PARK_REASONS] = {
	[PARK_NONE] = "nothing",
	[PARK_JOIN] = "join",
	[PARK_SYNC] = "sync of a task",
	[PARK_WAITGROUP] = "waitgroup wait",
	[PARK_MUTEX] = "mutex lock",
	[PARK_COND] = "cond wait",
	[PARK_RDLOCK] = "rwlock read lock",
	[PARK_WRLOCK] = "rwlock write lock",
	[PARK_SEM] = "sem wait",
	[PARK_BARRIER] = "barrier wait",
	[PARK_ONCE] = "once",
	[PARK_EVENT] = "event wait",
	[PARK_SEND] = "chan send",
	[PARK_RECEIVE] = "chan receive",
	[PARK_SELECT] = "select",
	[PARK_SLEEP] = "sleep",
	[PARK_TIMER] = "timer stop",
	[PARK_RESIZE] = "set_procs",
	[PARK_READ] = "read",
	[PARK_WRITE] = "write",
	[PARK_ACCEPT] = "accept",
	[PARK_CONNECT] = "connect",
	[PARK_FILE] = "file I/O",
	[PARK_POLL] = "poll",
};

bool reason_has_fd(unsigned reason)
{
	return reason >= PARK_READ && reason <= PARK_POLL;
}

const char *reason_name(unsigned reason)
{
	return reason < PARK_REASONS && names[reason] ? names[reason] : "a wait without a name";
}
