/* SPDX-License-Identifier: MIT */
/*
 * backend.h - what a backend gives: the parallel form of each workload in its
 * own idiom. What is to be computed, the checks and the timing are shared.
 *
 * A NULL function: this backend has no such thing; `why` says the reason.
 */
#ifndef BENCH_BACKEND_BACKEND_H
#define BENCH_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/workload/alloc.h"
#include "bench/workload/block.h"
#include "bench/workload/burst.h"
#include "bench/workload/loop.h"
#include "bench/workload/periodic.h"
#include "bench/workload/placement.h"
#include "bench/workload/uts.h"
#include "bench/workload/waits.h"

struct measurement;

struct memory {
	uint64_t rss, pte; /* bytes: resident, and of page tables */
};

/* Threads that exist at once, for the memory they take. */
struct crowd {
	size_t asked; /* as many as this, or as can be had */
	size_t made;
	size_t right;        /* how many did what they should */
	uint64_t ns;         /* to make them (and have them parked) */
	uint64_t release_ns; /* parked: to wake all and join them */
	/* To be read when everything but the threads is there, and while all
	 * of them exist. */
	struct memory before, peak;
	int (*read)(struct memory *now); /* 0 or -errno */
};

struct backend {
	const char *name;
	/* Takes the smaller case where there is one; of the workloads in which
	 * threads wait, or of the others. */
	bool slow_waits, slow_tasks;
	/* Has other forms of itself; start() is told which (measurement.variant), and
	 * returns -EINVAL when it is none of them. */
	bool variants;

	/* Bring the runtime up and down. 0 or -errno. Outside what is timed. */
	int (*start)(const struct measurement *m);
	void (*stop)(void);
	/* Run fn(arg) once, as the first thread of the runtime. 0 or -errno. */
	int (*inside)(void (*fn)(void *arg), void *arg);
	/* Called inside, before (false) and after what is timed: read the
	 * runtime's counters. Then, outside: emit the difference, per loop. */
	void (*mark)(bool after);
	void (*report)(struct measurement *m, double loops);
	/* Key=value words on how this backend does this workload, or NULL. */
	const char *(*note)(const char *workload, const char *case_name);
	const char *(*why)(const char *workload, const char *case_name);

	/* fib(n), forking at every call; must return fib(n). */
	uint64_t (*fib)(int n);
	uint64_t (*fib_typed)(int n);
	/* Solutions for n queens. */
	uint64_t (*nqueens)(int n);
	/* Walk a whole tree from its root. */
	struct uts_totals (*uts)(const struct uts_tree *tree);
	/* Run f(a) and g(b) beside each other; return when both are done. */
	void (*both)(void (*f)(void *), void *a, void (*g)(void *), void *b);
	/* Create n threads that return their argument + 1, join all of them;
	 * how many returned the right thing. */
	size_t (*flat)(size_t n);
	/* Two threads that yield to each other, about n switches. Returns the
	 * switches that happened; 0: something was wrong. *ns: the time. */
	uint64_t (*yield)(size_t n, uint64_t *ns);
	/* 0 or -errno. Called inside. */
	int (*burst)(struct burst *b);
	int (*spawned)(struct crowd *c);
	int (*parked)(struct crowd *c);
	/* 0 or -errno. Called inside. */
	int (*pingpong)(struct pingpong *p);
	int (*mutex)(struct locking *l);
	int (*chan)(struct traffic *x);
	int (*select)(struct traffic *x);
	int (*timers)(struct arming *a);
	int (*sleeps)(struct sleeping *s);
	int (*periodic)(struct periodic *p);
	int (*echo)(struct echoing *e);
	/* 0 or -errno. Called by the program's first pthread, not inside. */
	int (*wake)(struct waking *w);
	int (*idle)(struct idling *i);
	/* 0 or -errno. Called inside. */
	int (*calls)(struct calls *c);
	int (*baton)(struct baton *b);
	int (*beside)(struct beside *b);
	int (*loop)(struct memory_loop *l);
	/* Memory, each part of it on the node where a loop by node runs its blocks; NULL: none
	 * to be had. Called by the program's first pthread, while the runtime is up. */
	void *(*blocks_new)(size_t size);
	void (*blocks_free)(void *start, size_t size);
	int (*placement)(struct placement *p);
	/* 0 or -errno. Called inside. */
	int (*alloc_pairs)(struct alloc_pairs *a);
	int (*alloc_handover)(struct alloc_handover *h);
	int (*alloc_larson)(struct alloc_larson *l);
};

/* Each backend's program defines its own. */
extern const struct backend backend;

#endif
