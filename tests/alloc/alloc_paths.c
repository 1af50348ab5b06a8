/* SPDX-License-Identifier: MIT */
/* alloc_paths.c - the two calls as alloc.c has them, compiled with -O2 for machine_code_test.sh to read. */
#include "core/alloc/cache.h"

__attribute__((__used__, __noinline__)) void *path_alloc(size_t size)
{
	return cache_alloc(size);
}

__attribute__((__used__, __noinline__)) void path_free(void *p)
{
	cache_free(p);
}

int main(void)
{
	return 0;
}
