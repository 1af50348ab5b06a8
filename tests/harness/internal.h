/* SPDX-License-Identifier: MIT */
/* internal.h - between the harness's own files. */
#ifndef PERCH_TESTS_HARNESS_INTERNAL_H
#define PERCH_TESTS_HARNESS_INTERNAL_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/harness/register.h"

/* One test with one variant of its fixture. */
struct harness_case {
	const struct harness_test *test;
	const struct harness_fixture *fixture; /* or NULL */
	const struct harness_variant *variant; /* or NULL */
	char name[256];                        /* [fixture.[variant.]]test */
};

/* In memory that the runner and the test's process share. */
struct harness_report {
	unsigned failures;
	bool ended; /* the test came to its end: returned, or was stopped by the harness */
	bool skipped;
	char reason[256];
};

extern struct harness_report *harness_report;

/* Where harness_stop() and harness_skip() lead, for the pthread `tid`. */
extern sigjmp_buf harness_escape;
extern pid_t harness_escape_tid;

enum harness_outcome { HARNESS_PASSED, HARNESS_FAILED, HARNESS_SKIPPED };

/* Run a case in a process of its own. `factor` stretches its time-out. */
enum harness_outcome harness_run_case(const struct harness_case *c, double factor);

/* Say what each thread of a process that hangs is doing. */
void harness_show_hang(pid_t pid);

/* PERCH_TEST_SECCOMP, in a test's process. Returns 0 or -errno. */
int harness_refuse_by_environment(void);

uint64_t harness_seed(void);
void harness_stress_begin(void);

#endif
