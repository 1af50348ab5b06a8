/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>

static perch_event_t go = PERCH_EVENT_INIT;

static void *wait(void *arg)
{
	return perch_event_wait(&go) ? NULL : arg;
}

/* Many threads, then few, and the memory for something else. */
static void *phases(void *arg)
{
	static perch_t t[10000];

	for (int i = 0; i < 10000; i++)
		if (perch_create(&t[i], NULL, wait, arg))
			return NULL;
	perch_event_set(&go);
	for (int i = 0; i < 10000; i++)
		perch_join(t[i], NULL);
	return perch_trim() ? arg : NULL; /* so many bytes */
}

int main(void)
{
	void *status = NULL;
	int done;

	return perch_run(NULL, phases, &done, &status) || status != &done;
}
