/* SPDX-License-Identifier: MIT */
/* pthread_times.c - the kernel's timers, and pthreads that sleep. */
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "bench/backend/pthread_waits.h"
#include "bench/workload/measure.h"
#include "bench/workload/random.h"

static volatile sig_atomic_t fired;

static void fire(int number)
{
	(void)number;
	fired = 1;
}

static struct itimerspec due_in(uint64_t ns)
{
	return (struct itimerspec){.it_value = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)}};
}

/*
 * A signal that would come: timers that notify nobody are not queued at all by
 * the kernel. How many a user may have is RLIMIT_SIGPENDING; above ten thousand the
 * kernel's table of them is so full that one takes tens of microseconds.
 */
int pthread_timers(struct arming *a)
{
	timer_t *timer = calloc(a->asked, sizeof(*timer));
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	struct itimerspec due, old;
	uint64_t state = 1, start;

	if (!timer)
		return -ENOMEM;
	signal(SIGRTMIN, fire);
	while (a->made < a->asked && !timer_create(CLOCK_MONOTONIC, &event, &timer[a->made]))
		a->made++;
	start = now_ns();
	for (size_t i = 0; i < a->made; i++) {
		due = due_in(DUE_NS + random_next(&state) % DUE_NS);
		timer_settime(timer[i], 0, &due, NULL);
	}
	a->arm_ns = now_ns() - start;
	due = due_in(0);
	start = now_ns();
	for (size_t i = 0; i < a->made; i++)
		a->cancelled += !timer_settime(timer[i], 0, &due, &old) && old.it_value.tv_sec > 0;
	a->cancel_ns = now_ns() - start;
	for (size_t i = 0; i < a->made; i++)
		timer_delete(timer[i]);
	a->fired = (size_t)fired;
	free(timer);
	return a->made ? 0 : -EAGAIN;
}

int pthread_sleeps(struct sleeping *s)
{
	for (size_t i = 0; i < s->n; i++) {
		uint64_t start = now_ns();

		pause_ns(s->each_ns);
		s->late_ns[i] = (int64_t)(now_ns() - start - s->each_ns);
	}
	return 0;
}

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	struct waking *w;
	uint64_t turn, since; /* which wake; when it was sent */
	uint64_t seen;
	bool ready;
} bed = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

/* It has the mutex but while it waits: who gets the mutex finds it waiting. */
static void *sleeper(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&bed.mutex);
	bed.ready = true;
	for (uint64_t i = 1; i <= bed.w->n; i++) {
		while (bed.turn < i)
			pthread_cond_wait(&bed.cond, &bed.mutex);
		bed.w->ns[i - 1] = now_ns() - bed.since;
		bed.w->right += bed.turn == i;
		__atomic_store_n(&bed.seen, i, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&bed.mutex);
	return NULL;
}

/* False: it has not come to its wait yet. */
static bool wake_once(uint64_t turn)
{
	bool ready;

	pthread_mutex_lock(&bed.mutex);
	ready = bed.ready;
	if (ready) {
		bed.turn = turn;
		bed.since = now_ns();
	}
	pthread_mutex_unlock(&bed.mutex);
	if (ready)
		pthread_cond_signal(&bed.cond);
	return ready;
}

int pthread_wake(struct waking *w)
{
	pthread_t t;
	int r;

	bed.w = w;
	r = pthread_create(&t, NULL, sleeper, NULL);
	if (r)
		return -r;
	for (uint64_t i = 1; i <= w->n; i++) {
		do /* it may not have come to its wait yet */
			pause_ns(WAKE_PAUSE_NS);
		while (!wake_once(i));
		while (__atomic_load_n(&bed.seen, __ATOMIC_ACQUIRE) < i)
			pause_ns(WAKE_PAUSE_NS / 10);
	}
	pthread_join(t, NULL);
	return 0;
}

static struct {
	sem_t arrived, go;
} park;

static void *parker(void *arg)
{
	sem_post(&park.arrived);
	while (sem_wait(&park.go))
		;
	return (char *)arg + 1;
}

int pthread_idle(struct idling *idling)
{
	pthread_t *t = calloc(idling->asked, sizeof(*t));
	void *result;

	if (!t)
		return -ENOMEM;
	sem_init(&park.arrived, 0, 0);
	sem_init(&park.go, 0, 0);
	while (idling->made < idling->asked && !pthread_create(&t[idling->made], NULL, parker, (void *)idling->made))
		idling->made++;
	for (size_t i = 0; i < idling->made; i++)
		while (sem_wait(&park.arrived))
			;
	idle_watch(idling);
	for (size_t i = 0; i < idling->made; i++)
		sem_post(&park.go);
	for (size_t i = 0; i < idling->made; i++) {
		pthread_join(t[i], &result);
		idling->right += result == (void *)(i + 1);
	}
	sem_destroy(&park.arrived);
	sem_destroy(&park.go);
	free(t);
	return 0;
}
