/* SPDX-License-Identifier: MIT */
/* perch/local.h - what is a thread's own: keys, its name, staying on its worker. */
#ifndef PERCH_LOCAL_H
#define PERCH_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include <perch/thread.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * Thread-local values: use these instead of __thread, which belongs to the
 * worker (docs/caveats.md). As pthread_key_*: when a thread ends, and in the
 * order of the keys, each key's destructor is called with the thread's value,
 * if that is not NULL, after the value was set to NULL; again while destructors
 * set values, PERCH_DESTRUCTOR_ITERATIONS times at most. Destructors may
 * switch threads. In a task, values are those of the thread that runs it.
 * Foreign pthreads have values too.
 */
typedef uint32_t perch_key_t;

#define PERCH_KEYS_MAX 1024
#define PERCH_DESTRUCTOR_ITERATIONS 4

/* -EAGAIN: PERCH_KEYS_MAX exist. -EINVAL: key is NULL. Neither this nor the
 * following switch threads. */
int perch_key_create(perch_key_t *key, void (*destructor)(void *));
/* Values are not destroyed. -EINVAL: no such key. */
int perch_key_delete(perch_key_t key);
/* -EINVAL: no such key; -ENOMEM. */
int perch_setspecific(perch_key_t key, const void *value);
/* NULL when never set in this thread, or no such key. */
void *perch_getspecific(perch_key_t key);

/* Name a thread that exists; as perch_attr_setname(). -ESRCH: no such thread.
 * -ENOMEM. */
int perch_setname(perch_t t, const char *name);
/* "" when it has none. -ERANGE: size is too small. -ESRCH. */
int perch_getname(perch_t t, char *name, size_t size);

/*
 * perch_pin - from now on this thread runs on this worker (pthread) only.
 * perch_unpin - as often as pinned: it may move again.
 *
 * For code that keeps errno, __thread addresses or a library's per-pthread
 * state across a wait. A pinned thread cannot be stolen, so use it sparingly.
 * 0; -EPERM outside of threads (a foreign pthread never moves); unpin also
 * -EINVAL when not pinned. Do not switch threads.
 */
int perch_pin(void);
int perch_unpin(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
