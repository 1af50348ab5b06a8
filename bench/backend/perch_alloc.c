/* SPDX-License-Identifier: MIT */
/* perch_alloc.c - objects by perch_alloc and perch_free, from perch threads. */
#include "bench/backend/perch_alloc.h"

#include <errno.h>
#include <unistd.h>

#include "bench/backend/perch_waits.h"
#include "bench/workload/measure.h"

#if __has_include(<perch/alloc.h>)
#include <perch/alloc.h>

#define ALLOC_NEW(size) perch_alloc(size)
#define ALLOC_FREE(p) perch_free(p)
#define ALLOC_YIELD() perch_yield()
#include "bench/workload/alloc_bodies.h"

/* The other worker may have to force its way into this one's queue. */
#define MEET_NS UINT64_C(10000000000)

int perch_bench_pairs(struct alloc_pairs *a)
{
	alloc_pairs(a);
	return 0;
}

struct meeting {
	struct alloc_handover *h;
	pid_t where[2];
	bool stayed[2];
	uint64_t begin_ns;
};

struct end {
	struct meeting *meeting;
	unsigned me; /* 0 produces, 1 consumes */
};

/* With two workers each is pinned to one; who was first keeps its worker until the other has
 * begun, which can only be on another. */
static void meet(struct meeting *m, unsigned me)
{
	uint64_t end = now_ns() + MEET_NS;

	if (m->h->workers > 1) {
		m->stayed[me] = perch_pin() == 0;
		__atomic_store_n(&m->where[me], gettid(), __ATOMIC_RELEASE);
		while (!__atomic_load_n(&m->where[!me], __ATOMIC_ACQUIRE) && now_ns() < end)
			;
	}
	if (!me)
		m->begin_ns = now_ns();
}

static void *handover_end(void *arg)
{
	const struct end *end = arg;
	struct meeting *m = end->meeting;

	meet(m, end->me);
	if (end->me)
		alloc_consume(m->h);
	else
		alloc_produce(m->h);
	if (m->h->workers > 1)
		m->stayed[end->me] &= m->where[end->me] == gettid() && !perch_unpin();
	return NULL;
}

int perch_bench_handover(struct alloc_handover *h)
{
	struct meeting m = {.h = h};
	struct end end[2] = {{&m, 0}, {&m, 1}};
	size_t made = 0;
	perch_t t[2];
	int r = start_all(t, &made, 2, handover_end, end, sizeof(end[0])), joined;

	if (made == 1)
		_exit(3); /* the one there waits for the other */
	joined = join_all(t, made);
	h->ns = now_ns() - m.begin_ns;
	h->apart = m.where[0] != m.where[1] && m.stayed[0] && m.stayed[1];
	return r ? r : joined;
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

int perch_bench_larson(struct alloc_larson *l)
{
	struct replacer replacer[LARSON_THREADS];
	perch_t t[LARSON_THREADS];
	uint64_t start = now_ns();
	size_t made = 0;
	int r, joined;

	for (uint64_t i = 0; i < LARSON_THREADS; i++)
		replacer[i] = (struct replacer){l, i};
	r = start_all(t, &made, LARSON_THREADS, replace, replacer, sizeof(replacer[0]));
	joined = join_all(t, made);
	l->ns = now_ns() - start;
	alloc_empty(l);
	return r ? r : joined;
}

#else

int perch_bench_pairs(struct alloc_pairs *a)
{
	(void)a;
	return -ENOTSUP;
}

int perch_bench_handover(struct alloc_handover *h)
{
	(void)h;
	return -ENOTSUP;
}

int perch_bench_larson(struct alloc_larson *l)
{
	(void)l;
	return -ENOTSUP;
}

#endif
