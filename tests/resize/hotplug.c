/* SPDX-License-Identifier: MIT */
#include "tests/resize/hotplug.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/harness.h"

int hotplug_times(void)
{
	const char *times = getenv("PERCH_TEST_HOTPLUG");

	if (!times || atoi(times) <= 0)
		SKIP("PERCH_TEST_HOTPLUG says how often CPUs are to go off; not on a machine that others use");
	return atoi(times);
}

bool hotplug_switch(int cpu, bool on)
{
	char path[64], was = 0;
	int fd;
	bool done;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false; /* the first one mostly cannot go */
	done = read(fd, &was, 1) == 1 && was == (on ? '0' : '1') && pwrite(fd, on ? "1" : "0", 1, 0) == 1;
	close(fd);
	return done;
}

unsigned hotplug_online(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 0;
}

void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}
