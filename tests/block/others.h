/* SPDX-License-Identifier: MIT */
/*
 * others.h - threads that hold on to their workers, what goes on beside them, and
 * what the kernel says about the pthreads of this process.
 */
#ifndef PERCH_TESTS_BLOCK_OTHERS_H
#define PERCH_TESTS_BLOCK_OTHERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <perch/perch.h>

#include "tests/harness/gather.h"

/* Seconds for what takes milliseconds on a machine that does nothing else. */
#define PATIENCE 40

void sleep_ms(unsigned ms);

/* ---- threads that block in the kernel ---- */

enum how { UNMARKED, MARKED, BY_CALL, HOWS };

struct reader {
	int fd[2];
	enum how how;
	uint32_t *begun, *ended;
	perch_t thread;
};

/* Start a thread that reads a byte from a pipe of its own. */
void reader_start(struct reader *r, enum how how, uint32_t *begun, uint32_t *ended);
/* Let it go on; it must get just this byte. */
void reader_release(struct reader *r);
void reader_join(struct reader *r);

/* `n` of them (how: HOWS is all in turn), all in their read. */
struct readers {
	struct reader *r;
	unsigned n;
	uint32_t begun, ended;
};
void readers_start(struct readers *rs, unsigned n, enum how how);
void readers_end(struct readers *rs);

/* ---- threads that compute ---- */

struct loop {
	uint32_t stop, begun;
	perch_t thread[64];
	unsigned n;
};
/* One for each worker that there is, and one more. */
void loops_start(struct loop *l);
void loops_end(struct loop *l);

/* ---- others ---- */

/* Threads that create, join, yield, sleep, send, fork, and a timer: all of them
 * come to their end, and what they counted is right. False: not in PATIENCE. */
bool others_go_on(void);

/* ---- the pthreads of this process ---- */

struct pthreads {
	unsigned all, monitors, lookouts;
	unsigned long switches; /* times that others than the caller let go of a CPU by themselves */
};
struct pthreads pthreads_now(void);
/* fn for each; its name, and its mask of blocked signals. */
void pthreads_each(void (*fn)(const char *name, uint64_t blocked, void *arg), void *arg);

unsigned times(const char *text, const char *part);

#endif
