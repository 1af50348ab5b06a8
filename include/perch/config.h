/* SPDX-License-Identifier: MIT */
/* perch/config.h - what a program may settle before the runtime starts. */
#ifndef PERCH_CONFIG_H
#define PERCH_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* How the guard below each stack is made. */
enum perch_guard {
	PERCH_GUARD_AUTO = 0, /* light guards where the kernel has them, else mprotect */
	PERCH_GUARD_MADVISE,  /* MADV_GUARD_INSTALL (Linux 6.13); start fails with -ENOTSUP without it */
	PERCH_GUARD_MPROTECT, /* one mapping per stack; bounded by vm.max_map_count */
};

/* Which form of the per-CPU operations is used. */
enum perch_rseq_mode {
	PERCH_RSEQ_AUTO = 0, /* restartable sequences where they work, else a lock per CPU */
	PERCH_RSEQ_ON,       /* start fails with -ENOTSUP when they do not work */
	PERCH_RSEQ_OFF,      /* always a lock per CPU */
};

/* Whether a deadlock is reported. */
enum perch_deadlock {
	PERCH_DEADLOCK_AUTO = 0, /* report, unless there are pthreads that perch does not know (perch/see.h) */
	PERCH_DEADLOCK_REPORT,   /* even then */
	PERCH_DEADLOCK_OFF,
};

/* Whether a CPU is given to another worker when its own is stuck (perch/block.h). */
enum perch_handoff {
	PERCH_HANDOFF_AUTO = 0, /* it is */
	PERCH_HANDOFF_ON,
	PERCH_HANDOFF_OFF, /* threads wait until the worker comes back */
};

/* What SIGQUIT does. */
enum perch_sigquit {
	PERCH_SIGQUIT_AUTO = 0, /* dump */
	PERCH_SIGQUIT_DUMP,
	PERCH_SIGQUIT_OFF,
};

/* Whether the processors follow the CPUs that the process may use, while it runs. */
enum perch_follow {
	PERCH_FOLLOW_AUTO = 0, /* they do */
	PERCH_FOLLOW_ON,
	PERCH_FOLLOW_OFF,
};

/* Whom a CPU that has nothing to run takes threads from, by nodes and distances (perch_start(3)). */
enum perch_steal {
	PERCH_STEAL_AUTO = 0,   /* near first */
	PERCH_STEAL_NEAR_FIRST, /* from its node at once; from others when that has been in vain for a while */
	PERCH_STEAL_FLAT,       /* from all alike */
	PERCH_STEAL_NODE_ONLY,  /* from its node only */
	PERCH_STEAL_NONE,       /* from nobody */
};

/*
 * Settings of the runtime. Zero in any field means "the default". A field
 * that is zero is taken from its environment variable, when that is set.
 * A bad value is -EINVAL from perch_start(), with a line on stderr that names
 * the field or variable and the value; nothing has been started then.
 */
struct perch_config {
	/* PERCH_PROCS: processors, one per CPU; default: one for every CPU that
	 * the affinity mask and the cpuset allow, but not more than the CPU quota
	 * of the control groups keeps busy, rounded up. More than those CPUs:
	 * -EINVAL; more than the quota is allowed. */
	uint32_t procs;
	/* PERCH_WORKERS: pinned pthreads that run threads; default: one per
	 * processor. A multiple of procs is not required; at most 64 per
	 * processor. */
	uint32_t workers;
	/* PERCH_HANDOFF: on, off. */
	enum perch_handoff handoff;
	/* PERCH_SPARES: workers that may be made beyond those, to run threads in
	 * place of workers that are blocked or compute for long (perch/block.h).
	 * Default 10,000, which only take memory once they exist; they are kept until
	 * the runtime stops. */
	uint32_t spares;
	/* PERCH_STACK_SIZE: bytes of address space reserved for a thread's
	 * stack when its attributes do not say; rounded up to a power of two.
	 * Default 64 KiB, least PERCH_STACK_MIN, most PERCH_STACK_MAX. In the
	 * variable a suffix K, M or G is understood. */
	size_t stack_size;
	/* PERCH_GUARD: auto, madvise, mprotect. */
	enum perch_guard guard;
	/* PERCH_RSEQ: auto, on, off. */
	enum perch_rseq_mode rseq;
	/* PERCH_SHUFFLE: 1 moves threads between processors at every switch: a
	 * test mode, for finding code that relies on staying. */
	uint32_t shuffle;
	/* PERCH_DEADLOCK: report (a deadlock ends the program, perch/see.h), off. */
	enum perch_deadlock deadlock;
	/* PERCH_SIGQUIT: dump (SIGQUIT writes a dump to stderr; only if the program
	 * has not set SIGQUIT itself), off. */
	enum perch_sigquit sigquit;
	/* PERCH_FOLLOW: on: while the program runs, its processors follow the CPUs that
	 * the process may use, within a second: the affinity mask of its main pthread
	 * (taskset -p), CPUs that go off and on, the cpuset, and, when procs is not
	 * set, the CPU quota. There are never more than at the start, or than
	 * perch_set_procs() asked for, when one of those numbers was set. off: they
	 * stay as they are. A program that pins its main pthread after it has started
	 * the runtime, and does not mean the others, wants off. */
	enum perch_follow follow;
	/* PERCH_STATS: 1 prints what was in force and what happened to stderr
	 * when the runtime stops. */
	uint32_t stats;
	/* PERCH_STEAL: near-first, flat, node-only, none. */
	enum perch_steal steal;
};

#define PERCH_CONFIG_INIT                                                                                              \
	{                                                                                                              \
		0, 0, PERCH_HANDOFF_AUTO, 0, 0, PERCH_GUARD_AUTO, PERCH_RSEQ_AUTO, 0, PERCH_DEADLOCK_AUTO,             \
			PERCH_SIGQUIT_AUTO, PERCH_FOLLOW_AUTO, 0, PERCH_STEAL_AUTO                                     \
	}

/* Bounds of a stack, in bytes of reserved addresses. */
#define PERCH_STACK_MIN ((size_t)16 << 10)
#define PERCH_STACK_MAX ((size_t)1 << 30)

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
