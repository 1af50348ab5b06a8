/* SPDX-License-Identifier: MIT */
/* trim.c - objects' memory given back to the kernel, by ticks or at once; and what is counted. */
#include <string.h>

#include "core/alloc/cache.h"
#include "core/alloc/large.h"
#include "core/thread/trim.h"

/* So many magazines are parked before whoever does it looks at its other work. */
#define TRIM_MOST 32

typedef bool each_t(struct depot *d, void *arg);

/* Until one says false. */
static bool each_depot(each_t *fn, void *arg)
{
	for (uint32_t g = 0; g < POOL_GROUPS; g++)
		for (unsigned c = 0; c < CLASSES; c++) {
			struct depot *d = depot_if_any(c, g);

			if (!d)
				break;
			if (!fn(d, arg))
				return false;
		}
	return true;
}

static bool is_not_warm(struct depot *d, void *arg)
{
	(void)arg;
	return !depot_is_warm(d);
}

static bool cool(struct depot *d, void *budget)
{
	return depot_cool(d, budget);
}

static bool tick(struct depot *d, void *more)
{
	*(bool *)more |= depot_tick(d);
	return true;
}

bool cache_to_trim(void)
{
	return !each_depot(is_not_warm, NULL);
}

uint64_t cache_trim(void)
{
	unsigned budget = TRIM_MOST;
	bool more = false;
	uint64_t wait = 0;

	/* who trims at once takes long, and does all of this */
	if (!cache_admin_try())
		return TRIM_TICK_NS;
	if (each_depot(cool, &budget)) {
		each_depot(tick, &more);
		wait = more ? TRIM_TICK_NS : UINT64_MAX;
	}
	cache_admin_unlock();
	return wait;
}

static bool cool_all(struct depot *d, void *arg)
{
	/* what is old, then what is recent */
	for (int i = 0; i < 2; i++) {
		unsigned budget = UINT32_MAX;

		depot_cool(d, &budget);
		if (!i)
			depot_tick(d);
	}
	(void)arg;
	return true;
}

static bool add_returned(struct depot *d, void *sum)
{
	pthread_mutex_lock(d->lock);
	*(uint64_t *)sum += d->returned;
	pthread_mutex_unlock(d->lock);
	return true;
}

static uint64_t returned(void)
{
	uint64_t sum = 0;

	each_depot(add_returned, &sum);
	return sum;
}

size_t cache_trim_all(void)
{
	uint64_t before;

	cache_empty();
	cache_admin_lock();
	before = returned();
	each_depot(cool_all, NULL);
	before = returned() - before;
	cache_admin_unlock();
	return before;
}

static bool add_counts(struct depot *d, void *arg)
{
	struct cache_counts *out = arg;

	pthread_mutex_lock(d->lock);
	out->free += d->free * class_size(d->class);
	out->returned += d->returned;
	out->refills += d->refills;
	out->flushes += d->flushes;
	pthread_mutex_unlock(d->lock);
	return true;
}

void cache_count(struct cache_counts *out)
{
	memset(out, 0, sizeof(*out));
	each_depot(add_counts, out);
	large_count(&out->large, &out->large_bytes);
	out->taken = range_taken();
	out->sent_home = cache_sent_home();
}
