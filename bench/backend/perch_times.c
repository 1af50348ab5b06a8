/* SPDX-License-Identifier: MIT */
/* perch_times.c - timers, and a process that waits for what comes from outside. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "bench/backend/perch_waits.h"
#include "bench/workload/measure.h"
#include "bench/workload/random.h"

static size_t fired;

static void fire(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&fired, 1, __ATOMIC_RELAXED);
}

int perch_bench_timers(struct arming *a)
{
	perch_timer_t *timer = calloc(a->asked, sizeof(*timer));
	uint64_t state = 1, start;
	size_t destroyed = 0;
	int r = 0;

	if (!timer)
		return -ENOMEM;
	fired = 0;
	for (size_t i = 0; i < a->asked && !r; i++)
		r = perch_timer_init(&timer[i], fire, NULL);
	start = now_ns();
	for (; a->made < a->asked && !r; a->made += !r)
		r = perch_timer_start(&timer[a->made], DUE_NS + random_next(&state) % DUE_NS, 0);
	a->arm_ns = now_ns() - start;
	start = now_ns();
	for (size_t i = 0; i < a->made; i++)
		a->cancelled += perch_timer_stop(&timer[i]) == 1;
	a->cancel_ns = now_ns() - start;
	for (size_t i = 0; i < a->made; i++)
		destroyed += perch_timer_destroy(&timer[i]) == 0;
	a->fired = fired;
	if (destroyed < a->made) /* some may still be used: then its memory stays */
		return r ? r : -EBUSY;
	free(timer);
	return r;
}

int perch_bench_sleeps(struct sleeping *s)
{
	int r = 0;

	for (size_t i = 0; i < s->n && !r; i++) {
		uint64_t start = now_ns();

		r = perch_sleep(s->each_ns);
		s->late_ns[i] = (int64_t)(now_ns() - start - s->each_ns);
	}
	return r;
}

static struct {
	perch_mutex_t mutex;
	perch_cond_t cond;
	struct waking *w;
	uint64_t turn, since; /* which wake; when it was sent */
	uint64_t seen;
	int cpu; /* of the worker */
	bool ready;
} bed = {.mutex = PERCH_MUTEX_INIT, .cond = PERCH_COND_INIT};

/* It has the mutex but while it waits: who gets the mutex finds it waiting. */
static void *sleeper(void *arg)
{
	(void)arg;
	perch_mutex_lock(&bed.mutex);
	bed.cpu = sched_getcpu();
	bed.ready = true;
	for (uint64_t i = 1; i <= bed.w->n; i++) {
		while (bed.turn < i)
			perch_cond_wait(&bed.cond, &bed.mutex);
		bed.w->ns[i - 1] = now_ns() - bed.since;
		bed.w->right += bed.turn == i;
		__atomic_store_n(&bed.seen, i, __ATOMIC_RELEASE);
	}
	perch_mutex_unlock(&bed.mutex);
	return NULL;
}

static void wake_once(uint64_t turn)
{
	perch_mutex_lock(&bed.mutex);
	bed.turn = turn;
	bed.since = now_ns();
	perch_mutex_unlock(&bed.mutex);
	perch_cond_signal(&bed.cond);
}

/* With one worker the pthread outside is on its CPU, as the peers have it. */
static int share_cpu(void)
{
	cpu_set_t set;
	bool ready = false;

	while (!ready) {
		pause_ns(WAKE_PAUSE_NS);
		perch_mutex_lock(&bed.mutex);
		ready = bed.ready;
		perch_mutex_unlock(&bed.mutex);
	}
	if (perch_workers() > 1)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((unsigned)bed.cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

int perch_bench_wake(struct waking *w)
{
	perch_t t;
	int r, shared;

	bed.w = w;
	r = perch_create(&t, NULL, sleeper, NULL);
	if (r)
		return r;
	shared = share_cpu();
	for (uint64_t i = 1; i <= w->n; i++) {
		pause_ns(WAKE_PAUSE_NS);
		wake_once(i);
		while (__atomic_load_n(&bed.seen, __ATOMIC_ACQUIRE) < i)
			pause_ns(WAKE_PAUSE_NS / 10);
	}
	r = perch_join(t, NULL);
	return r ? r : shared;
}

static struct {
	perch_waitgroup_t gate;
	size_t arrived;
} park;

static void *parker(void *arg)
{
	__atomic_add_fetch(&park.arrived, 1, __ATOMIC_RELAXED);
	if (perch_waitgroup_wait(&park.gate))
		return NULL;
	return (char *)arg + 1;
}

int perch_bench_idle(struct idling *idling)
{
	perch_t *t = calloc(idling->asked, sizeof(*t));
	void *result;

	if (!t)
		return -ENOMEM;
	perch_waitgroup_init(&park.gate);
	perch_waitgroup_add(&park.gate, 1);
	while (idling->made < idling->asked && !perch_create(&t[idling->made], NULL, parker, (void *)idling->made))
		idling->made++;
	while (__atomic_load_n(&park.arrived, __ATOMIC_RELAXED) < idling->made)
		pause_ns(WAKE_PAUSE_NS);
	idle_watch(idling);
	perch_waitgroup_done(&park.gate);
	for (size_t i = 0; i < idling->made; i++)
		if (!perch_join(t[i], &result))
			idling->right += result == (void *)(i + 1);
	perch_waitgroup_destroy(&park.gate);
	free(t);
	return 0;
}
