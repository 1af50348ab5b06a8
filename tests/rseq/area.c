/* SPDX-License-Identifier: MIT */
#include "tests/rseq/area.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "tests/harness/harness.h"

static cpu_set_t allowed;
static bool known;

int area_cpus(int *cpus, int max)
{
	int n = 0;

	if (!known) {
		ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
		known = true;
	}
	for (int i = 0; i < CPU_SETSIZE && n < max; i++)
		if (CPU_ISSET(i, &allowed))
			cpus[n++] = i;
	return n;
}

void area_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

struct probe area_start(void)
{
	struct probe p = probe_rseq();
	int cpus[CPU_SETSIZE];
	int n = area_cpus(cpus, CPU_SETSIZE);

	ASSERT_EQ(percpu_start(cpus[n - 1] + 1, p.sections), 0);
	return p;
}

void area_begin_at(struct percpu *a, uint32_t ring, uint32_t fair)
{
	a->tail = ring;
	a->split = (uint64_t)(uint16_t)ring << 16 | (uint16_t)ring;
	a->fair_head = a->fair_tail = fair;
}

void area_need_sections(void)
{
	struct probe p = probe_rseq();

	if (!p.sections)
		SKIP("no sections: %s", p.why_not);
}
