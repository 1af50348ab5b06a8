/* SPDX-License-Identifier: MIT */
/*
 * locals.h - values of keys, and what else is left to do when a thread ends.
 *
 *	          create/delete   set/get   end
 *	create          L            -       -      (L: the lock of the keys)
 *	set/get         -            X       X      (X: one owner's values are touched
 *	end             -            X       X       by that owner only)
 *
 * A block of values belongs to one thread, and grows with the highest key that
 * it has set. It hangs on the thread's stack. A thread that runs on its joiner's
 * stack has a block of its own on top of the joiner's: whose block lies on top
 * is told by THREAD_LOCALS in the descriptor of who runs there; the joiner, below,
 * cannot look meanwhile. A foreign pthread's hangs on a __thread variable.
 *
 * A key's generation is odd while the key exists; a value carries that of the
 * key that it was set under, all 64 bits, and is seen under no other. The handle has
 * 22 bits of it. Deleting changes the generation first, and a destructor is used
 * only if the generation is the same before and after it was read.
 *
 * Ordering: a key is created before it is used, by whatever passes it on.
 * Progress: get is a few loads; set is the same, or an allocation.
 */
#ifndef PERCH_THREAD_LOCALS_H
#define PERCH_THREAD_LOCALS_H

#include <stdint.h>

#include <perch/local.h>

#include "core/thread/stack.h"
#include "core/thread/thread.h"

struct local_key {
	uint64_t generation;
	void (*destructor)(void *);
};

extern struct local_key local_keys[PERCH_KEYS_MAX];

struct locals {
	struct locals *below;
	uint32_t room;
	struct {
		void *value;
		uint64_t generation;
	} slot[];
};

static inline perch_key_t locals_handle(uint32_t index, uint64_t generation)
{
	return (perch_key_t)((generation + 1) / 2 * PERCH_KEYS_MAX + index);
}

/* b: the caller's own block, or NULL. */
static inline void *locals_get(const struct locals *b, perch_key_t key)
{
	uint32_t i = key % PERCH_KEYS_MAX;
	uint64_t generation;

	if (!b || i >= b->room)
		return NULL;
	generation = __atomic_load_n(&local_keys[i].generation, __ATOMIC_RELAXED);
	return b->slot[i].generation == generation && locals_handle(i, generation) == key ? b->slot[i].value : NULL;
}

/* 0, -EAGAIN, -EINVAL; as perch_key_create() and _delete(). */
int locals_key_create(perch_key_t *key, void (*destructor)(void *));
int locals_key_delete(perch_key_t key);

/* own: the block at *top is the caller's; else, for a value that is not NULL, a
 * new one is put on top of it. 0, -EINVAL (no such key), -ENOMEM. */
int locals_set(struct locals **top, bool own, perch_key_t key, const void *value);
/* Call the destructors, take the block off and free it. They may switch threads,
 * and set values; top must stay valid. */
void locals_destroy(struct locals **top);

/* t, which is the caller and has a flag of THREAD_LEAVES, has come to its end: its
 * values, what was to be called, its pins. May switch threads. */
void locals_end(struct thread *t);

#endif
