/* SPDX-License-Identifier: MIT */
/* task.h - pthreads of this process: making the library's own, and what the kernel knows of any. */
#ifndef PERCH_SCHED_TASK_H
#define PERCH_SCHED_TASK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A pthread made with this runs on that CPU only. 0, or an error number. */
int task_attr_on(pthread_attr_t *attr, int cpu);
/* One that serves the library: it takes no signals, and has so small a stack. cpu: where
 * it runs; < 0: anywhere. 0 or -errno. */
int task_start(pthread_t *p, int cpu, size_t stack, void *(*fn)(void *), void *arg);

/* CPU time that it has used, ns; 0 when there is no such pthread. A syscall. */
uint64_t task_cpu_ns(pid_t tid);

/* The letter of its state in /proc (R, S, D, T, Z, ...); 0: it has ended; '?':
 * it cannot be told (no /proc, no descriptor left). Three syscalls, some 5 us. */
char task_state(pid_t tid);

/* It runs, or would if it were let; also when it cannot be told. */
static inline bool task_wants_cpu(pid_t tid)
{
	char state = task_state(tid);

	return state == 'R' || state == '?';
}

#endif
