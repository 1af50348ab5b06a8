/* SPDX-License-Identifier: MIT */
/*
 * perch/task.h - fork and join at the price of a few loads and stores.
 *
 * A task is work that a thread forks and will itself sync with. Its descriptor
 * lives in the forker's frame. Tasks that nobody stole are run by sync, as a
 * plain call on the forker's own stack; a stolen one runs on a stack of its
 * own, on another CPU, while the forker waits in sync without holding a CPU.
 * A task may block, fork, create and join as any thread may. What it asks
 * perch_self() for is the thread that runs it; it must not call perch_exit().
 *
 * Rules: every fork is followed by one sync of the same descriptor, in the
 * same function activation, before the descriptor's frame ends. Last forked,
 * first synced is the fast order; any order is correct. No exception leaves a
 * task or a loop's body: the process ends (perch(7), "C++").
 */
#ifndef PERCH_TASK_H
#define PERCH_TASK_H

#include <stddef.h>
#include <stdint.h>

#include <perch/rseq/section.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct perch_task {
	void (*run)(struct perch_task *task); /* what a thief calls; NULL: not forked */
	uintptr_t state;                      /* 0: not done; a waiter; or PERCH_TASK_DONE */
} perch_task_t;

/* What a task's function throws ends the process, whoever runs it. */
#ifdef __cplusplus
#define PERCH_NOTHING_LEAVES_ noexcept
#else
#define PERCH_NOTHING_LEAVES_
#endif

/* A task for a plain function: the pointer form. */
typedef struct perch_call {
	perch_task_t task;
	void (*fn)(void *arg);
	void *arg;
} perch_call_t;

/* Values of perch_task.state beside 0 and a waiter's address. */
#define PERCH_TASK_DONE ((uintptr_t)1)
#define PERCH_TASK_HERE ((uintptr_t)2) /* nobody can take it: sync runs it */
/* In a queue, a task is told from a thread by this bit. */
#define PERCH_TASK_TAG ((uintptr_t)1)

/* The slow ways out of the inlined calls below; not for direct use. */
int perch_task_fork_slow(perch_task_t *task);
int perch_task_sync_slow(perch_task_t *task);
void perch_call_run(perch_task_t *task);

/* Below this stack address a task is not run as a plain call any more. */
extern __thread uintptr_t perch_stack_limit __attribute__((tls_model("initial-exec")));

/* Non-zero when the stack has room for a task's frames. Reads the limit anew
 * each time: the caller may have moved to another worker since the last. */
SECTION_INLINE int perch_stack_has_room(void)
{
#if defined(__x86_64__)
	uintptr_t offset;
	/* volatile: gcc 12.2 drops an asm goto whose outputs nobody reads (its bug 98619) */
	__asm__ volatile goto("movq perch_stack_limit@gottpoff(%%rip), %0\n\t"
			      "cmpq %%fs:(%0), %%rsp\n\t"
			      "jb %l[no]"
			      : "=&r"(offset)
			      :
			      : "cc", "memory"
			      : no);
	return 1;
no:
	return 0;
#else
	uintptr_t limit, sp;
	__asm__ volatile("mrs %0, tpidr_el0\n\t"
			 "adrp %1, :gottprel:perch_stack_limit\n\t"
			 "ldr %1, [%1, :gottprel_lo12:perch_stack_limit]\n\t"
			 "ldr %0, [%0, %1]\n\t"
			 "mov %1, sp"
			 : "=&r"(limit), "=&r"(sp)
			 :
			 : "memory");
	return sp >= limit;
#endif
}

/*
 * perch_task_fork - make task->run(task) runnable. For the forms below.
 * Returns 0, or -EINVAL (the runtime is not running): then sync runs it.
 */
SECTION_INLINE int perch_task_fork(perch_task_t *task)
{
	__atomic_store_n(&task->state, 0, __ATOMIC_RELAXED);
	if (__builtin_expect(section_push((uintptr_t)task | PERCH_TASK_TAG) == SECTION_DONE, 1))
		return 0;
	return perch_task_fork_slow(task);
}

/*
 * perch_task_claim - take a forked task back to run it here.
 * Returns 1: it is the caller's, to be run as a plain call now; 0: it is done.
 * May switch threads.
 */
SECTION_INLINE int perch_task_claim(perch_task_t *task)
{
	if (__builtin_expect(perch_stack_has_room(), 1) &&
	    __builtin_expect(section_pop_if((uintptr_t)task | PERCH_TASK_TAG) == SECTION_DONE, 1))
		return 1;
	return perch_task_sync_slow(task);
}

/*
 * perch_fork - let fn(arg) run beside the caller, until perch_sync(call).
 * @call: the descriptor, in the caller's frame; not in use
 *
 * Does not switch threads. From a foreign pthread it works too, but the task
 * is always run by a worker.
 *
 * Returns 0, or -EINVAL (call or fn is NULL, or the runtime is not running):
 * then the task was not forked, and perch_sync(call) says -EINVAL too.
 */
static inline int perch_fork(perch_call_t *call, void (*fn)(void *), void *arg)
{
	if (__builtin_expect(!call || !fn, 0)) {
		if (call)
			call->task.run = NULL;
		return -22; /* EINVAL */
	}
	call->task.run = perch_call_run;
	call->fn = fn;
	call->arg = arg;
	if (__builtin_expect(perch_task_fork(&call->task), 0)) {
		call->task.run = NULL;
		return -22; /* EINVAL */
	}
	return 0;
}

/*
 * perch_sync - wait until a forked task has run; run it here if nobody took it.
 * May switch threads.
 * Returns 0, or -EINVAL (call is NULL, or its fork failed).
 */
static inline int perch_sync(perch_call_t *call) PERCH_NOTHING_LEAVES_
{
	if (__builtin_expect(!call || !call->task.run, 0))
		return -22; /* EINVAL */
	if (perch_task_claim(&call->task))
		call->fn(call->arg);
	return 0;
}

/*
 * The typed form: a task whose arguments and result have their own types, and
 * whose body the compiler can inline into the sync.
 *
 *	PERCH_TASK1(long, fib, int, n)
 *	{
 *		struct fib_task child;
 *		if (n < 2)
 *			return n;
 *		fib_fork(&child, n - 1);
 *		long b = fib(n - 2);
 *		return fib_sync(&child) + b;
 *	}
 *
 * PERCH_TASK1(R, name, T1, a1) declares struct name_task, name_fork(task, a1),
 * R name_sync(task), and begins the definition of R name(T1 a1). There are
 * PERCH_TASK0 to PERCH_TASK4, and PERCH_VOID_TASK0 to 4 for no result. The
 * name_fork() of a runtime that is not running leaves the work to name_sync().
 */
/* columns of back-slashes help nobody */
/* clang-format off */
#define PERCH_TASK0(R, name) \
	PERCH_TASK_(R, name, (void), (), , \
		(struct name##_task *perch_x_), )
#define PERCH_TASK1(R, name, T1, a1) \
	PERCH_TASK_(R, name, (T1 a1), (perch_x_->a1), T1 a1;, \
		(struct name##_task *perch_x_, T1 a1), perch_x_->a1 = a1;)
#define PERCH_TASK2(R, name, T1, a1, T2, a2) \
	PERCH_TASK_(R, name, (T1 a1, T2 a2), (perch_x_->a1, perch_x_->a2), T1 a1; T2 a2;, \
		(struct name##_task *perch_x_, T1 a1, T2 a2), perch_x_->a1 = a1; perch_x_->a2 = a2;)
#define PERCH_TASK3(R, name, T1, a1, T2, a2, T3, a3) \
	PERCH_TASK_(R, name, (T1 a1, T2 a2, T3 a3), (perch_x_->a1, perch_x_->a2, perch_x_->a3), T1 a1; T2 a2; T3 a3;, \
		(struct name##_task *perch_x_, T1 a1, T2 a2, T3 a3), perch_x_->a1 = a1; perch_x_->a2 = a2; perch_x_->a3 = a3;)
#define PERCH_TASK4(R, name, T1, a1, T2, a2, T3, a3, T4, a4) \
	PERCH_TASK_(R, name, (T1 a1, T2 a2, T3 a3, T4 a4), (perch_x_->a1, perch_x_->a2, perch_x_->a3, perch_x_->a4), T1 a1; T2 a2; T3 a3; T4 a4;, \
		(struct name##_task *perch_x_, T1 a1, T2 a2, T3 a3, T4 a4), perch_x_->a1 = a1; perch_x_->a2 = a2; perch_x_->a3 = a3; perch_x_->a4 = a4;)

#define PERCH_VOID_TASK0(name) \
	PERCH_VOID_TASK_(name, (void), (), , \
		(struct name##_task *perch_x_), )
#define PERCH_VOID_TASK1(name, T1, a1) \
	PERCH_VOID_TASK_(name, (T1 a1), (perch_x_->a1), T1 a1;, \
		(struct name##_task *perch_x_, T1 a1), perch_x_->a1 = a1;)
#define PERCH_VOID_TASK2(name, T1, a1, T2, a2) \
	PERCH_VOID_TASK_(name, (T1 a1, T2 a2), (perch_x_->a1, perch_x_->a2), T1 a1; T2 a2;, \
		(struct name##_task *perch_x_, T1 a1, T2 a2), perch_x_->a1 = a1; perch_x_->a2 = a2;)
#define PERCH_VOID_TASK3(name, T1, a1, T2, a2, T3, a3) \
	PERCH_VOID_TASK_(name, (T1 a1, T2 a2, T3 a3), (perch_x_->a1, perch_x_->a2, perch_x_->a3), T1 a1; T2 a2; T3 a3;, \
		(struct name##_task *perch_x_, T1 a1, T2 a2, T3 a3), perch_x_->a1 = a1; perch_x_->a2 = a2; perch_x_->a3 = a3;)
#define PERCH_VOID_TASK4(name, T1, a1, T2, a2, T3, a3, T4, a4) \
	PERCH_VOID_TASK_(name, (T1 a1, T2 a2, T3 a3, T4 a4), (perch_x_->a1, perch_x_->a2, perch_x_->a3, perch_x_->a4), T1 a1; T2 a2; T3 a3; T4 a4;, \
		(struct name##_task *perch_x_, T1 a1, T2 a2, T3 a3, T4 a4), perch_x_->a1 = a1; perch_x_->a2 = a2; perch_x_->a3 = a3; perch_x_->a4 = a4;)

/* fork: the parameters of name_fork(); save: puts them into the descriptor. */
#define PERCH_TASK_(R, name, params, args, fields, fork, save) \
	struct name##_task { \
		perch_task_t task; \
		R result; \
		fields \
	}; \
	static R name params; \
	__attribute__((__unused__)) static void name##_run(perch_task_t *perch_t_) PERCH_NOTHING_LEAVES_ \
	{ \
		struct name##_task *perch_x_ = (struct name##_task *)perch_t_; \
		(void)perch_x_; \
		perch_x_->result = name args; \
	} \
	__attribute__((__unused__)) static inline void name##_fork fork \
	{ \
		perch_x_->task.run = name##_run; \
		save \
		(void)perch_task_fork(&perch_x_->task); \
	} \
	__attribute__((__unused__)) static inline R name##_sync(struct name##_task *perch_x_) PERCH_NOTHING_LEAVES_ \
	{ \
		if (__builtin_expect(perch_task_claim(&perch_x_->task), 1)) \
			return name args; \
		return perch_x_->result; \
	} \
	static R name params

#define PERCH_VOID_TASK_(name, params, args, fields, fork, save) \
	struct name##_task { \
		perch_task_t task; \
		fields \
	}; \
	static void name params; \
	__attribute__((__unused__)) static void name##_run(perch_task_t *perch_t_) PERCH_NOTHING_LEAVES_ \
	{ \
		struct name##_task *perch_x_ = (struct name##_task *)perch_t_; \
		(void)perch_x_; \
		name args; \
	} \
	__attribute__((__unused__)) static inline void name##_fork fork \
	{ \
		perch_x_->task.run = name##_run; \
		save \
		(void)perch_task_fork(&perch_x_->task); \
	} \
	__attribute__((__unused__)) static inline void name##_sync(struct name##_task *perch_x_) PERCH_NOTHING_LEAVES_ \
	{ \
		if (__builtin_expect(perch_task_claim(&perch_x_->task), 1)) \
			name args; \
	} \
	static void name params

/* clang-format on */

/*
 * perch_for - run body over [begin, end), in pieces, side by side.
 * @grain: the largest piece that is not split, in indices; 0: chosen from the
 *         length and the number of processors
 * @body:  called as body(lo, hi, context), lo < hi, each index in exactly one
 *         call; pieces run in any order and beside each other
 *
 * Returns when every piece has run. May switch threads. From a foreign
 * pthread, or while the runtime is not running, see the errors.
 *
 * Returns 0 or -EINVAL (body is NULL, end < begin, or the runtime is not
 * running); nothing has been called then.
 */
int perch_for(size_t begin, size_t end, size_t grain, void (*body)(size_t lo, size_t hi, void *context), void *context);

/*
 * perch_reduce - as perch_for, and fold what the pieces made into one value.
 * @size:     of a value, in bytes; at most PERCH_REDUCE_MAX
 * @identity: what each piece's accumulator starts from
 * @body:     adds what is in [lo, hi) to *value
 * @combine:  folds *right into *left; called with neighbours in index order,
 *            so it need be associative only, not commutative
 * @result:   where the whole goes (the identity when the range is empty)
 *
 * Returns as perch_for; also -EINVAL when size is 0 or too large or a pointer
 * is NULL. May switch threads.
 */
#define PERCH_REDUCE_MAX ((size_t)1024)
int perch_reduce(size_t begin, size_t end, size_t grain, size_t size, const void *identity,
		 void (*body)(size_t lo, size_t hi, void *value, void *context),
		 void (*combine)(void *left, const void *right, void *context), void *result, void *context);

/*
 * perch_for_numa - as perch_for, with each part of the range on a node of its own.
 *
 * The range is cut into as many blocks, of equal length, as there are processors in use;
 * the blocks go to the processors in the order of nodes, then of CPUs, and are split
 * further there. The same range and the same processors give the same blocks, so an array
 * can be where its blocks run (perch_numa_alloc() by PERCH_NUMA_BLOCKS). Who has nothing left to do helps
 * others, at last those of other nodes, a small part at a time. When processors change (perch_set_procs()),
 * so do the blocks.
 *
 * From any thread, task or foreign pthread. May switch threads. Returns as perch_for
 * does, also -ENOMEM, and -EPERM in the child of a fork(); nothing has been called then.
 */
int perch_for_numa(size_t begin, size_t end, size_t grain, void (*body)(size_t lo, size_t hi, void *context),
		   void *context);

/* perch_reduce_numa - as perch_reduce, with the blocks of perch_for_numa. */
int perch_reduce_numa(size_t begin, size_t end, size_t grain, size_t size, const void *identity,
		      void (*body)(size_t lo, size_t hi, void *value, void *context),
		      void (*combine)(void *left, const void *right, void *context), void *result, void *context);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
