/* SPDX-License-Identifier: MIT */
/*
 * pthread_alloc.c - malloc and free: glibc's, or those of a library that was preloaded. What is
 * measured under a library's name is seen to be of that library.
 */
#include "bench/backend/pthread_alloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/backend/pthread_waits.h"

#define ALLOC_NEW(size) malloc(size)
#define ALLOC_FREE(p) free(p)
#define ALLOC_YIELD() sched_yield()
#include "bench/workload/alloc_bodies.h"

static char why[160];

/* The file that a function is from, without its directory. */
static const char *file_of(const char *function)
{
	Dl_info info;
	const char *slash;

	if (!dladdr(dlsym(RTLD_DEFAULT, function), &info) || !info.dli_fname)
		return "nowhere";
	slash = strrchr(info.dli_fname, '/');
	return slash ? slash + 1 : info.dli_fname;
}

int pthread_malloc_of(const char *library)
{
	if (strncmp(library, "lib", 3) != 0 || !strstr(library, ".so"))
		return -EINVAL;
	if (!strcmp(file_of("malloc"), library) && !strcmp(file_of("free"), library))
		return 0;
	snprintf(why, sizeof(why),
		 "malloc is of %.30s, not of %.30s; with PEERS=1 before ./bazelw it will be installed",
		 file_of("malloc"), library);
	return -ENOTSUP;
}

const char *pthread_malloc_why(void)
{
	return *why ? why : "it is one of glibc, jemalloc, tcmalloc, mimalloc";
}

int pthread_pairs(struct alloc_pairs *a)
{
	alloc_pairs(a);
	return 0;
}

struct end {
	struct alloc_handover *h;
	bool consumes;
	int cpu, cpu_after;
};

static void *handover_end(void *arg)
{
	struct end *end = arg;

	end->cpu = end->h->workers > 1 ? pthread_sit_down(end->consumes) : -1;
	if (end->consumes)
		alloc_consume(end->h);
	else
		alloc_produce(end->h);
	end->cpu_after = sched_getcpu();
	return NULL;
}

int pthread_handover(struct alloc_handover *h)
{
	struct end end[2] = {{.h = h}, {.h = h, .consumes = true}};
	int r = pthread_crew(2, handover_end, end, sizeof(end[0]), &h->ns);

	h->apart = end[0].cpu != end[1].cpu;
	for (int i = 0; i < 2; i++)
		h->apart &= end[i].cpu >= 0 && end[i].cpu == end[i].cpu_after;
	return r;
}

struct replacer {
	struct alloc_larson *l;
	uint64_t me;
};

static void *replace(void *arg)
{
	const struct replacer *replacer = arg;

	alloc_replace(replacer->l, replacer->me);
	return NULL;
}

int pthread_larson(struct alloc_larson *l)
{
	struct replacer replacer[LARSON_THREADS];
	int r;

	for (uint64_t i = 0; i < LARSON_THREADS; i++)
		replacer[i] = (struct replacer){l, i};
	r = pthread_crew(LARSON_THREADS, replace, replacer, sizeof(replacer[0]), &l->ns);
	alloc_empty(l);
	return r;
}
