/* SPDX-License-Identifier: MIT */
/* handler_test.c - posts and sets in signal handlers, which come 10,000 times a second to each
 * worker, whatever it does: in the locks of the same objects, too. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <perch/perch.h>

#include "rseq/sanitizer.h"
#include "tests/harness/harness.h"

#define TASKS 64
#define TICK_NS 100000
#define SECONDS 2

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* ---- a timer for each pthread of the process but this one ---- */

static timer_t timer[TASKS];
static int timers;

static void time_one(pid_t tid, const struct itimerspec *every)
{
	struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};

	e.sigev_notify_thread_id = tid;
	if (timers < TASKS && !timer_create(CLOCK_MONOTONIC, &e, &timer[timers])) {
		EXPECT_EQ(timer_settime(timer[timers], 0, every, NULL), 0);
		timers++;
	}
}

/* Those that block the signal, the monitor for one, are not in the way. */
static void storm_begins(void (*handler)(int))
{
	const struct itimerspec every = {{0, TICK_NS}, {0, TICK_NS}};
	struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *d;

	ASSERT_NE(tasks, NULL);
	ASSERT_EQ(sigaction(SIGUSR1, &a, NULL), 0);
	timers = 0;
	while ((d = readdir(tasks))) {
		pid_t tid = (pid_t)atoi(d->d_name);

		if (tid > 0 && tid != (pid_t)syscall(SYS_gettid))
			time_one(tid, &every);
	}
	closedir(tasks);
	ASSERT_GE(timers, 1);
}

static void storm_ends(void)
{
	for (int i = 0; i < timers; i++)
		EXPECT_EQ(timer_delete(timer[i]), 0);
	usleep(20000); /* the last ones are handled */
}

/* ---- posts ---- */

static perch_sem_t ticks;
static uint64_t posted, got, refused;
static uint32_t over;

static void post_tick(int signal)
{
	int saved = errno;

	(void)signal;
	if (perch_sem_post(&ticks))
		__atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
	else
		__atomic_add_fetch(&posted, 1, __ATOMIC_RELAXED);
	errno = saved;
}

static void *takes(void *arg)
{
	for (;;) {
		EXPECT_EQ(perch_sem_wait(&ticks), 0);
		if (__atomic_load_n(&over, __ATOMIC_ACQUIRE))
			return arg;
		__atomic_add_fetch(&got, 1, __ATOMIC_RELAXED);
	}
}

/* So that the lock is held much of the time. */
static void *posts_too(void *arg)
{
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		post_tick(0);
		perch_yield();
	}
	return arg;
}

static perch_mutex_t mutex = PERCH_MUTEX_INIT;
static perch_cond_t cond = PERCH_COND_INIT;

static void *nothing(void *arg)
{
	return arg;
}

/* Other locks, which a handler interrupts as well. */
static void *something_else(void *arg)
{
	perch_chan_t *c;

	EXPECT_EQ(perch_chan_create(&c, 8, 4), 0);
	for (uint64_t i = 0; !__atomic_load_n(&over, __ATOMIC_ACQUIRE); i++) {
		perch_t t;
		void *p = perch_alloc(i % 2000 + 1);
		struct timespec soon = {0, 0};

		EXPECT_EQ(perch_chan_send(c, &i), 0);
		EXPECT_EQ(perch_chan_recv(c, &i), 1);
		EXPECT_EQ(perch_mutex_lock(&mutex), 0);
		perch_cond_signal(&cond);
		perch_cond_timedwait(&cond, &mutex, &soon);
		EXPECT_EQ(perch_mutex_unlock(&mutex), 0);
		if (!perch_create(&t, NULL, nothing, NULL))
			EXPECT_EQ(perch_join(t, NULL), 0);
		if (i % 64 == 0)
			perch_sleep(50000);
		perch_free(p);
	}
	EXPECT_EQ(perch_chan_destroy(c), 0);
	return arg;
}

FIXTURE(handlers)
{
	char unused;
};

FIXTURE_VARIANT(handlers)
{
	struct perch_config config;
};

FIXTURE_VARIANT_ADD(handlers, all_cpus){PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(handlers, alone){{.procs = 1}};

FIXTURE_SETUP(handlers)
{
	if (SANITIZER_THREAD)
		SKIP("the sanitizer calls handlers later, and nothing is interrupted");
	ASSERT_EQ(perch_start(&variant->config), 0);
}

FIXTURE_TEARDOWN(handlers)
{
	EXPECT_EQ(perch_stop(), 0);
}

#define TAKERS 3
#define OTHERS 6

TEST_F_TIMEOUT(handlers, post_and_nothing_is_lost, 60)
{
	perch_t t[TAKERS + OTHERS];
	pthread_t p;

	(void)self;
	posted = got = refused = over = 0;
	ASSERT_EQ(perch_sem_init(&ticks, 0, 0), 0);
	for (int i = 0; i < TAKERS + OTHERS; i++)
		ASSERT_EQ(perch_create(&t[i], NULL,
				       i < TAKERS       ? takes
				       : i < TAKERS + 2 ? posts_too
							: something_else,
				       NULL),
			  0);
	ASSERT_EQ(pthread_create(&p, NULL, takes, NULL), 0);
	usleep(10000);
	storm_begins(post_tick);
	sleep(SECONDS);
	storm_ends();
	/* all that was posted is taken, but what nobody has had the time for */
	for (int i = 0;
	     i < 1000 && __atomic_load_n(&got, __ATOMIC_RELAXED) < __atomic_load_n(&posted, __ATOMIC_RELAXED); i++)
		usleep(1000);
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < TAKERS + 1; i++)
		ASSERT_EQ(perch_sem_post(&ticks), 0);
	for (int i = 0; i < TAKERS + OTHERS; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	ASSERT_EQ(pthread_join(p, NULL), 0);
	harness_log("%llu posted, %llu taken, %llu refused", (unsigned long long)posted, (unsigned long long)got,
		    (unsigned long long)refused);
	{
		int left = 0;

		EXPECT_EQ(perch_sem_getvalue(&ticks, &left), 0);
		/* each post has been taken, or is still there; those of the end are TAKERS + 1 */
		EXPECT_EQ(got + (uint64_t)left, posted);
	}
	EXPECT_EQ(refused, 0);
	EXPECT_GT(posted, 1000);
	EXPECT_EQ(perch_sem_destroy(&ticks), 0);
}

/* ---- sets ---- */

static perch_event_t *to_set;

static void set_it(int signal)
{
	perch_event_t *e = __atomic_exchange_n(&to_set, NULL, __ATOMIC_ACQ_REL);
	int saved = errno;

	(void)signal;
	if (e && perch_event_set(e))
		__atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
	errno = saved;
}

static void *waits_and_destroys(void *arg)
{
	for (int i = 0; i < 300; i++) {
		perch_event_t *e = malloc(sizeof(*e));

		ASSERT_NE(e, NULL);
		EXPECT_EQ(perch_event_init(e), 0);
		__atomic_store_n(&to_set, e, __ATOMIC_RELEASE);
		EXPECT_EQ(perch_event_wait(e), 0);
		EXPECT_EQ(perch_event_is_set(e), 1);
		EXPECT_EQ(perch_event_destroy(e), 0);
		free(e);
		__atomic_add_fetch(&got, 1, __ATOMIC_RELAXED);
	}
	return arg;
}

TEST_F_TIMEOUT(handlers, set_events, 60)
{
	perch_t t, other;

	(void)self;
	posted = got = refused = over = 0;
	ASSERT_EQ(perch_create(&other, NULL, something_else, NULL), 0);
	ASSERT_EQ(perch_create(&t, NULL, waits_and_destroys, NULL), 0);
	usleep(1000);
	storm_begins(set_it);
	ASSERT_EQ(perch_join(t, NULL), 0);
	storm_ends();
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_join(other, NULL), 0);
	EXPECT_EQ(got, 300);
	EXPECT_EQ(refused, 0);
}
