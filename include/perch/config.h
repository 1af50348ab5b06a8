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

/*
 * Settings of the runtime. Zero in any field means "the default". A field
 * that is zero is taken from its environment variable, when that is set.
 * A bad value is -EINVAL from perch_start(), with a line on stderr that names
 * the field or variable and the value; nothing has been started then.
 */
struct perch_config {
	/* PERCH_PROCS: processors, one per CPU; default: every CPU that the
	 * affinity mask and the cpuset allow. More than those: -EINVAL. */
	uint32_t procs;
	/* PERCH_WORKERS: pinned pthreads that run threads; default: one per
	 * processor. A multiple of procs is not required; at most 64 per
	 * processor. */
	uint32_t workers;
	/* PERCH_STACK_SIZE: bytes of address space reserved for a thread's
	 * stack when its attributes do not say; rounded up to a power of two.
	 * Default 64 KiB, least PERCH_STACK_MIN, most PERCH_STACK_MAX. In the
	 * variable a suffix K, M or G is understood. */
	size_t stack_size;
	/* PERCH_GUARD: auto, madvise, mprotect. */
	enum perch_guard guard;
	/* PERCH_RSEQ: auto, on, off. */
	enum perch_rseq_mode rseq;
	/* PERCH_STATS: 1 prints what was in force and what happened to stderr
	 * when the runtime stops. */
	uint32_t stats;
};

#define PERCH_CONFIG_INIT                                                                                              \
	{                                                                                                              \
		0, 0, 0, PERCH_GUARD_AUTO, PERCH_RSEQ_AUTO, 0                                                          \
	}

/* Bounds of a stack, in bytes of reserved addresses. */
#define PERCH_STACK_MIN ((size_t)16 << 10)
#define PERCH_STACK_MAX ((size_t)1 << 30)

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
