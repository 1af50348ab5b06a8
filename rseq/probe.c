/* SPDX-License-Identifier: MIT */
#include "rseq/probe.h"

#include <sys/auxv.h>

#include "rseq/abi.h"
#include "rseq/barrier.h"
#include "rseq/sanitizer.h"

struct probe probe_rseq(void)
{
	struct probe p = {.sections = false, .feature_size = (unsigned)getauxval(AT_RSEQ_FEATURE_SIZE)};
	const volatile struct rseq_area *area;

#if SANITIZER_THREAD
	/* it cannot see what assembly orders; the locks it can */
	p.why_not = "built with the thread sanitizer";
	return p;
#endif
	if (!&__rseq_size || !&__rseq_offset) {
		p.why_not = "glibc is older than 2.35";
		return p;
	}
	p.area_size = __rseq_size;
	if (!p.area_size) {
		p.why_not = "glibc did not register rseq (switched off, or refused by the kernel)";
		return p;
	}
	area = (const void *)((const char *)__builtin_thread_pointer() + __rseq_offset);
	if ((int32_t)area->cpu_id < 0) {
		p.why_not = "rseq is not registered for this pthread";
		return p;
	}
	if (barrier_register()) {
		p.why_not = "membarrier(PRIVATE_EXPEDITED_RSEQ) is refused or missing (Linux 5.10 has it)";
		return p;
	}
	p.sections = true;
	return p;
}
