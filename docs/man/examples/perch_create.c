/* SPDX-License-Identifier: MIT */
#include <perch/perch.h>
#include <stdio.h>

static void *square(void *arg)
{
	perch_yield(); /* let the others begin */
	return (void *)((long)arg * (long)arg);
}

int main(void)
{
	enum { N = 1000 };
	static perch_t t[N];
	perch_attr_t attr;
	void *result;
	long sum = 0;

	if (perch_start(NULL))
		return 1;
	perch_attr_init(&attr);
	perch_attr_setname(&attr, "square");
	perch_attr_setstacksize(&attr, PERCH_STACK_MIN);
	for (long i = 0; i < N; i++)
		if (perch_create(&t[i], &attr, square, (void *)i))
			return 1;
	perch_attr_destroy(&attr);
	for (long i = 0; i < N; i++) {
		if (perch_join(t[i], &result))
			return 1;
		sum += (long)result;
	}
	printf("%ld\n", sum);
	return perch_stop() || sum != 332833500;
}
