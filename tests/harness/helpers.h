/* SPDX-License-Identifier: MIT */
/* helpers.h - what many tests need beside checks: captured output, chance, time. */
#ifndef PERCH_TESTS_HARNESS_HELPERS_H
#define PERCH_TESTS_HARNESS_HELPERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A diagnostic line of the test's output ("# ..."), written in one piece. */
void harness_log(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* What a child process wrote, and how it ended. */
struct harness_captured {
	int status;    /* as from waitpid(): WIFEXITED(), WTERMSIG() ... */
	size_t length; /* of text, without the NUL behind it */
	char *text;
};

/*
 * harness_capture - run fn(arg) in a forked child, and keep what it wrote to
 * stderr. The child ends with status 0 when fn returns. Call it before the
 * runtime is started in this process: a forked child cannot use it.
 * Returns 0 or -errno; the text is freed by harness_release().
 */
int harness_capture(struct harness_captured *out, void (*fn)(void *arg), void *arg);

/*
 * harness_execute - run a program (argv[0] is its path), and keep what it wrote
 * to stdout and stderr. A program that could not be run ends with status 127.
 * Returns 0 or -errno; the text is freed by harness_release().
 */
int harness_execute(struct harness_captured *out, char *const argv[]);

void harness_release(struct harness_captured *c);

/*
 * A random number; each pthread has a sequence of its own, and all of them
 * follow from PERCH_TEST_SEED (else from the clock; a failed test prints it).
 */
uint64_t harness_random(void);
/* A random number below n; n is not 0. */
uint64_t harness_random_below(uint64_t n);
/* Burn a random time, below max_ns; sometimes give the CPU away instead. */
void harness_delay(uint64_t max_ns);

/* Nanoseconds on the monotonic clock. */
uint64_t harness_now(void);

/* How long a stress test should go on: PERCH_STRESS_SECONDS, else 10. */
double harness_stress_seconds(void);
/* True once this process's test has run for that long. */
bool harness_stress_over(void);

/*
 * harness_refuse - from now on a system call of this process and its children
 * fails with EPERM. Known names: get_mempolicy, io_uring_enter, io_uring_setup, mbind, membarrier,
 * move_pages, sched_setattr, sched_setscheduler.
 * Returns 0, -EINVAL (another name), or -errno.
 */
int harness_refuse(const char *syscall_name);
/* The same for all pthreads that there are, with an error of choice (EPERM, ENOSYS). */
int harness_refuse_from_now_on(const char *syscall_name, int error);

/* The same, by its number (SYS_...). */
int harness_refuse_number(int number, int error);

/* From now on that system call ends the process with SIGSYS: it is not to be made. */
int harness_forbid(const char *syscall_name);

#endif
