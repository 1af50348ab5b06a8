/* SPDX-License-Identifier: MIT */
/* dlclose.c LIBRARY - loads libperch, uses it, closes it, three times, the last time while workers run. */
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>

#include <perch/perch.h>

static void *same(void *arg)
{
	return arg;
}

static int use(void *lib, int last)
{
	int (*start)(const struct perch_config *), (*stop)(void), (*join)(perch_t, void **);
	int (*create)(perch_t *, const perch_attr_t *, void *(*)(void *), void *);
	void *result;
	perch_t t;

	*(void **)&start = dlsym(lib, "perch_start");
	*(void **)&stop = dlsym(lib, "perch_stop");
	*(void **)&create = dlsym(lib, "perch_create");
	*(void **)&join = dlsym(lib, "perch_join");
	if (!start || !stop || !create || !join || start(NULL))
		return 1;
	for (int i = 0; i < 1000; i++)
		if (create(&t, NULL, same, &t) || join(t, &result) || result != &t)
			return 1;
	return last ? 0 : stop() != 0;
}

int main(int argc, char **argv)
{
	struct timespec begin, now;

	for (int i = 0; i < 3; i++) {
		void *lib = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;

		if (!lib) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
		if (use(lib, i == 2) || dlclose(lib))
			return 1;
	}
	/* and the kernel, when it preempts us, looks at the section that was entered last */
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		nanosleep(&(struct timespec){0, 1000}, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec < 2);
	return 0;
}
