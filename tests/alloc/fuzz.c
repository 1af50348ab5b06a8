/* SPDX-License-Identifier: MIT */
#include "tests/alloc/fuzz.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <perch/perch.h>

#include "core/sched/sched.h"
#include "rseq/ring.h"
#include "tests/harness/harness.h"

/*
 * The model: a slot holds nothing, or an object of which the slot says all that must be true of it. Who takes
 * it out owns both. Two objects that share a byte would show, as each byte depends on the seed.
 */
struct model {
	unsigned char *p;
	size_t size;
	uint64_t seed;
	unsigned maker;
};

#define SLOTS 1024
#define WRITTEN_MOST 512 /* bytes at each end */

static struct model *slot[SLOTS];
static struct {
	uint64_t left, objects, foreign, moved;
	uint32_t running;
} all;

static unsigned char byte_of(const struct model *m, size_t i)
{
	return (unsigned char)((m->seed >> (i % 7 * 8)) + i);
}

static bool looked_at(const struct model *m, size_t i)
{
	return i < WRITTEN_MOST || i + WRITTEN_MOST >= m->size;
}

static size_t next_at(const struct model *m, size_t i)
{
	return looked_at(m, i + 1) ? i + 1 : m->size - WRITTEN_MOST;
}

static void write_from(struct model *m, size_t from)
{
	for (size_t i = from; m->p && i < m->size; i = next_at(m, i))
		m->p[i] = byte_of(m, i);
}

static void check_up_to(const struct model *m, size_t most)
{
	for (size_t i = 0; i < m->size && i < most; i = next_at(m, i))
		ASSERT_EQ(m->p[i], byte_of(m, i));
}

static size_t any_size(void)
{
	uint64_t x = harness_random();

	if (x % 1000 == 0)
		return (size_t)(x >> 20) % 300000;
	if (x % 16 == 0)
		return (size_t)(x >> 20) % 40000;
	return (size_t)(x >> 20) % ((size_t)16 << (x >> 10) % 7);
}

static void make(struct model *m, unsigned me)
{
	size_t alignment = 16;

	m->size = any_size();
	m->seed = harness_random();
	m->maker = me;
	switch (m->seed % 8) {
	case 0:
		m->p = perch_zalloc(m->size);
		for (size_t i = 0; m->p && i < m->size; i = next_at(m, i))
			ASSERT_EQ(m->p[i], 0);
		break;
	case 1:
		alignment = (size_t)1 << (m->seed >> 8) % 14;
		m->p = perch_aligned_alloc(alignment, m->size);
		break;
	default:
		m->p = perch_alloc(m->size);
	}
	ASSERT_NE(m->p, NULL);
	ASSERT_EQ((uintptr_t)m->p % alignment, 0);
	ASSERT_GE(perch_usable_size(m->p), m->size);
	write_from(m, 0);
	__atomic_add_fetch(&all.objects, 1, __ATOMIC_RELAXED);
}

static void resize(struct model *m)
{
	size_t size = any_size(), same = size < m->size ? size : m->size;

	m->p = perch_realloc(m->p, size);
	ASSERT_NE(m->p, NULL);
	/* of a smaller one other bytes count as its ends */
	if (size >= m->size)
		check_up_to(m, same);
	m->size = size;
	write_from(m, 0);
}

static void drop(struct model *m, unsigned me)
{
	check_up_to(m, m->size);
	if (m->maker != me)
		__atomic_add_fetch(&all.foreign, 1, __ATOMIC_RELAXED);
	perch_free(m->p);
	perch_free(m);
}

static void one_operation(unsigned me)
{
	uint64_t x = harness_random();
	struct model *m = NULL, **s = &slot[(x >> 8) % SLOTS];

	if (x % 4 == 0) {
		m = __atomic_exchange_n(s, NULL, __ATOMIC_ACQ_REL);
		if (m) {
			check_up_to(m, m->size);
			resize(m);
		}
	} else {
		m = perch_alloc(sizeof(*m));
		ASSERT_NE(m, NULL);
		make(m, me);
	}
	m = __atomic_exchange_n(s, m, __ATOMIC_ACQ_REL);
	if (m)
		drop(m, me);
}

/* More operations to do: up to 256. */
static unsigned next_share(void)
{
	uint64_t left = __atomic_load_n(&all.left, __ATOMIC_RELAXED), n;

	do
		n = left < 256 ? left : 256;
	while (n &&
	       !__atomic_compare_exchange_n(&all.left, &left, left - n, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return (unsigned)n;
}

static void *by_thread(void *number)
{
	unsigned me = (unsigned)(uintptr_t)number;

	for (unsigned n; (n = next_share());) {
		while (n--)
			one_operation(me);
		perch_yield();
	}
	__atomic_sub_fetch(&all.running, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void move_elsewhere(const cpu_set_t *allowed)
{
	int cpu = (int)harness_random_below(CPU_SETSIZE);
	cpu_set_t one;

	while (!CPU_ISSET(cpu, allowed))
		cpu = (cpu + 1) % CPU_SETSIZE;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (!sched_setaffinity(0, sizeof(one), &one))
		__atomic_add_fetch(&all.moved, 1, __ATOMIC_RELAXED);
}

static void *by_pthread(void *number)
{
	unsigned me = (unsigned)(uintptr_t)number;
	cpu_set_t allowed;

	ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for (unsigned n; (n = next_share());) {
		move_elsewhere(&allowed);
		while (n--)
			one_operation(me);
	}
	__atomic_sub_fetch(&all.running, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Meanwhile memory is given back, CPUs go out of use and come back, and areas freeze. */
static void disturb(void)
{
	unsigned procs = perch_procs();

	for (unsigned i = 0; __atomic_load_n(&all.running, __ATOMIC_ACQUIRE); i++) {
		uintptr_t nothing;

		if (i % 8 == 0)
			perch_trim();
		if (i % 50 == 1)
			perch_set_procs(1);
		if (i % 50 == 26)
			perch_set_procs(procs);
		if (i % 3 == 0)
			ring_force(processor_area(sched_set()->processor[i % sched_set()->count]), &nothing, 0);
		usleep(1000);
	}
	perch_set_procs(procs);
}

void fuzz(struct fuzz *f)
{
	perch_t t[f->threads];
	pthread_t p[f->pthreads];

	memset(&all, 0, sizeof(all));
	all.left = f->operations;
	all.running = f->threads + f->pthreads;
	for (uintptr_t i = 0; i < f->threads; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, by_thread, (void *)i), 0);
	for (uintptr_t i = 0; i < f->pthreads; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, by_pthread, (void *)(f->threads + i)), 0);
	disturb();
	for (unsigned i = 0; i < f->threads; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	for (unsigned i = 0; i < f->pthreads; i++)
		pthread_join(p[i], NULL);
	for (unsigned i = 0; i < SLOTS; i++) {
		if (slot[i])
			drop(slot[i], slot[i]->maker);
		slot[i] = NULL;
	}
	f->objects = all.objects;
	f->foreign = all.foreign;
	f->moved = all.moved;
}
