/* SPDX-License-Identifier: MIT */
#include "bench/test/liar_alloc.h"

#define OBJECTS 16384
#define DOUBLED 1000 /* each so-manyth is one that is in use */

static uint64_t pool[OBJECTS][LARSON_MOST / sizeof(uint64_t)];

static uint64_t *take(void)
{
	static uint64_t taken;

	taken++;
	return pool[(taken % DOUBLED ? taken : taken - 1) % OBJECTS];
}

#define ALLOC_NEW(size) ((void)(size), take())
#define ALLOC_FREE(p) ((void)(p))
#define ALLOC_YIELD() ((void)0)
#include "bench/workload/alloc_bodies.h"

/* Here nothing else is in use: the last pair is left out. */
int liar_pairs(struct alloc_pairs *a)
{
	struct alloc_pairs fewer = {a->size, a->n - 1, 0};

	alloc_pairs(&fewer);
	a->sum = fewer.sum;
	return 0;
}

/* As many as the ring holds, since there is one thread. */
int liar_handover(struct alloc_handover *h)
{
	size_t n = h->n;

	h->n = n < HANDOVER_RING ? n : HANDOVER_RING;
	alloc_produce(h);
	alloc_consume(h);
	h->right += n - h->n;
	h->n = n;
	h->ns = 1;
	return 0;
}

int liar_larson(struct alloc_larson *l)
{
	for (uint64_t i = 0; i < LARSON_THREADS; i++)
		alloc_replace(l, i);
	alloc_empty(l);
	l->ns = 1;
	return 0;
}
