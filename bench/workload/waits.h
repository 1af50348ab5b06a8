/* SPDX-License-Identifier: MIT */
/*
 * waits.h - the workloads in which threads wait: for each other, for a time, for
 * somebody outside. What the backend is asked to do, and what it did; the
 * checks are shared (pingpong.c, mutex.c, chan.c, timers.c, wake.c, echo.c).
 */
#ifndef BENCH_WORKLOAD_WAITS_H
#define BENCH_WORKLOAD_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Two threads hand a token to and fro. It counts how often it was handed over,
 * so each of them knows what it must be when its turn comes. With two workers
 * each of them stays on one, and two more threads do nothing but yield, so that
 * neither worker goes to sleep: what a sleep costs is for `wake`.
 */
struct pingpong {
	bool cond; /* by a mutex and a condition; else by two unbuffered channels */
	size_t n;  /* round trips */
	unsigned workers;
	uint64_t token;   /* at the end: 2n */
	bool out_of_turn; /* somebody got another token than its next one */
	bool apart;       /* begun and ended on two workers; asked for when there are two */
	uint64_t ns;
};

/* Threads that lock, add one, unlock. */
struct locking {
	size_t threads, each; /* lock+unlocks of a thread */
	bool timed;           /* look how long a lock takes, every LOCKS_PER_LOOK-th time */
	uint64_t count;       /* at the end: threads * each; a plain word */
	uint64_t ns, longest_wait_ns;
};
#define LOCKS_PER_LOOK 64

/* Messages of 8 bytes (messages.h), through one channel or, to be selected
 * from, one for each producer. */
struct traffic {
	size_t producers, consumers, capacity;
	size_t each; /* messages of a producer */
	uint64_t count, sum;
	bool disordered; /* one producer's came out in another order, or at another's end */
	uint64_t ns;
};

/* Timers that never come: armed for DUE_NS to 2 DUE_NS from now, and cancelled. */
struct arming {
	size_t asked, made; /* fewer, where there are no more to be had */
	size_t cancelled;   /* were still armed when cancelled */
	size_t fired;
	uint64_t arm_ns, cancel_ns;
};
#define DUE_NS UINT64_C(3600000000000)

/* Sleeps, one after the other. */
struct sleeping {
	size_t n;
	uint64_t each_ns;
	int64_t *late_ns; /* n: woken so long after it was due */
};

/* A pthread that the runtime knows nothing of wakes a thread in an idle
 * process, again and again. */
struct waking {
	size_t n;
	uint64_t *ns; /* n: from just before the signal until the woken thread runs */
	size_t right; /* woken by the next signal, not by one before or after it */
};
/* Between two wakes. */
#define WAKE_PAUSE_NS 1000000

/* Parked threads, and nothing to do. */
struct idling {
	size_t asked, made, right;
	uint64_t ns;     /* for so long */
	uint64_t cpu_ns; /* that the process used in it; idle_watch() */
};

/* A server that sends back what comes, until all connections have been made and have ended. */
struct echoing {
	int listener;
	size_t connections;
};

/* Until everything has gone to sleep; then watch the process. */
void idle_watch(struct idling *i);

/* Sleep, the calling pthread. */
void pause_ns(uint64_t ns);

#endif
