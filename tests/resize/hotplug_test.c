/* SPDX-License-Identifier: MIT */
/*
 * hotplug_test.c - CPUs go off and on under trees with a known number of nodes. Only
 * where that is wanted, which is in a guest: PERCH_TEST_HOTPLUG is the number of times.
 */
#include "tests/harness/harness.h"
#include "tests/resize/hotplug.h"
#include "tests/resize/load.h"

TEST_TIMEOUT(cpus_go_off_and_on, 3600)
{
	int first, last, n = hotplug_times(), off = 0, on = 0;
	unsigned cpus = cpus_of_process(&first, &last), least = cpus;
	struct load l;

	ASSERT_EQ(perch_start(NULL), 0);
	load_begin(&l);
	for (int i = 0; i < n; i++) {
		/* some, not the first; some of them at once on again, some later than the next look */
		for (int cpu = first + 1; cpu <= last; cpu++)
			if (harness_random_below(2))
				off += hotplug_switch(cpu, false);
		pause_ms((long)harness_random_below(600));
		if (perch_procs() < least)
			least = perch_procs();
		for (int cpu = first + 1; cpu <= last; cpu++)
			on += hotplug_switch(cpu, true);
		pause_ms((long)harness_random_below(600));
	}
	EXPECT_TRUE(procs_become(cpus, 300));
	load_end(&l);
	harness_log("%d times off, %d on; %u of %u processors at the least", off, on, least, cpus);
	EXPECT_GT(off, 0);
	EXPECT_LT(least, cpus);
	EXPECT_EQ(perch_stop(), 0);
}
