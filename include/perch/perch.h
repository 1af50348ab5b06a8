/* SPDX-License-Identifier: MIT */
/*
 * perch/perch.h - user threads at task price. Include this, link -lperch.
 *
 * Every call returns 0 or a count, or a negative errno value; errno itself is
 * never touched.
 */
#ifndef PERCH_PERCH_H
#define PERCH_PERCH_H

#include <perch/alloc.h>
#include <perch/block.h>
#include <perch/chan.h>
#include <perch/config.h>
#include <perch/io.h>
#include <perch/local.h>
#include <perch/numa.h>
#include <perch/see.h>
#include <perch/stats.h>
#include <perch/sync.h>
#include <perch/task.h>
#include <perch/thread.h>
#include <perch/time.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define PERCH_VERSION "0.1.0"

/*
 * perch_start - start the runtime: one processor per CPU, workers pinned.
 * @config: settings, or NULL for defaults and the environment
 *
 * Where it runs already, another part of the program uses it too, as a library may beside
 * the program: then it goes on as it is, by the settings that it has, and a line on stderr
 * names each one that is asked for otherwise. To each successful call belongs one of
 * perch_stop(), any number of times. The caller stays an ordinary ("foreign") pthread, which
 * may create, join and wake.
 *
 * Returns 0; -EINVAL (a bad setting, named on stderr);
 * -ENOMEM; -EAGAIN (no pthread to be had); -ENOTSUP (a feature that the
 * settings insist on is missing); -EPERM (in the child of a fork()).
 */
int perch_start(const struct perch_config *config);

/*
 * perch_stop - of the last that started it: wait until every thread has ended, then end
 * the workers and give back all memory. Of the others: nothing, and no wait.
 * Returns 0; -EINVAL (not running); -EDEADLK (the last, called from a perch thread).
 */
int perch_stop(void);

/*
 * perch_run - start, run fn(arg) as the first thread, wait for every thread,
 * stop. For programs that are perch from end to end.
 * @status: where fn's result goes, or NULL
 * Returns 0 or what perch_start()/perch_create() returned. Where the runtime is up already
 * it waits for its first thread only.
 */
int perch_run(const struct perch_config *config, void *(*fn)(void *), void *arg, void **status);

/*
 * perch_set_procs - change the number of processors while threads run. What lies in
 * the queues of those that go is run by the others; threads that are pinned to
 * their workers go on there. From now on this is the number that is kept as CPUs
 * are taken from the process and given back (perch_config.follow).
 * @n: from 1 to the number of CPUs that the process may use now
 *
 * From any pthread. May switch threads. Returns 0; -EINVAL (n is 0, or more than those CPUs;
 * or the runtime is not running); -EAGAIN (no pthread for a worker, or the CPUs
 * cannot be found out), -ENOMEM, and then nothing has changed; -EPERM (in the
 * child of a fork()).
 */
int perch_set_procs(unsigned n);

/* Processors in use, workers; 0 while the runtime is not running. */
unsigned perch_procs(void);
unsigned perch_workers(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
