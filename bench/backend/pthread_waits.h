/* SPDX-License-Identifier: MIT */
/* pthread_waits.h - workloads in which pthreads wait (waits.h). */
#ifndef BENCH_BACKEND_PTHREAD_WAITS_H
#define BENCH_BACKEND_PTHREAD_WAITS_H

#include <pthread.h>

#include "bench/workload/waits.h"

int pthread_pingpong(struct pingpong *p);
int pthread_locking(struct locking *l);
int pthread_chan(struct traffic *x);
int pthread_timers(struct arming *a);
int pthread_sleeps(struct sleeping *s);
int pthread_echo(struct echoing *e);
int pthread_wake(struct waking *w);
int pthread_idle(struct idling *i);

/*
 * Run fn on n pthreads, each with its element (of so many bytes) of args; 0 or -errno. *ns: from
 * when all of them are there, until the last has ended.
 */
int pthread_crew(size_t n, void *(*fn)(void *), void *args, size_t size, uint64_t *ns);

/* The calling pthread onto a CPU: the me-th of those it may use. Returns which; -1: there is none. */
int pthread_sit_down(unsigned me);

#endif
