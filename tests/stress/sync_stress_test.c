/* SPDX-License-Identifier: MIT */
/*
 * sync_stress_test.c - what threads wait for, under stress: threads and pthreads
 * at the same few objects, by every form of each call, most with times that come
 * just when something else does. What is guarded must be as if one had it at a
 * time; what was told must arrive; who waits for ever is found by the watchdog.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "tests/stress/rounds.h"

#define THREADS 10
#define PTHREADS 3

static struct timespec soon(void)
{
	int64_t at = (int64_t)harness_now() + (int64_t)harness_random_below(50000) - 5000;

	return (struct timespec){at / 1000000000, at % 1000000000};
}

static void linger(void)
{
	switch (harness_random_below(6)) {
	case 0:
		perch_yield();
		break;
	case 1:
		compute(3000);
		break;
	default:;
	}
}

/* fn(arg) in THREADS threads and PTHREADS pthreads, until all have returned. */
static void crowd(void *(*fn)(void *), void *arg)
{
	pthread_t p[PTHREADS];
	perch_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, fn, arg), 0);
	for (int i = 0; i < PTHREADS; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, fn, arg), 0);
	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	for (int i = 0; i < PTHREADS; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
}

/* ---- locks ---- */

/* Plain words: whoever is alone leaves them equal. */
struct guarded {
	uint64_t a, b;
};

static void change(struct guarded *g)
{
	ASSERT_EQ(g->a, g->b);
	g->a++;
	linger();
	g->b++;
	moved();
}

struct locks {
	perch_mutex_t mutex[2];
	struct guarded by_mutex[2];
	perch_rwlock_t rwlock;
	struct guarded by_rwlock;
	perch_sem_t sem;
	struct guarded by_sem;
};

static void use_mutex(struct locks *l)
{
	unsigned i = (unsigned)harness_random_below(2);
	perch_mutex_t *m = &l->mutex[i];
	struct timespec at;
	int r;

	switch (harness_random_below(4)) {
	case 0:
		r = perch_mutex_trylock(m);
		break;
	case 1:
		at = soon();
		r = perch_mutex_timedlock(m, &at);
		break;
	default:
		r = perch_mutex_lock(m);
	}
	if (r) {
		ASSERT_TRUE(r == -EBUSY || r == -ETIMEDOUT);
		return;
	}
	change(&l->by_mutex[i]);
	ASSERT_EQ(perch_mutex_unlock(m), 0);
}

static void use_rwlock(struct locks *l)
{
	bool write = harness_random_below(3) == 0;
	struct timespec at;
	int r;

	switch (harness_random_below(4)) {
	case 0:
		r = write ? perch_rwlock_trywrlock(&l->rwlock) : perch_rwlock_tryrdlock(&l->rwlock);
		break;
	case 1:
		at = soon();
		r = write ? perch_rwlock_timedwrlock(&l->rwlock, &at) : perch_rwlock_timedrdlock(&l->rwlock, &at);
		break;
	default:
		r = write ? perch_rwlock_wrlock(&l->rwlock) : perch_rwlock_rdlock(&l->rwlock);
	}
	if (r) {
		ASSERT_TRUE(r == -EBUSY || r == -ETIMEDOUT);
		return;
	}
	if (write) {
		change(&l->by_rwlock);
	} else {
		linger();
		ASSERT_EQ(l->by_rwlock.a, l->by_rwlock.b);
		moved();
	}
	ASSERT_EQ(perch_rwlock_unlock(&l->rwlock), 0);
}

static void use_sem(struct locks *l)
{
	struct timespec at;
	int r;

	switch (harness_random_below(4)) {
	case 0:
		r = perch_sem_trywait(&l->sem);
		break;
	case 1:
		at = soon();
		r = perch_sem_timedwait(&l->sem, &at);
		break;
	default:
		r = perch_sem_wait(&l->sem);
	}
	if (r) {
		ASSERT_TRUE(r == -EAGAIN || r == -ETIMEDOUT);
		return;
	}
	change(&l->by_sem);
	ASSERT_EQ(perch_sem_post(&l->sem), 0);
}

static void *use_locks(void *arg)
{
	while (round_goes_on()) {
		switch (harness_random_below(4)) {
		case 0:
			use_rwlock(arg);
			break;
		case 1:
			use_sem(arg);
			break;
		default:
			use_mutex(arg);
		}
		linger();
	}
	return arg;
}

STRESS(locks_exclude)
{
	struct locks l = {.mutex = {PERCH_MUTEX_INIT, PERCH_ERRORCHECK_MUTEX_INIT},
			  .rwlock = PERCH_RWLOCK_INIT,
			  .sem = PERCH_SEM_INIT(1)};
	int value;

	rounds_begin(1);
	while (rounds_next()) {
		crowd(use_locks, &l);
		/* at rest, with nothing left behind by those who timed out */
		ASSERT_EQ(perch_mutex_trylock(&l.mutex[0]), 0);
		ASSERT_EQ(perch_mutex_unlock(&l.mutex[0]), 0);
		ASSERT_EQ(perch_rwlock_trywrlock(&l.rwlock), 0);
		ASSERT_EQ(perch_rwlock_unlock(&l.rwlock), 0);
		ASSERT_EQ(perch_sem_getvalue(&l.sem, &value), 0);
		ASSERT_EQ(value, 1);
	}
	EXPECT_EQ(perch_mutex_destroy(&l.mutex[0]), 0);
	EXPECT_EQ(perch_mutex_destroy(&l.mutex[1]), 0);
	EXPECT_EQ(perch_rwlock_destroy(&l.rwlock), 0);
	EXPECT_EQ(perch_sem_destroy(&l.sem), 0);
}

/* ---- conditions ---- */

/*
 * A shelf with few places. Everybody puts something there and then takes
 * something away, some giving up when they cannot put. So what lies there is one
 * for each who wants to take: not all can be waiting, if no signal is lost.
 */
#define PLACES 3
#define TURNS 30

struct shelf {
	perch_mutex_t m;
	perch_cond_t not_empty, not_full;
	struct guarded g;
	unsigned count;
};

static void put_and_take(struct shelf *s)
{
	struct timespec at = soon();
	unsigned how = (unsigned)harness_random_below(4);
	int r = 0;

	ASSERT_EQ(perch_mutex_lock(&s->m), 0);
	while (s->count == PLACES && !r)
		r = how ? perch_cond_wait(&s->not_full, &s->m) : perch_cond_timedwait(&s->not_full, &s->m, &at);
	change(&s->g);
	if (r) {
		ASSERT_EQ(r, -ETIMEDOUT);
		ASSERT_EQ(perch_mutex_unlock(&s->m), 0);
		return;
	}
	s->count++;
	/* before or after the unlock */
	if (how & 1)
		ASSERT_EQ(perch_cond_signal(&s->not_empty), 0);
	ASSERT_EQ(perch_mutex_unlock(&s->m), 0);
	if (!(how & 1))
		ASSERT_EQ(perch_cond_signal(&s->not_empty), 0);
	linger();
	ASSERT_EQ(perch_mutex_lock(&s->m), 0);
	while (!s->count) {
		at = soon();
		r = how & 2 ? perch_cond_wait(&s->not_empty, &s->m) : perch_cond_timedwait(&s->not_empty, &s->m, &at);
		ASSERT_TRUE(r == 0 || r == -ETIMEDOUT);
	}
	change(&s->g);
	s->count--;
	ASSERT_EQ(how ? perch_cond_signal(&s->not_full) : perch_cond_broadcast(&s->not_full), 0);
	ASSERT_EQ(perch_mutex_unlock(&s->m), 0);
}

static void *use_shelf(void *arg)
{
	for (int i = 0; i < TURNS; i++) {
		put_and_take(arg);
		linger();
	}
	return arg;
}

STRESS(conditions_lose_no_signal)
{
	rounds_begin(1);
	while (rounds_next())
		while (round_goes_on()) {
			struct shelf s = {
				.m = PERCH_MUTEX_INIT, .not_empty = PERCH_COND_INIT, .not_full = PERCH_COND_INIT};

			crowd(use_shelf, &s);
			ASSERT_EQ(s.count, 0);
			ASSERT_EQ(perch_cond_destroy(&s.not_empty), 0);
			ASSERT_EQ(perch_cond_destroy(&s.not_full), 0);
			ASSERT_EQ(perch_mutex_destroy(&s.m), 0);
		}
}

/* ---- a turn that goes round ---- */

struct circle {
	perch_mutex_t m;
	perch_cond_t turned;
	unsigned turn, seats, count;
	uint64_t laps; /* of all: guarded */
};

static void *take_turns(void *arg)
{
	struct circle *c = arg;
	unsigned me = __atomic_fetch_add(&c->seats, 1, __ATOMIC_RELAXED);

	for (unsigned lap = 0; lap < 30; lap++) {
		ASSERT_EQ(perch_mutex_lock(&c->m), 0);
		while (c->turn % c->count != me)
			ASSERT_EQ(perch_cond_wait(&c->turned, &c->m), 0);
		ASSERT_EQ(c->laps++, (uint64_t)lap * c->count + me);
		c->turn++;
		/* with the mutex or without, to one or to all */
		if (c->count == 2)
			ASSERT_EQ(perch_cond_signal(&c->turned), 0);
		else
			ASSERT_EQ(perch_cond_broadcast(&c->turned), 0);
		ASSERT_EQ(perch_mutex_unlock(&c->m), 0);
		moved();
	}
	return arg;
}

static void *play(void *arg)
{
	while (round_goes_on()) {
		struct circle c = {.m = PERCH_MUTEX_INIT, .turned = PERCH_COND_INIT};
		unsigned threads = 1 + (unsigned)harness_random_below(3), pthreads = (unsigned)harness_random_below(2);
		pthread_t p;
		perch_t t[3];

		c.count = threads + pthreads;
		for (unsigned i = 0; i < threads; i++)
			ASSERT_EQ(perch_create(&t[i], NULL, take_turns, &c), 0);
		if (pthreads)
			ASSERT_EQ(pthread_create(&p, NULL, take_turns, &c), 0);
		for (unsigned i = 0; i < threads; i++)
			ASSERT_EQ(perch_join(t[i], NULL), 0);
		if (pthreads)
			ASSERT_EQ(pthread_join(p, NULL), 0);
		ASSERT_EQ(c.laps, 30 * c.count);
		ASSERT_EQ(perch_cond_destroy(&c.turned), 0);
		ASSERT_EQ(perch_mutex_destroy(&c.m), 0);
	}
	return arg;
}

STRESS(turns_go_round)
{
	rounds_begin(1);
	while (rounds_next()) {
		perch_t t[2];

		for (int i = 0; i < 2; i++)
			ASSERT_EQ(perch_create(&t[i], NULL, play, NULL), 0);
		for (int i = 0; i < 2; i++)
			ASSERT_EQ(perch_join(t[i], NULL), 0);
	}
}

/* ---- objects that are destroyed by whoever was woken ---- */

static void expect_left_alone(void *object, size_t size)
{
	unsigned char *byte = object;

	memset(object, 0xee, size);
	linger();
	for (size_t i = 0; i < size; i++)
		ASSERT_EQ(__atomic_load_n(&byte[i], __ATOMIC_RELAXED), 0xee);
}

struct brief {
	perch_event_t event;
	perch_sem_t sem;
	perch_barrier_t barrier;
	perch_mutex_t mutex;
	perch_waitgroup_t group;
};

static void wake_all_ways(void *arg)
{
	struct brief *b = arg;

	linger();
	ASSERT_EQ(perch_event_set(&b->event), 0);
	linger();
	ASSERT_EQ(perch_sem_post(&b->sem), 0);
	linger();
	ASSERT_GE(perch_barrier_wait(&b->barrier), 0);
	linger();
	ASSERT_EQ(perch_mutex_lock(&b->mutex), 0);
	linger();
	ASSERT_EQ(perch_mutex_unlock(&b->mutex), 0);
	perch_waitgroup_done(&b->group);
}

static void *as_pthread(void *arg)
{
	wake_all_ways(arg);
	return NULL;
}

static void *wait_all_ways(void *arg)
{
	while (round_goes_on()) {
		struct brief b = {PERCH_EVENT_INIT, PERCH_SEM_INIT(0), PERCH_BARRIER_INIT(2), PERCH_MUTEX_INIT,
				  PERCH_WAITGROUP_INIT};
		bool foreign = harness_random_below(8) == 0;
		struct timespec at;
		pthread_t p;

		ASSERT_EQ(perch_waitgroup_add(&b.group, 1), 0);
		if (foreign)
			ASSERT_EQ(pthread_create(&p, NULL, as_pthread, &b), 0);
		else
			ASSERT_EQ(perch_go(wake_all_ways, &b), 0);
		do
			at = soon();
		while (perch_event_timedwait(&b.event, &at));
		ASSERT_EQ(perch_event_destroy(&b.event), 0);
		expect_left_alone(&b.event, sizeof(b.event));
		do
			at = soon();
		while (perch_sem_timedwait(&b.sem, &at));
		ASSERT_EQ(perch_sem_destroy(&b.sem), 0);
		expect_left_alone(&b.sem, sizeof(b.sem));
		ASSERT_GE(perch_barrier_wait(&b.barrier), 0);
		ASSERT_EQ(perch_barrier_destroy(&b.barrier), 0);
		expect_left_alone(&b.barrier, sizeof(b.barrier));
		ASSERT_EQ(perch_mutex_lock(&b.mutex), 0);
		ASSERT_EQ(perch_mutex_unlock(&b.mutex), 0);
		do
			at = soon();
		while (perch_waitgroup_timedwait(&b.group, &at));
		ASSERT_EQ(perch_waitgroup_destroy(&b.group), 0);
		ASSERT_EQ(perch_mutex_destroy(&b.mutex), 0);
		expect_left_alone(&b, sizeof(b));
		if (foreign)
			ASSERT_EQ(pthread_join(p, NULL), 0);
		moved();
	}
	return arg;
}

STRESS(objects_in_the_frames_of_those_who_wait)
{
	rounds_begin(1);
	while (rounds_next())
		crowd(wait_all_ways, NULL);
}

/* ---- rounds of a barrier, a function once in each ---- */

#define LAPS 64

struct relay {
	perch_barrier_t barrier;
	perch_once_t once[LAPS];
	uint32_t serial;
};

static uint32_t begun, done;

static void first_only(void)
{
	__atomic_add_fetch(&begun, 1, __ATOMIC_RELAXED);
	linger();
	perch_yield();
	__atomic_add_fetch(&done, 1, __ATOMIC_RELEASE);
}

static void *run_relay(void *arg)
{
	struct relay *r = arg;

	for (uint32_t lap = 0; lap < LAPS; lap++) {
		ASSERT_EQ(perch_once(&r->once[lap], first_only), 0);
		ASSERT_EQ(__atomic_load_n(&done, __ATOMIC_ACQUIRE), lap + 1);
		if (perch_barrier_wait(&r->barrier) == PERCH_BARRIER_SERIAL_THREAD)
			__atomic_add_fetch(&r->serial, 1, __ATOMIC_RELAXED);
		moved();
	}
	return arg;
}

STRESS(barriers_and_once)
{
	rounds_begin(1);
	while (rounds_next())
		while (round_goes_on()) {
			struct relay r = {.barrier = PERCH_BARRIER_INIT(THREADS + PTHREADS)};

			begun = done = 0;
			for (int i = 0; i < LAPS; i++)
				r.once[i] = (perch_once_t)PERCH_ONCE_INIT;
			crowd(run_relay, &r);
			ASSERT_EQ(begun, LAPS);
			ASSERT_EQ(r.serial, LAPS);
			ASSERT_EQ(perch_barrier_destroy(&r.barrier), 0);
		}
}
