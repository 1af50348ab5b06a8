/* SPDX-License-Identifier: MIT */
/*
 * hotplug_test.c - CPUs go off and on under trees with a known number of nodes. Only
 * where that is wanted, which is in a guest: PERCH_TEST_HOTPLUG is the number of times.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/resize/load.h"

static bool switch_cpu(int cpu, bool on)
{
	char path[64];
	int fd;
	bool done;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false; /* the first one mostly cannot go */
	done = write(fd, on ? "1" : "0", 1) == 1;
	close(fd);
	return done;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

TEST_TIMEOUT(cpus_go_off_and_on, 3600)
{
	const char *times = getenv("PERCH_TEST_HOTPLUG");
	int first, last, n = times ? atoi(times) : 0, off = 0, on = 0;
	unsigned cpus = cpus_of_process(&first, &last), least = cpus;
	struct load l;

	if (!n)
		SKIP("PERCH_TEST_HOTPLUG says how often CPUs are to go off; not on a machine that others use");
	ASSERT_EQ(perch_start(NULL), 0);
	load_begin(&l);
	for (int i = 0; i < n; i++) {
		/* some, not the first; some of them at once on again, some later than the next look */
		for (int cpu = first + 1; cpu <= last; cpu++)
			if (harness_random_below(2))
				off += switch_cpu(cpu, false);
		pause_ms((long)harness_random_below(600));
		if (perch_procs() < least)
			least = perch_procs();
		for (int cpu = first + 1; cpu <= last; cpu++)
			if (switch_cpu(cpu, true))
				on++;
		pause_ms((long)harness_random_below(600));
	}
	EXPECT_TRUE(procs_become(cpus, 30));
	load_end(&l);
	harness_log("%d times off, %d on; %u of %u processors at the least", off, on, least, cpus);
	EXPECT_GT(off, 0);
	EXPECT_LT(least, cpus);
	EXPECT_EQ(perch_stop(), 0);
}
