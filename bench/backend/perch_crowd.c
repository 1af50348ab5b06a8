/* SPDX-License-Identifier: MIT */
#include "bench/backend/perch_crowd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <perch/perch.h>

#include "bench/workload/measure.h"

static void *plus_one(void *arg)
{
	return (char *)arg + 1;
}

/* Handles, touched before anything is counted. */
static perch_t *new_handles(size_t n)
{
	perch_t *t = malloc(n * sizeof(*t));

	if (t)
		memset(t, 1, n * sizeof(*t));
	return t;
}

/* How many of the joined returned their argument + 1. */
static size_t join_all(const perch_t *t, size_t n)
{
	size_t right = 0;

	for (size_t i = 0; i < n; i++) {
		void *result;

		if (!perch_join(t[i], &result))
			right += result == (void *)(i + 1);
	}
	return right;
}

size_t perch_flat(size_t n)
{
	/* kept from run to run: its page faults are not the threads' */
	static perch_t *t;
	static size_t room;
	size_t made = 0;

	if (room < n) {
		free(t);
		t = new_handles(n);
		room = t ? n : 0;
	}
	while (made < room && made < n && !perch_create(&t[made], NULL, plus_one, (void *)made))
		made++;
	return join_all(t, made);
}

/* On one worker, so plain words will do. Strict turns: neither may be ahead by more than one. */
static struct {
	size_t each, turns[2];
	bool out_of_turn;
} pair;

static void *yielder(void *arg)
{
	size_t me = (size_t)arg;
	volatile size_t *mine = &pair.turns[me], *other = &pair.turns[!me];

	while (*mine < pair.each) {
		*mine += 1;
		if (*mine > *other + 1)
			pair.out_of_turn = true;
		perch_yield();
	}
	return NULL;
}

uint64_t perch_yield_pair(size_t n, uint64_t *ns)
{
	struct perch_stats before, after;
	uint64_t start;
	perch_t t[2];
	int made = 0;

	memset(&pair, 0, sizeof(pair));
	pair.each = n / 2;
	if (perch_stats_get(&before))
		return 0;
	start = now_ns();
	while (made < 2 && !perch_create(&t[made], NULL, yielder, (void *)(size_t)made))
		made++;
	for (int i = 0; i < made; i++)
		perch_join(t[i], NULL);
	*ns = now_ns() - start;
	if (made < 2 || perch_stats_get(&after) || pair.out_of_turn)
		return 0;
	return after.yields - before.yields + 2 >= pair.each * 2 ? pair.each * 2 : 0;
}

static size_t started;

static void *note_start(void *arg)
{
	started++; /* one worker */
	return (char *)arg + 1;
}

int perch_spawned(struct crowd *c)
{
	perch_t *t = new_handles(c->asked);
	size_t early;
	uint64_t start;
	int r;

	if (!t)
		return -ENOMEM;
	started = 0;
	r = c->read(&c->before);
	start = now_ns();
	while (c->made < c->asked && !perch_create(&t[c->made], NULL, note_start, (void *)c->made))
		c->made++;
	c->ns = now_ns() - start;
	if (!r)
		r = c->read(&c->peak);
	early = started; /* those that had begun were not "spawned, not started" */
	c->right = join_all(t, c->made);
	c->right -= early < c->right ? early : c->right;
	free(t);
	return r;
}

static struct {
	perch_waitgroup_t gate;
	size_t arrived;
} park;

static void *parker(void *arg)
{
	park.arrived++;
	if (perch_waitgroup_wait(&park.gate))
		return NULL;
	return (char *)arg + 1;
}

int perch_parked(struct crowd *c)
{
	perch_t *t = new_handles(c->asked);
	struct perch_stats before, after;
	uint64_t start;
	int r;

	if (!t)
		return -ENOMEM;
	perch_waitgroup_init(&park.gate);
	perch_waitgroup_add(&park.gate, 1);
	park.arrived = 0;
	perch_stats_get(&before);
	r = c->read(&c->before);
	start = now_ns();
	while (c->made < c->asked && !perch_create(&t[c->made], NULL, parker, (void *)c->made))
		c->made++;
	while (park.arrived < c->made)
		perch_yield();
	c->ns = now_ns() - start;
	perch_stats_get(&after);
	if (!r)
		r = c->read(&c->peak);
	start = now_ns();
	perch_waitgroup_done(&park.gate);
	c->right = join_all(t, c->made);
	c->release_ns = now_ns() - start;
	/* all that arrived sleep: on one worker, each ran on until it parked */
	if (after.parks - before.parks < c->made)
		c->right = 0;
	perch_waitgroup_destroy(&park.gate);
	free(t);
	return r;
}
