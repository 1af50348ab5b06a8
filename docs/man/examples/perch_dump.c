/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static perch_event_t never = PERCH_EVENT_INIT;
static int reports;

/* Called when the report has been written, instead of exit(86). */
static void resolve(void *arg)
{
	__atomic_fetch_add(&reports, 1, __ATOMIC_RELAXED);
	perch_event_set(arg);
}

static void *first(void *arg)
{
	perch_dump(2);            /* what there is, on stderr */
	perch_event_wait(&never); /* which nobody will set */
	return arg;
}

int main(void)
{
	struct perch_config config = PERCH_CONFIG_INIT;
	void *good = NULL;

	/* even beside pthreads that are none of ours */
	config.deadlock = PERCH_DEADLOCK_REPORT;
	perch_deadlock_handler(resolve, &never);
	if (perch_run(&config, first, "", &good))
		return 1;
	printf("%d deadlock, resolved\n", reports);
	return reports != 1 || !good;
}
