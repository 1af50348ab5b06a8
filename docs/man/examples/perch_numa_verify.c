/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>
#include <string.h>

static void *deep(void *arg)
{
	char some[20000];

	memset(some, 1, sizeof(some));
	perch_sleep(1000000);
	return some[(size_t)arg] ? arg : NULL;
}

int main(void)
{
	static const char *const what[] = {"areas", "queues", "descriptors", "stacks"};
	struct perch_numa_pages pages;
	perch_t t[100];

	if (perch_start(NULL))
		return 1;
	for (size_t i = 0; i < 100; i++)
		if (perch_create(&t[i], NULL, deep, (void *)i))
			return 1;
	for (int i = 0; i < 100; i++)
		perch_join(t[i], NULL);
	if (perch_numa_verify(&pages))
		return 1;
	printf("%u nodes with memory%s %s\n", pages.nodes, pages.bound ? ", bound" : "", pages.note);
	for (int k = 0; pages.nodes > 1 && k < PERCH_NUMA_KINDS; k++)
		printf("%s: %llu pages, and %llu elsewhere\n", what[k], (unsigned long long)pages.placed[k],
		       (unsigned long long)pages.misplaced[k]);
	return perch_stop() ? 1 : 0;
}
