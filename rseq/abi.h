/* SPDX-License-Identifier: MIT */
/*
 * abi.h - what the kernel and glibc agree on about rseq and membarrier, for
 * headers that are older than what we run on.
 */
#ifndef PERCH_RSEQ_ABI_H
#define PERCH_RSEQ_ABI_H

#include <stddef.h>
#include <stdint.h>

/* The kernel's struct rseq, the fields of Linux 6.3. Only rseq_cs may be
 * written from user space: from Linux 7.0 on, writing another one can kill
 * the process. */
struct rseq_area {
	uint32_t cpu_id_start;
	uint32_t cpu_id; /* >= 2^31: not registered */
	uint64_t rseq_cs;
	uint32_t flags;
	uint32_t node_id;
	uint32_t mm_cid;
	uint32_t pad;
} __attribute__((aligned(32)));

/* Exported by glibc 2.35 and later; weak, so that an older one still links. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif

enum {
	MEMBARRIER_QUERY = 0,
	MEMBARRIER_RSEQ = 1 << 7,          /* PRIVATE_EXPEDITED_RSEQ, Linux 5.10 */
	MEMBARRIER_RSEQ_REGISTER = 1 << 8, /* REGISTER_PRIVATE_EXPEDITED_RSEQ */
	MEMBARRIER_FLAG_CPU = 1 << 0,
};

#endif
