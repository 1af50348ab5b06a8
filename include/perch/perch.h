/* SPDX-License-Identifier: MIT */
/*
 * perch/perch.h - user threads at task price. Include this, link -lperch.
 *
 * Every call returns 0 or a count, or a negative errno value; errno itself is
 * never touched.
 */
#ifndef PERCH_PERCH_H
#define PERCH_PERCH_H

#include <perch/config.h>
#include <perch/stats.h>
#include <perch/sync.h>
#include <perch/task.h>
#include <perch/thread.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define PERCH_VERSION "0.1.0"

/*
 * perch_start - start the runtime: one processor per CPU, workers pinned.
 * @config: settings, or NULL for defaults and the environment
 *
 * May be called again after perch_stop(), any number of times. The caller
 * stays an ordinary ("foreign") pthread, which may create, join and wake.
 *
 * Returns 0; -EALREADY (it runs); -EINVAL (a bad setting, named on stderr);
 * -ENOMEM; -EAGAIN (no pthread to be had); -ENOTSUP (a feature that the
 * settings insist on is missing); -EPERM (in the child of a fork()).
 */
int perch_start(const struct perch_config *config);

/*
 * perch_stop - wait until every thread has ended, then end the workers and
 * give back all memory.
 * Returns 0; -EINVAL (not running); -EDEADLK (called from a perch thread).
 */
int perch_stop(void);

/*
 * perch_run - start, run fn(arg) as the first thread, wait for every thread,
 * stop. For programs that are perch from end to end.
 * @status: where fn's result goes, or NULL
 * Returns 0 or what perch_start()/perch_create() returned.
 */
int perch_run(const struct perch_config *config, void *(*fn)(void *), void *arg, void **status);

/* Processors in use, workers; 0 while the runtime is not running. */
unsigned perch_procs(void);
unsigned perch_workers(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
