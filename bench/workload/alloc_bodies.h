/* SPDX-License-Identifier: MIT */
/*
 * alloc_bodies.h - what the threads of the workload `alloc` run. Included by a backend, with
 *	ALLOC_NEW(size)  a new object, or NULL
 *	ALLOC_FREE(p)    its end
 *	ALLOC_YIELD()    let another thread run
 * so that the calls are direct ones.
 */
#include <string.h>

#include "bench/workload/alloc.h"
#include "bench/workload/random.h"

/* Looks at the ring before another thread is let run. */
#define ALLOC_SPINS 200
/* Objects after which a thread of larson lets another run, where there are more than workers. */
#define ALLOC_TURN 4096

/* The compiler must believe that the object goes elsewhere, lest it leave out both calls. */
#define ALLOC_HIDE(p) __asm__ volatile("" : : "r"(p) : "memory")

static void alloc_pairs(struct alloc_pairs *a)
{
	uint64_t sum = 0;

	for (uint64_t i = 1; i <= a->n; i++) {
		uint64_t *object = ALLOC_NEW(a->size);

		if (!object)
			break; /* found to be wrong */
		*object = i;
		ALLOC_HIDE(object);
		sum += *object;
		ALLOC_FREE(object);
	}
	a->sum = sum;
}

/* Until *word has come to `least`. */
static void alloc_await(const uint64_t *word, uint64_t least)
{
	for (unsigned spins = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) < least;)
		if (++spins % ALLOC_SPINS == 0)
			ALLOC_YIELD();
}

static uint64_t *alloc_message(uint64_t number)
{
	uint64_t *object = ALLOC_NEW(HANDOVER_WORDS * sizeof(*object));

	for (unsigned w = 0; object && w < HANDOVER_WORDS; w++)
		object[w] = number + w;
	return object;
}

static void alloc_produce(struct alloc_handover *h)
{
	for (uint64_t i = 0; i < h->n; i += HANDOVER_BATCH) {
		if (i + HANDOVER_BATCH > HANDOVER_RING)
			alloc_await(&h->taken, i + HANDOVER_BATCH - HANDOVER_RING);
		for (uint64_t j = i; j < i + HANDOVER_BATCH; j++)
			h->ring[j % HANDOVER_RING] = alloc_message(j);
		__atomic_store_n(&h->sent, i + HANDOVER_BATCH, __ATOMIC_RELEASE);
	}
}

static void alloc_consume(struct alloc_handover *h)
{
	uint64_t right = 0;

	for (uint64_t i = 0; i < h->n; i += HANDOVER_BATCH) {
		alloc_await(&h->sent, i + HANDOVER_BATCH);
		for (uint64_t j = i; j < i + HANDOVER_BATCH; j++) {
			uint64_t *object = h->ring[j % HANDOVER_RING], wrong = 0;

			for (unsigned w = 0; object && w < HANDOVER_WORDS; w++)
				wrong |= object[w] ^ (j + w);
			right += object && !wrong;
			ALLOC_FREE(object);
		}
		__atomic_store_n(&h->taken, i + HANDOVER_BATCH, __ATOMIC_RELEASE);
	}
	h->right = right;
}

/* One object like no other: the thread, and how many it made before. */
static uint64_t alloc_maker(uint64_t thread, uint64_t number)
{
	return thread << 56 | number;
}

/* Its last word; wrong when another object is written over it. */
static uint64_t alloc_mark(const uint64_t *object)
{
	return random_mix((uintptr_t)object ^ object[0] << 48 ^ object[1]);
}

/* @maker: and which of its objects; alloc_maker() */
static uint64_t *alloc_marked(uint64_t random, uint64_t maker)
{
	/* sizes by their logarithm: each power of two as often */
	uint64_t most = UINT64_C(32) << (random % 8);
	uint64_t size = most - (random >> 8) % (most / 2);
	uint64_t words = (size < LARSON_LEAST ? LARSON_LEAST : size) / sizeof(uint64_t);
	uint64_t *object = ALLOC_NEW(words * sizeof(*object));

	if (!object)
		return NULL;
	object[0] = words;
	object[1] = maker;
	object[words - 1] = alloc_mark(object);
	return object;
}

struct alloc_tally {
	uint64_t right, made_by_others, failed, sum;
};

static void alloc_drop(uint64_t *object, uint64_t me, struct alloc_tally *t)
{
	if (!object)
		return;
	if (object[0] > 2 && object[0] <= LARSON_MOST / sizeof(*object) &&
	    object[object[0] - 1] == alloc_mark(object)) {
		t->right++;
		t->sum -= random_mix(object[1]);
		t->made_by_others += object[1] >> 56 != me;
	}
	ALLOC_FREE(object);
}

/* The thread `me`, of LARSON_THREADS. */
static void alloc_replace(struct alloc_larson *l, uint64_t me)
{
	struct alloc_tally t = {0, 0, 0, 0};
	uint64_t state = me + 1;

	for (size_t i = 0; i < l->each; i++) {
		uint64_t random = random_next(&state);
		uint64_t *object = alloc_marked(random, alloc_maker(me, i));

		if (object)
			t.sum += random_mix(object[1]);
		else
			t.failed++;
		object = __atomic_exchange_n(&l->slot[(random >> 40) % LARSON_SLOTS], object, __ATOMIC_ACQ_REL);
		alloc_drop(object, me, &t);
		if (i % ALLOC_TURN == ALLOC_TURN - 1)
			ALLOC_YIELD();
	}
	__atomic_fetch_add(&l->right, t.right, __ATOMIC_RELAXED);
	__atomic_fetch_add(&l->made_by_others, t.made_by_others, __ATOMIC_RELAXED);
	__atomic_fetch_add(&l->failed, t.failed, __ATOMIC_RELAXED);
	__atomic_fetch_add(&l->sum, t.sum, __ATOMIC_RELAXED);
}

/* After all threads have ended: what is left in the slots. Not timed. */
static void alloc_empty(struct alloc_larson *l)
{
	struct alloc_tally t = {0, 0, 0, 0};

	for (size_t i = 0; i < LARSON_SLOTS; i++) {
		alloc_drop(l->slot[i], LARSON_THREADS, &t);
		l->slot[i] = NULL;
	}
	l->right += t.right;
	l->sum += t.sum;
}
