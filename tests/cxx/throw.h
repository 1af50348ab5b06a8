/* SPDX-License-Identifier: MIT */
/* throw.h - everything that perch can be given to call, throwing. */
#ifndef PERCH_TESTS_CXX_THROW_H
#define PERCH_TESTS_CXX_THROW_H

#ifdef __cplusplus
extern "C" {
#endif

/* Thread functions: an exception leaves something that the thread has perch call. Each catches
 * what comes back to it, and then ends the process with status 3. */
void *throw_itself(void *);
void *throw_in_joined(void *);  /* which its joiner runs */
void *throw_in_started(void *); /* which was started from a queue, before it is joined */
void *throw_in_task(void *);
void *throw_in_typed_task(void *);
void *throw_in_stolen_task(void *);
void *throw_in_loop(void *);
void *throw_in_reduction(void *);
void *throw_in_loop_by_node(void *);
void *throw_in_once(void *);
void *throw_in_blocking_call(void *);
void *throw_in_timer(void *);
void *throw_in_destructor_of_key(void *);

#ifdef __cplusplus
}
#endif
#endif
