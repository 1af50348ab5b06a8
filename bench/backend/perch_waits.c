/* SPDX-License-Identifier: MIT */
/* perch_waits.c - the mutex: a token handed over by it and a condition, or by channels; and a crowd at it. */
#include "bench/backend/perch_waits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/workload/measure.h"

/* The other worker may have to force its way into this one's queue. */
#define MEET_NS UINT64_C(10000000000)

struct table {
	struct pingpong *p;
	perch_chan_t *to[2];
	perch_mutex_t mutex;
	perch_cond_t cond;
	uint64_t token; /* under the mutex */
	pid_t where[2];
	bool wrong[2], stayed[2], over;
};

struct player {
	struct table *table;
	unsigned me;
};

/*
 * With two workers each player is pinned to one. The first does not let go of its
 * worker before the second has begun, which can only be on another.
 */
static void sit_down(struct table *t, unsigned me)
{
	uint64_t end = now_ns() + MEET_NS;

	if (t->p->workers < 2)
		return;
	t->stayed[me] = perch_pin() == 0;
	__atomic_store_n(&t->where[me], gettid(), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&t->where[!me], __ATOMIC_ACQUIRE) && now_ns() < end)
		;
}

static void stand_up(struct table *t, unsigned me)
{
	if (t->p->workers < 2)
		return;
	t->stayed[me] &= t->where[me] == gettid() && !perch_unpin();
}

static bool play_chan(struct table *t, unsigned me)
{
	bool wrong = false;
	uint64_t token = 0;

	for (uint64_t i = 0; i < t->p->n; i++) {
		if (me || i) {
			wrong |= perch_chan_recv(t->to[me], &token) != 1;
			wrong |= token != 2 * i + me;
		}
		token++;
		wrong |= perch_chan_send(t->to[!me], &token) != 0;
	}
	if (!me) {
		wrong |= perch_chan_recv(t->to[0], &token) != 1;
		t->token = token;
	}
	return wrong;
}

static bool play_cond(struct table *t, unsigned me)
{
	bool wrong = false;

	for (uint64_t i = 0; i < t->p->n; i++) {
		perch_mutex_lock(&t->mutex);
		while ((t->token & 1) != me)
			perch_cond_wait(&t->cond, &t->mutex);
		wrong |= t->token++ != 2 * i + me;
		perch_cond_signal(&t->cond);
		perch_mutex_unlock(&t->mutex);
	}
	return wrong;
}

/* Not pinned: a worker that has none of the two steals one. */
static void *keep_awake(void *arg)
{
	struct table *t = arg;

	while (!__atomic_load_n(&t->over, __ATOMIC_ACQUIRE))
		perch_yield();
	return NULL;
}

static void *play(void *arg)
{
	const struct player *player = arg;
	struct table *t = player->table;
	unsigned me = player->me;
	perch_t yielder = 0;
	uint64_t start;

	sit_down(t, me);
	if (t->p->workers > 1)
		t->stayed[me] &= !perch_create(&yielder, NULL, keep_awake, t);
	start = now_ns();
	t->wrong[me] = t->p->cond ? play_cond(t, me) : play_chan(t, me);
	if (!me)
		t->p->ns = now_ns() - start;
	stand_up(t, me);
	if (!me)
		__atomic_store_n(&t->over, true, __ATOMIC_RELEASE);
	if (yielder)
		perch_join(yielder, NULL);
	return NULL;
}

int perch_bench_pingpong(struct pingpong *p)
{
	struct table table = {.p = p, .mutex = PERCH_MUTEX_INIT, .cond = PERCH_COND_INIT};
	struct player player[2] = {{&table, 0}, {&table, 1}};
	size_t made = 0;
	perch_t t[2];
	int r = 0, joined;

	for (int i = 0; i < 2 && !r; i++)
		r = perch_chan_create(&table.to[i], sizeof(uint64_t), 0);
	if (!r)
		r = start_all(t, &made, 2, play, player, sizeof(player[0]));
	if (made == 1)
		exit(3); /* the one there waits for the other */
	joined = join_all(t, made);
	p->token = table.token;
	p->out_of_turn = table.wrong[0] || table.wrong[1];
	p->apart = table.where[0] != table.where[1] && table.stayed[0] && table.stayed[1];
	for (int i = 0; i < 2; i++)
		if (table.to[i])
			perch_chan_destroy(table.to[i]);
	return r ? r : joined;
}

struct crew {
	perch_mutex_t mutex;
	uint64_t count;
	size_t each;
	bool timed;
};

struct locker {
	struct crew *crew;
	uint64_t longest_ns;
};

static void lock_and_look(struct locker *l)
{
	struct crew *crew = l->crew;

	for (size_t i = 0; i < crew->each; i++) {
		uint64_t ns = i % LOCKS_PER_LOOK ? 0 : now_ns();

		perch_mutex_lock(&crew->mutex);
		if (ns) {
			ns = now_ns() - ns;
			l->longest_ns = ns > l->longest_ns ? ns : l->longest_ns;
		}
		crew->count++;
		perch_mutex_unlock(&crew->mutex);
	}
}

static void *lock_all(void *arg)
{
	struct locker *l = arg;
	struct crew *crew = l->crew;

	if (crew->timed) {
		lock_and_look(l);
		return NULL;
	}
	for (size_t i = 0; i < crew->each; i++) {
		perch_mutex_lock(&crew->mutex);
		crew->count++;
		perch_mutex_unlock(&crew->mutex);
	}
	return NULL;
}

int perch_bench_mutex(struct locking *l)
{
	struct crew crew = {.mutex = PERCH_MUTEX_INIT, .each = l->each, .timed = l->timed};
	struct locker locker[l->threads];
	perch_t t[l->threads];
	size_t made = 0;
	uint64_t start;
	int r, joined;

	for (size_t i = 0; i < l->threads; i++)
		locker[i] = (struct locker){&crew, 0};
	start = now_ns();
	r = start_all(t, &made, l->threads, lock_all, locker, sizeof(locker[0]));
	joined = join_all(t, made);
	l->ns = now_ns() - start;
	l->count = crew.count;
	l->longest_wait_ns = 0;
	for (size_t i = 0; i < l->threads; i++)
		if (locker[i].longest_ns > l->longest_wait_ns)
			l->longest_wait_ns = locker[i].longest_ns;
	return r ? r : joined;
}
