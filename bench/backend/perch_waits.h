/* SPDX-License-Identifier: MIT */
/* perch_waits.h - workloads in which threads wait (waits.h). */
#ifndef BENCH_BACKEND_PERCH_WAITS_H
#define BENCH_BACKEND_PERCH_WAITS_H

#include <perch/perch.h>

#include "bench/workload/waits.h"

int perch_bench_pingpong(struct pingpong *p);
int perch_bench_mutex(struct locking *l);
int perch_bench_chan(struct traffic *x);
int perch_bench_selects(struct traffic *x);
int perch_bench_timers(struct arming *a);
int perch_bench_sleeps(struct sleeping *s);
int perch_bench_wake(struct waking *w);
int perch_bench_echo(struct echoing *e);
int perch_bench_idle(struct idling *i);

/* Threads that begin one after the other, and are joined; the first failure, or 0. */
static inline int start_all(perch_t *t, size_t *made, size_t n, void *(*fn)(void *), void *args, size_t size)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		r = perch_create(&t[*made], NULL, fn, (char *)args + i * size);
		*made += !r;
	}
	return r;
}

static inline int join_all(const perch_t *t, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		int failed = perch_join(t[i], NULL);

		if (!r)
			r = failed;
	}
	return r;
}

#endif
