/* SPDX-License-Identifier: MIT */
/* probe.h - which of the kernel's features work here, found by trying them. */
#ifndef PERCH_RSEQ_PROBE_H
#define PERCH_RSEQ_PROBE_H

#include <stdbool.h>

struct probe {
	bool sections;         /* restartable sequences can be used */
	const char *why_not;   /* when not: the reason, in words */
	unsigned feature_size; /* what the kernel offers, from the auxiliary vector; 0: unknown */
	unsigned area_size;    /* what glibc registered */
};

/*
 * probe_rseq - try rseq and its membarrier.
 * Sections need both: without the barrier neither a forced reveal nor the
 * sleeper's last look would be right, so then the locks are used.
 */
struct probe probe_rseq(void);

#endif
