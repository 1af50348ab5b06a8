/* SPDX-License-Identifier: MIT */
/* perch_blocks.c - calls that block, marked (perch/block.h) and not; loops that do not end. */
#include "bench/backend/perch_blocks.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/backend/perch_waits.h"
#include "bench/workload/measure.h"

int perch_bench_calls(struct calls *c)
{
	uint64_t start = now_ns(), x = c->x;

	for (size_t i = 0; i < c->n; i++) {
		perch_block_begin();
		x = step(x);
		perch_block_end();
	}
	c->x = x;
	c->ns = now_ns() - start;
	c->marked = true;
	return 0;
}

struct other {
	struct baton *b;
	size_t i;
};

static void *other_main(void *arg)
{
	const struct other *o = arg;

	baton_take(o->b, o->i, perch_yield);
	return NULL;
}

int perch_bench_baton(struct baton *b)
{
	int r = 0;

	for (size_t i = 0; i < b->n && !r; i++) {
		struct other other = {b, i};
		perch_t t;

		baton_pause(b, perch_yield);
		r = perch_create(&t, NULL, other_main, &other);
		if (r)
			break;
		baton_block(b, i, b->marked ? perch_block_begin : NULL, b->marked ? perch_block_end : NULL);
		r = perch_join(t, NULL);
	}
	return r;
}

static void *step_on(void *arg)
{
	stepper_run(arg, perch_yield);
	return NULL;
}

static void *read_on(void *arg)
{
	struct reader *r = arg;
	bool marked = r->beside->marked;

	reader_read(r, marked ? perch_block_begin : NULL, marked ? perch_block_end : NULL);
	return NULL;
}

/* Each on a CPU of its own, as one of them must be where another worker than that of the first steals it. */
static bool loops_apart(const struct beside *b)
{
	for (size_t i = 0; i < b->loops; i++) {
		while (!loop_turns(&b->loop[i]))
			perch_yield();
		for (size_t j = 0; j < i; j++)
			if (b->loop[i].cpu == b->loop[j].cpu)
				return false;
	}
	return true;
}

static int loops_end(struct beside *b, const perch_t *t, size_t made)
{
	__atomic_store_n(&b->over, true, __ATOMIC_RELAXED);
	return join_all(t, made);
}

#define TRIES 100

static int loops_begin(struct beside *b, perch_t *t)
{
	int r = 0;

	for (int i = 0; i < TRIES && !r; i++) {
		size_t made = 0;

		for (size_t l = 0; l < b->loops; l++)
			b->loop[l].turns = 0;
		b->over = false;
		r = start_all(t, &made, b->loops, loop_main, b->loop, sizeof(b->loop[0]));
		if (!r && loops_apart(b))
			return 0;
		loops_end(b, t, made);
	}
	return r ? r : -EAGAIN;
}

int perch_bench_beside(struct beside *b)
{
	size_t all = b->loops + b->readers + b->steppers, readers = 0, steppers = 0;
	perch_t *loop = calloc(all, sizeof(*loop)), *reader = loop + b->loops, *stepper = reader + b->readers;
	int r, failed;

	if (!loop)
		return -ENOMEM;
	r = loops_begin(b, loop);
	if (r) {
		free(loop);
		return r;
	}
	beside_begin(b);
	r = start_all(reader, &readers, b->readers, read_on, b->reader, sizeof(b->reader[0]));
	if (!r)
		r = start_all(stepper, &steppers, b->steppers, step_on, b->stepper, sizeof(b->stepper[0]));
	failed = join_all(stepper, steppers);
	beside_end(b);
	readers_release(b);
	r = r ? r : failed;
	failed = join_all(reader, readers);
	r = r ? r : failed;
	failed = loops_end(b, loop, b->loops);
	free(loop);
	return r ? r : failed;
}
