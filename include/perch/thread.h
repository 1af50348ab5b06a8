/* SPDX-License-Identifier: MIT */
/* perch/thread.h - threads: create, join, yield. Names follow pthread's. */
#ifndef PERCH_THREAD_H
#define PERCH_THREAD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * A thread's handle. It stays distinct from every later thread's until 65,535
 * others have used the same descriptor, so a handle used after join is
 * -ESRCH, not a wild pointer. 0 is never a thread.
 */
typedef uint64_t perch_t;

/* Longest name of a thread, in bytes, the terminating NUL not counted. */
#define PERCH_NAME_MAX 31

enum { PERCH_CREATE_JOINABLE = 0, PERCH_CREATE_DETACHED = 1 };

/* Attributes of a thread to be created; opaque, set by the calls below. */
typedef struct perch_attr {
	uint32_t magic;
	uint32_t detached;
	size_t stack_size;
	char name[PERCH_NAME_MAX + 1];
	uint32_t aim; /* at nothing, a node, a CPU */
	uint32_t aimed_at;
} perch_attr_t;

/*
 * The calls on attributes return 0, or -EINVAL when `a` is NULL or was never
 * initialised (or the value is out of range). None switches threads.
 */
int perch_attr_init(perch_attr_t *a);
int perch_attr_destroy(perch_attr_t *a);
/* name: NUL-terminated, at most PERCH_NAME_MAX bytes; longer is -ERANGE. */
int perch_attr_setname(perch_attr_t *a, const char *name);
int perch_attr_getname(const perch_attr_t *a, char *name, size_t size);
/* bytes: PERCH_STACK_MIN to PERCH_STACK_MAX, rounded up to a power of two; 0 = default. */
int perch_attr_setstacksize(perch_attr_t *a, size_t bytes);
int perch_attr_getstacksize(const perch_attr_t *a, size_t *bytes);
/* state: PERCH_CREATE_JOINABLE or PERCH_CREATE_DETACHED. */
int perch_attr_setdetachstate(perch_attr_t *a, int state);
int perch_attr_getdetachstate(const perch_attr_t *a, int *state);
/*
 * The thread starts on a processor of this node, or on that of this CPU; the last of
 * the two calls counts, and -1 takes it back. Whether there is such a processor is seen
 * when a thread is created. It starts elsewhere only when all workers of that node are
 * stuck or busy for longer than the others' patience, or the processor goes out of use
 * meanwhile; and afterwards it is a thread like any other. The node is what counts: on
 * a busy CPU a neighbour's worker may take the thread.
 */
int perch_attr_setnode(perch_attr_t *a, int node);
int perch_attr_setcpu(perch_attr_t *a, int cpu);
/* -1: it is aimed at none. */
int perch_attr_getnode(const perch_attr_t *a, int *node);
int perch_attr_getcpu(const perch_attr_t *a, int *cpu);

/*
 * perch_create - make a thread that runs fn(arg).
 * @t: where its handle goes; may be NULL only for a detached thread
 * @a: attributes, or NULL for the defaults
 *
 * Any pthread may call it while the runtime is up. The thread takes 64 bytes
 * until it first runs, and has no stack until then. Does not switch threads.
 *
 * Returns 0, -EINVAL (fn is NULL; t is NULL for a joinable thread; bad
 * attributes, or they name a node or CPU that has no processor in use; the runtime
 * is not running), -ENOMEM (no memory for the
 * descriptor, or no address space for its stack), -EPERM (in the child of a
 * fork()). On an error nothing was made and *t is untouched.
 */
int perch_create(perch_t *t, const perch_attr_t *a, void *(*fn)(void *), void *arg);

/*
 * perch_go - make a detached thread that runs fn(arg), with default attributes.
 * Returns as perch_create does. Does not switch threads.
 */
int perch_go(void (*fn)(void *), void *arg);

/*
 * perch_join - wait until a thread has ended, take its result, and free it.
 * @result: where fn's result goes, or NULL
 *
 * From a perch thread it may switch threads; from any other pthread it blocks
 * that pthread.
 *
 * Returns 0; -ESRCH (no such thread, or it was joined already); -EINVAL (it
 * is detached, or another is joining it); -EDEADLK (it is the caller);
 * -ENOMEM (the thread never ran: there was no stack to be had when its turn
 * came; it is freed all the same).
 *
 * A thread is joined, or detached, once. A second call that comes later is told so by the
 * errors above. Two that come at the same moment, before the thread has started, are a
 * fault of the program: one of the two may then wait for ever.
 */
int perch_join(perch_t t, void **result);

/*
 * perch_detach - nobody will join this thread; it frees itself when it ends.
 * Returns 0, -ESRCH (no such thread), -EINVAL (already detached, or being
 * joined). Does not switch threads.
 */
int perch_detach(perch_t t);

/* The calling thread's handle; 0 outside perch threads. In a task: the handle
 * of the thread that runs the task. */
perch_t perch_self(void);

/* Non-zero when both are handles of one thread. */
int perch_equal(perch_t a, perch_t b);

/*
 * perch_exit - end the calling thread with this result. Must not be called
 * from a task (perch/task.h), whose frame belongs to another. Outside perch
 * threads it is pthread_exit().
 */
void perch_exit(void *result) __attribute__((__noreturn__));

/*
 * perch_yield - let others run. The caller goes to the end of its CPU's fair
 * queue. Switches threads when another is runnable here.
 * Returns 0; outside perch threads it is sched_yield().
 */
int perch_yield(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
