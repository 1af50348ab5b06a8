/* SPDX-License-Identifier: MIT */
#include "core/thread/locals.h"

#include <errno.h>
#include <pthread.h>

#include <perch/alloc.h>

#include "rseq/inject.h"

#define ROOM_LEAST 8

struct local_key local_keys[PERCH_KEYS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- keys ---- */

int locals_key_create(perch_key_t *key, void (*destructor)(void *))
{
	int r = -EAGAIN;

	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < PERCH_KEYS_MAX; i++) {
		struct local_key *k = &local_keys[i];

		if (k->generation & 1)
			continue;
		__atomic_store_n(&k->destructor, destructor, __ATOMIC_RELAXED);
		inject();
		__atomic_store_n(&k->generation, k->generation + 1, __ATOMIC_RELEASE);
		*key = locals_handle(i, k->generation);
		r = 0;
		break;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

int locals_key_delete(perch_key_t key)
{
	struct local_key *k = &local_keys[key % PERCH_KEYS_MAX];
	int r = -EINVAL;

	pthread_mutex_lock(&lock);
	if (k->generation & 1 && locals_handle(key % PERCH_KEYS_MAX, k->generation) == key) {
		/* the fence: before the next creation's destructor is there */
		__atomic_store_n(&k->generation, k->generation + 1, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_RELEASE);
		r = 0;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

/* ---- values ---- */

/* A block of the caller's own with room for slot i; NULL: no memory. */
static struct locals *with_room(struct locals **top, bool own, uint32_t i)
{
	struct locals *b = own ? *top : NULL;
	uint32_t had = b ? b->room : 0, room = ROOM_LEAST;

	if (i < had)
		return b;
	while (room <= i)
		room *= 2;
	b = perch_realloc(b, sizeof(*b) + room * sizeof(b->slot[0]));
	if (!b)
		return NULL;
	if (!own)
		b->below = *top;
	for (uint32_t n = had; n < room; n++) {
		b->slot[n].value = NULL;
		b->slot[n].generation = 0;
	}
	b->room = room;
	*top = b;
	return b;
}

int locals_set(struct locals **top, bool own, perch_key_t key, const void *value)
{
	uint32_t i = key % PERCH_KEYS_MAX;
	uint64_t generation = __atomic_load_n(&local_keys[i].generation, __ATOMIC_RELAXED);
	struct locals *b;

	if (!(generation & 1) || locals_handle(i, generation) != key)
		return -EINVAL;
	if (!value && (!own || i >= (*top)->room))
		return 0; /* as it is */
	b = with_room(top, own, i);
	if (!b)
		return -ENOMEM;
	b->slot[i].value = (void *)(uintptr_t)value;
	b->slot[i].generation = generation;
	return 0;
}

/* The destructor of the key that it was set under, if that exists still. */
static void (*destructor_of(uint32_t i, uint64_t generation))(void *)
{
	struct local_key *k = &local_keys[i];
	void (*destructor)(void *);

	if (__atomic_load_n(&k->generation, __ATOMIC_ACQUIRE) != generation)
		return NULL;
	inject();
	destructor = __atomic_load_n(&k->destructor, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&k->generation, __ATOMIC_RELAXED) == generation ? destructor : NULL;
}

void locals_destroy(struct locals **top)
{
	struct locals *b;
	bool again = true;

	for (int n = 0; n < PERCH_DESTRUCTOR_ITERATIONS && again; n++) {
		again = false;
		/* a destructor may have moved the block */
		for (uint32_t i = 0; i < (*top)->room; i++) {
			void (*destructor)(void *), *value = (*top)->slot[i].value;

			if (!value)
				continue;
			(*top)->slot[i].value = NULL;
			destructor = destructor_of(i, (*top)->slot[i].generation);
			if (!destructor)
				continue;
			destructor(value);
			again = true;
		}
	}
	b = *top;
	*top = b->below;
	perch_free(b);
}

void locals_end(struct thread *t)
{
	struct stack *s = t->stack;

	if (t->flags & THREAD_LOCALS) {
		locals_destroy(&s->locals);
		thread_clear_flag(t, THREAD_LOCALS);
	}
	if (t->flags & THREAD_AT_END) {
		thread_clear_flag(t, THREAD_AT_END);
		s->at_end(s->at_end_arg);
	}
	/* what a joiner has pinned that waits for t on this stack stays so */
	s->pins = s->pins_below;
	thread_clear_flag(t, THREAD_PINNED);
}
