/* SPDX-License-Identifier: MIT */
/*
 * crowd.h - all threads that exist, those folded into one group that do the
 * same at the same place: same state, reason and backtrace.
 *
 * It looks at threads that run, wait, start and end meanwhile, and stops none of
 * them: each is copied as it was at some moment. A backtrace is kept only if
 * the thread was found unmoved after it had been taken. (One that ran and came
 * back to wait at the very same depth between two looks passes for unmoved; its
 * backtrace may be of both.)
 */
#ifndef PERCH_SEE_CROWD_H
#define PERCH_SEE_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/thread/thread.h"

#define CROWD_FRAMES 48
#define CROWD_OBJECTS 64
#define CROWD_NAMES 8

enum crowd_state {
	CROWD_WAITS = 0,
	CROWD_READY,
	CROWD_RUNS,
	CROWD_LENT, /* in join, and the joined thread runs on its stack */
	CROWD_NEW,
	CROWD_ENDED,
	CROWD_STATES,
};

struct crowd_name {
	perch_t handle;
	char name[PERCH_NAME_MAX + 1];
};

struct crowd_group {
	uint64_t hash;
	uint64_t count;
	uint64_t named;
	uint8_t state; /* enum crowd_state */
	bool task;     /* carriers of tasks */
	bool moved;    /* no backtrace: it went on while it was looked at */
	bool deeper;   /* there are more frames */
	uint16_t reason;
	uint32_t since_first, since_last; /* of those that wait; the runtime's age, ms */
	size_t stack_least, stack_most;
	uint32_t frames;
	uintptr_t pc[CROWD_FRAMES];
	uint32_t objects; /* different ones, CROWD_OBJECTS + 1: more than that */
	const void *object[CROWD_OBJECTS];
	uint32_t names; /* the first, named ones before others */
	struct crowd_name name[CROWD_NAMES];
};

struct crowd {
	struct crowd_group **group; /* by state, then the largest first */
	size_t groups;
	uint64_t count[CROWD_STATES];
	uint64_t not_grouped; /* there were too many groups for these */
};

/* The runtime is up, and stays so. 0 or -ENOMEM. */
int crowd_gather(struct crowd *c);
void crowd_free(struct crowd *c);

/* This thread is what a worker runs. */
bool crowd_is_current(const struct thread *t);
/* Its name, "" when it has none. False: it is no longer this thread. */
bool crowd_name(const struct thread *t, uint16_t generation, char name[PERCH_NAME_MAX + 1]);

#endif
