/* SPDX-License-Identifier: MIT */
/*
 * perch/sync.h - what threads wait for: mutexes, conditions, read-write locks,
 * semaphores, barriers, once, events, wait groups. Names and meaning follow
 * pthread's.
 *
 * All of them work between threads, and between threads and any other pthread
 * of the process ("foreign"), which blocks in the kernel while it waits. They
 * work before perch_start() and after perch_stop() too, among foreign pthreads.
 *
 * Every call returns 0, or -EINVAL when the object is NULL or was never
 * initialised, or what is said beside it. Calls that wait may switch threads;
 * those that do not are said not to. In the child of a fork() a call that would
 * have to wait is -EPERM: nobody is left who could wake it.
 *
 * Times are points of CLOCK_MONOTONIC; a timed call that comes too late is
 * -ETIMEDOUT, and -EINVAL when tv_nsec is not 0 .. 999,999,999. A point that
 * has passed still takes what can be had without waiting.
 *
 * Destroying an object that is locked or waited for is -EBUSY, and changes
 * nothing. An object must stay where it is; its fields are nobody's business.
 */
#ifndef PERCH_SYNC_H
#define PERCH_SYNC_H

#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Those who wait, in order. */
typedef struct perch_waitq {
	uint32_t lock[3];
	uint32_t magic; /* of the object that it is part of */
	void *first, *last;
} perch_waitq_t;

#define PERCH_WAITQ_INIT(magic)                                                                                        \
	{                                                                                                              \
		{0, 0, 0}, magic, 0, 0                                                                                 \
	}

/* ---- mutex ---- */

enum {
	PERCH_MUTEX_PLAIN = 0,  /* relock by its owner: a deadlock, which is reported */
	PERCH_MUTEX_RECURSIVE,  /* its owner may lock it again, up to 2^32-1 times */
	PERCH_MUTEX_ERRORCHECK, /* relock is -EDEADLK, another's unlock -EPERM */
};

typedef struct perch_mutex {
	perch_waitq_t queue;
	uint32_t word[3];
	uint32_t kind;
	void *owner; /* not kept by plain ones */
	uint32_t depth;
	uint32_t spare;
} perch_mutex_t;

#define PERCH_MUTEX_MAGIC 0x6d757478u
#define PERCH_MUTEX_INIT_KIND(kind)                                                                                    \
	{                                                                                                              \
		PERCH_WAITQ_INIT(PERCH_MUTEX_MAGIC), {0, 0, 0}, kind, 0, 0, 0                                          \
	}
#define PERCH_MUTEX_INIT PERCH_MUTEX_INIT_KIND(PERCH_MUTEX_PLAIN)
#define PERCH_MUTEX_INITIALIZER PERCH_MUTEX_INIT /* as pthread spells it; so below */
#define PERCH_RECURSIVE_MUTEX_INIT PERCH_MUTEX_INIT_KIND(PERCH_MUTEX_RECURSIVE)
#define PERCH_ERRORCHECK_MUTEX_INIT PERCH_MUTEX_INIT_KIND(PERCH_MUTEX_ERRORCHECK)

typedef struct perch_mutexattr {
	uint32_t magic;
	uint32_t kind;
} perch_mutexattr_t;

int perch_mutexattr_init(perch_mutexattr_t *a);
int perch_mutexattr_destroy(perch_mutexattr_t *a);
/* kind: PERCH_MUTEX_PLAIN, PERCH_MUTEX_RECURSIVE or PERCH_MUTEX_ERRORCHECK. */
int perch_mutexattr_settype(perch_mutexattr_t *a, int kind);
int perch_mutexattr_gettype(const perch_mutexattr_t *a, int *kind);

/* a: NULL for a plain one. */
int perch_mutex_init(perch_mutex_t *m, const perch_mutexattr_t *a);
int perch_mutex_destroy(perch_mutex_t *m);
/* -EDEADLK (error-checking, and the caller has it), -EAGAIN (recursive, too deep). */
int perch_mutex_lock(perch_mutex_t *m);
/* -EBUSY when another has it; else as lock. Does not switch threads. */
int perch_mutex_trylock(perch_mutex_t *m);
int perch_mutex_timedlock(perch_mutex_t *m, const struct timespec *abstime);
/* -EPERM: it is not locked, or (recursive, error-checking) not by the caller.
 * Does not switch threads. */
int perch_mutex_unlock(perch_mutex_t *m);

/* ---- condition ---- */

typedef struct perch_cond {
	perch_waitq_t queue;
} perch_cond_t;

#define PERCH_COND_INITIALIZER PERCH_COND_INIT
#define PERCH_COND_MAGIC 0x636f6e64u
#define PERCH_COND_INIT                                                                                                \
	{                                                                                                              \
		PERCH_WAITQ_INIT(PERCH_COND_MAGIC)                                                                     \
	}

/* nothing: NULL, as pthread's attributes; anything else is -EINVAL. */
int perch_cond_init(perch_cond_t *c, const void *nothing);
int perch_cond_destroy(perch_cond_t *c);
/* The caller has m locked, and has it locked again afterwards, whatever is
 * returned. -EPERM: it has not (and nothing was waited for). There are no
 * spurious wake-ups, but another may come in between: loop on what you wait for. */
int perch_cond_wait(perch_cond_t *c, perch_mutex_t *m);
int perch_cond_timedwait(perch_cond_t *c, perch_mutex_t *m, const struct timespec *abstime);
/* Wake the one that waits longest / all. Do not switch threads. */
int perch_cond_signal(perch_cond_t *c);
int perch_cond_broadcast(perch_cond_t *c);

/* ---- read-write lock ---- */

/* First come, first served between readers and writers: a reader that comes
 * while a writer waits, waits behind it; so neither starves. */
typedef struct perch_rwlock {
	perch_waitq_t queue;
	uint64_t word;
} perch_rwlock_t;

#define PERCH_RWLOCK_INITIALIZER PERCH_RWLOCK_INIT
#define PERCH_RWLOCK_MAGIC 0x72776c6bu
#define PERCH_RWLOCK_INIT                                                                                              \
	{                                                                                                              \
		PERCH_WAITQ_INIT(PERCH_RWLOCK_MAGIC), 0                                                                \
	}

int perch_rwlock_init(perch_rwlock_t *l, const void *nothing);
int perch_rwlock_destroy(perch_rwlock_t *l);
int perch_rwlock_rdlock(perch_rwlock_t *l);
int perch_rwlock_wrlock(perch_rwlock_t *l);
/* -EBUSY. Do not switch threads. */
int perch_rwlock_tryrdlock(perch_rwlock_t *l);
int perch_rwlock_trywrlock(perch_rwlock_t *l);
int perch_rwlock_timedrdlock(perch_rwlock_t *l, const struct timespec *abstime);
int perch_rwlock_timedwrlock(perch_rwlock_t *l, const struct timespec *abstime);
/* -EPERM: nobody has it. Does not switch threads. */
int perch_rwlock_unlock(perch_rwlock_t *l);

/* ---- semaphore ---- */

#define PERCH_SEM_VALUE_MAX 0x7fffffffu

typedef struct perch_sem {
	perch_waitq_t queue;
	uint64_t word;
} perch_sem_t;

#define PERCH_SEM_MAGIC 0x73656d61u
#define PERCH_SEM_INIT(value)                                                                                          \
	{                                                                                                              \
		PERCH_WAITQ_INIT(PERCH_SEM_MAGIC), value                                                               \
	}

/* shared: 0 (between processes it does not work: -ENOSYS). -EINVAL: value above
 * PERCH_SEM_VALUE_MAX. */
int perch_sem_init(perch_sem_t *s, int shared, unsigned value);
int perch_sem_destroy(perch_sem_t *s);
int perch_sem_wait(perch_sem_t *s);
/* -EAGAIN when it is zero. Does not switch threads. */
int perch_sem_trywait(perch_sem_t *s);
int perch_sem_timedwait(perch_sem_t *s, const struct timespec *abstime);
/* -EOVERFLOW: it is at PERCH_SEM_VALUE_MAX. Does not switch threads. May be called in a signal
 * handler; -EAGAIN there: hundreds of objects are waiting for such posts already. */
int perch_sem_post(perch_sem_t *s);
/* Into *value, at some moment during the call. Does not switch threads. */
int perch_sem_getvalue(perch_sem_t *s, int *value);

/* ---- barrier ---- */

#define PERCH_BARRIER_SERIAL_THREAD 1

typedef struct perch_barrier {
	perch_waitq_t queue;
	uint32_t count, here;
} perch_barrier_t;

#define PERCH_BARRIER_MAGIC 0x62617272u
#define PERCH_BARRIER_INIT(count)                                                                                      \
	{                                                                                                              \
		PERCH_WAITQ_INIT(PERCH_BARRIER_MAGIC), count, 0                                                        \
	}

/* count: how many must come, 1 to 2^31-1. */
int perch_barrier_init(perch_barrier_t *b, const void *nothing, unsigned count);
int perch_barrier_destroy(perch_barrier_t *b);
/* Returns PERCH_BARRIER_SERIAL_THREAD to one of them, 0 to the others. */
int perch_barrier_wait(perch_barrier_t *b);

/* ---- once ---- */

typedef struct perch_once_control {
	perch_waitq_t queue;
	uint32_t state;
	uint32_t spare;
} perch_once_t;

#define PERCH_ONCE_MAGIC 0x6f6e6365u
#define PERCH_ONCE_INIT                                                                                                \
	{                                                                                                              \
		PERCH_WAITQ_INIT(PERCH_ONCE_MAGIC), 0, 0                                                               \
	}

/* Call fn() if nobody has; who comes while it runs, waits for its end. -EINVAL
 * also when fn is NULL. */
int perch_once(perch_once_t *o, void (*fn)(void));

/* ---- event ---- */

/* Set once; everybody who waits, or comes to wait, goes on from then on. */
typedef struct perch_event {
	perch_waitq_t queue;
	uint32_t set;
	uint32_t spare;
} perch_event_t;

#define PERCH_EVENT_MAGIC 0x65766e74u
#define PERCH_EVENT_INIT                                                                                               \
	{                                                                                                              \
		PERCH_WAITQ_INIT(PERCH_EVENT_MAGIC), 0, 0                                                              \
	}

int perch_event_init(perch_event_t *e);
int perch_event_destroy(perch_event_t *e);
/* -EALREADY: it was set before. Does not switch threads. May be called in a signal handler;
 * -EAGAIN there: as for perch_sem_post(), and it is not set. */
int perch_event_set(perch_event_t *e);
/* 1 when it is set, else 0. Does not switch threads. */
int perch_event_is_set(perch_event_t *e);
int perch_event_wait(perch_event_t *e);
int perch_event_timedwait(perch_event_t *e, const struct timespec *abstime);

/* ---- wait group ---- */

/*
 * A wait group counts work that is under way; waiters sleep until the count
 * is zero. As in Go: a call of add() with a positive number that may bring the
 * count up from zero must happen before the wait it is meant for.
 */
typedef struct perch_waitgroup {
	perch_waitq_t queue;
	uint64_t word; /* count in the low half, a flag for waiters above it */
} perch_waitgroup_t;

#define PERCH_WAITGROUP_MAGIC 0x77677267u
#define PERCH_WAITGROUP_INIT                                                                                           \
	{                                                                                                              \
		PERCH_WAITQ_INIT(PERCH_WAITGROUP_MAGIC), 0                                                             \
	}

int perch_waitgroup_init(perch_waitgroup_t *wg);
/* -EBUSY when somebody still waits or the count is not zero. */
int perch_waitgroup_destroy(perch_waitgroup_t *wg);
/* Add n (may be negative). -ERANGE when the count would leave 0 .. 2^31-1; it
 * is unchanged then. Wakes all waiters at zero. Does not switch threads. */
int perch_waitgroup_add(perch_waitgroup_t *wg, int n);
int perch_waitgroup_done(perch_waitgroup_t *wg);
/* Wait until the count is zero. */
int perch_waitgroup_wait(perch_waitgroup_t *wg);
int perch_waitgroup_timedwait(perch_waitgroup_t *wg, const struct timespec *abstime);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
