/* SPDX-License-Identifier: MIT */
/* two_nodes.h - this machine's CPUs described as two nodes. */
#ifndef PERCH_TESTS_CORE_TWO_NODES_H
#define PERCH_TESTS_CORE_TWO_NODES_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/harness/harness.h"

/* Node 0 has every other CPU that we may use, node 5 the rest. Skips the test when
 * there is one CPU only. */
static inline void describe_two_nodes(void)
{
	char list[2][2048] = {"", ""}, text[5000];
	size_t used[2] = {0, 0};
	cpu_set_t set;
	int n = 0;

	ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int half = n % 2;

		if (!CPU_ISSET(cpu, &set))
			continue;
		n++;
		used[half] += (size_t)snprintf(list[half] + used[half], sizeof(list[half]) - used[half], "%s%d",
					       used[half] ? "," : "", cpu);
		ASSERT_LT(used[half], sizeof(list[half]));
	}
	if (n < 2)
		SKIP("one CPU only");
	snprintf(text, sizeof(text), "node0=%s node5=%s distance=10,30/40,10", list[0], list[1]);
	setenv("PERCH_TOPOLOGY", text, 1);
}

#endif
