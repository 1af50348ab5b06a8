/* SPDX-License-Identifier: MIT */
/* exceptions.h - threads that wait while they handle an exception; each returns its count of faults. */
#ifndef PERCH_TESTS_CXX_EXCEPTIONS_H
#define PERCH_TESTS_CXX_EXCEPTIONS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Thread functions; the argument is a number of its own, the result a count of faults. */
void *catch_yield_rethrow(void *number);
void *wait_in_every_way(void *number);
void *yield_in_a_destructor(void *number);
void *join_in_a_handler(void *number);
/* It ends in a handler, by perch_exit(). */
void *exit_in_a_handler(void *number);
/* 1 when there is an exception that this thread has not caught. */
void *handles_nothing(void *number);

#ifdef __cplusplus
}
#endif
#endif
