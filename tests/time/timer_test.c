/* SPDX-License-Identifier: MIT */
/* timer_test.c - perch_timer_*: each call comes once or not at all, never early. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch/perch.h>

#include "tests/harness/gather.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define HOUR (3600 * 1000 * MS)

static void nap(uint64_t ns)
{
	struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	nanosleep(&t, NULL);
}

struct calls {
	uint32_t begun, ended;
	uint64_t at;
	uint64_t length; /* of a call, ns of sleep */
	perch_timer_t *timer;
	uint32_t go; /* the call waits for it, when it is not 1 */
	int result;
};

static void called(void *arg)
{
	struct calls *c = arg;

	__atomic_store_n(&c->at, harness_now(), __ATOMIC_RELEASE);
	count_up(&c->begun);
	EXPECT_NE(perch_self(), 0);
	if (c->length)
		perch_sleep(c->length);
	count_up(&c->ended);
}

FIXTURE(timers)
{
	struct calls c;
	perch_timer_t t;
};
FIXTURE_VARIANT(timers)
{
	struct perch_config config;
};
FIXTURE_VARIANT_ADD(timers, all_cpus){PERCH_CONFIG_INIT};
FIXTURE_VARIANT_ADD(timers, alone){{.workers = 1}};
FIXTURE_VARIANT_ADD(timers, crowded){{.workers = 6}};

FIXTURE_SETUP(timers)
{
	ASSERT_EQ(perch_start(&variant->config), 0);
	self->c = (struct calls){.timer = &self->t};
	ASSERT_EQ(perch_timer_init(&self->t, called, &self->c), 0);
}

FIXTURE_TEARDOWN(timers)
{
	EXPECT_EQ(perch_stop(), 0);
}

/* ---- once ---- */

static void once_and_stopped(struct calls *c, perch_timer_t *t)
{
	for (int i = 0; i < 20; i++) {
		uint64_t ns = harness_random_below(3 * MS), began = harness_now();

		__atomic_store_n(&c->ended, 0, __ATOMIC_RELEASE);
		c->begun = 0;
		ASSERT_EQ(perch_timer_start(t, ns, 0), 0);
		ASSERT_TRUE(gather(&c->ended, 1, 20));
		ASSERT_GE(c->at - began, ns);
		ASSERT_EQ(perch_timer_stop(t), 0);
		ASSERT_EQ(c->begun, 1);
	}
	ASSERT_EQ(perch_timer_start(t, HOUR, 0), 0);
	ASSERT_EQ(perch_timer_start(t, HOUR, HOUR), 0);
	ASSERT_EQ(perch_timer_stop(t), 1);
	ASSERT_EQ(perch_timer_stop(t), 0);
	ASSERT_EQ(perch_timer_start(t, UINT64_MAX, UINT64_MAX), 0);
	ASSERT_EQ(perch_timer_stop(t), 1);
	ASSERT_EQ(perch_timer_overruns(t), 0);
}

TEST_F(timers, armed_by_a_pthread_call_once)
{
	once_and_stopped(&self->c, &self->t);
	EXPECT_EQ(perch_timer_destroy(&self->t), 0);
	EXPECT_EQ(perch_timer_start(&self->t, 0, 0), -EINVAL);
	EXPECT_EQ(perch_timer_stop(&self->t), -EINVAL);
	EXPECT_EQ(perch_timer_destroy(&self->t), -EINVAL);
}

static void *start_in_thread(void *arg)
{
	return (void *)(intptr_t)perch_timer_start(arg, 2 * MS, 0);
}

TEST_F(timers, armed_by_a_thread_call_once)
{
	for (uint32_t i = 1; i < 20; i++) {
		void *r;
		perch_t t;

		ASSERT_EQ(perch_create(&t, NULL, start_in_thread, &self->t), 0);
		ASSERT_EQ(perch_join(t, &r), 0);
		ASSERT_NULL(r);
		ASSERT_TRUE(gather(&self->c.ended, i, 20));
	}
	EXPECT_EQ(perch_timer_destroy(&self->t), 0);
	EXPECT_EQ(self->c.begun, 19);
}

TEST(bad_arguments)
{
	perch_timer_t t, raw;

	memset(&raw, 0, sizeof(raw));
	EXPECT_EQ(perch_timer_init(NULL, called, NULL), -EINVAL);
	EXPECT_EQ(perch_timer_init(&t, NULL, NULL), -EINVAL);
	EXPECT_EQ(perch_timer_start(NULL, 0, 0), -EINVAL);
	EXPECT_EQ(perch_timer_start(&raw, 0, 0), -EINVAL);
	EXPECT_EQ(perch_timer_stop(&raw), -EINVAL);
	EXPECT_EQ(perch_timer_destroy(&raw), -EINVAL);
	EXPECT_EQ(perch_timer_overruns(&raw), 0);
	ASSERT_EQ(perch_timer_init(&t, called, NULL), 0);
	EXPECT_EQ(perch_timer_start(&t, 0, 0), -EINVAL); /* not running */
	EXPECT_EQ(perch_timer_stop(&t), 0);
	EXPECT_EQ(perch_timer_destroy(&t), 0);
}

/* ---- again and again ---- */

TEST_F_TIMEOUT(timers, a_period_does_not_drift, 60)
{
	uint64_t began = harness_now(), calls, passed;

	ASSERT_EQ(perch_timer_start(&self->t, 0, MS), 0);
	ASSERT_TRUE(gather(&self->c.ended, 200, 40));
	EXPECT_EQ(perch_timer_stop(&self->t), 1);
	passed = harness_now() - began;
	EXPECT_EQ(perch_timer_destroy(&self->t), 0);
	calls = self->c.begun + perch_timer_overruns(&self->t);
	/* destroyed: 0 overruns are told. So no more than one for each period: */
	EXPECT_EQ(self->c.begun, self->c.ended);
	EXPECT_LE(calls, passed / MS + 1);
	EXPECT_GE(calls, 200);
}

/* Every period is either called or counted. */
TEST_F_TIMEOUT(timers, what_is_left_out_is_counted, 60)
{
	uint64_t began, overruns, passed;
	uint32_t begun;

	self->c.length = 5 * MS;
	began = harness_now();
	ASSERT_EQ(perch_timer_start(&self->t, MS, MS), 0);
	ASSERT_TRUE(gather(&self->c.ended, 20, 40));
	ASSERT_EQ(perch_timer_stop(&self->t), 1);
	passed = harness_now() - began;
	overruns = perch_timer_overruns(&self->t);
	begun = __atomic_load_n(&self->c.begun, __ATOMIC_ACQUIRE);
	harness_log("%u calls of 5 ms, %llu left out, in %llu periods of 1 ms", begun, (unsigned long long)overruns,
		    (unsigned long long)(passed / MS));
	EXPECT_GE(overruns, 4 * 19); /* each call takes 5 periods */
	EXPECT_LE(begun + overruns, passed / MS);
	/* the last look was a while ago when the machine is busy: seconds at most */
	EXPECT_GE(begun + overruns + 5000, passed / MS);
	EXPECT_EQ(perch_timer_destroy(&self->t), 0);
	EXPECT_EQ(self->c.begun, self->c.ended);
}

/* ---- from its own call ---- */

static void restart_myself(void *arg)
{
	struct calls *c = arg;

	if (count_up(&c->begun) < 100)
		EXPECT_EQ(perch_timer_start(c->timer, c->begun % 3 * 10 * US, 0), 0);
	if (c->begun % 2)
		perch_sleep(100 * US); /* it is due again before this has ended */
	count_up(&c->ended);
	if (c->begun % 5 == 0)
		perch_exit(NULL);
}

TEST_F_TIMEOUT(timers, a_call_starts_its_own_timer, 60)
{
	ASSERT_EQ(perch_timer_init(&self->t, restart_myself, &self->c), 0);
	ASSERT_EQ(perch_timer_start(&self->t, 0, 0), 0);
	EXPECT_TRUE(gather(&self->c.ended, 100, 40));
	EXPECT_EQ(perch_timer_overruns(&self->t), 0);
	EXPECT_EQ(perch_timer_destroy(&self->t), 0);
	EXPECT_EQ(self->c.ended, 100);
}

static perch_key_t key;

static void destroy_in_destructor(void *arg)
{
	struct calls *c = arg;

	EXPECT_EQ(perch_timer_destroy(c->timer), -EDEADLK);
	perch_sleep(2 * MS);
	count_up(&c->ended);
}

static void destroy_myself(void *arg)
{
	struct calls *c = arg;

	count_up(&c->begun);
	EXPECT_EQ(perch_timer_destroy(c->timer), -EDEADLK);
	EXPECT_EQ(perch_setspecific(key, c), 0);
	if (c->result)
		perch_exit(NULL);
}

/* What a call's thread does at its end is part of the call. */
TEST_F(timers, destroy_waits_for_the_calls_destructors)
{
	ASSERT_EQ(perch_key_create(&key, destroy_in_destructor), 0);
	for (int i = 0; i < 6; i++) {
		self->c = (struct calls){.timer = &self->t, .result = i % 2};
		ASSERT_EQ(perch_timer_init(&self->t, destroy_myself, &self->c), 0);
		ASSERT_EQ(perch_timer_start(&self->t, 0, 0), 0);
		ASSERT_TRUE(gather(&self->c.begun, 1, 20));
		ASSERT_EQ(perch_timer_destroy(&self->t), 0);
		ASSERT_EQ(__atomic_load_n(&self->c.ended, __ATOMIC_ACQUIRE), 1);
	}
}

static uint32_t nested;

static void *destroy_nested(void *arg)
{
	struct calls *c = arg;
	int local;

	/* on the call's stack? else it would wait for the call, which waits for it */
	if ((uintptr_t)&local - (uintptr_t)c->at + (32 << 10) < (64 << 10)) {
		EXPECT_EQ(perch_timer_destroy(c->timer), -EDEADLK);
		count_up(&nested);
	}
	return NULL;
}

static void join_who_destroys(void *arg)
{
	struct calls *c = arg;
	perch_attr_t small;
	perch_t t;

	c->at = (uintptr_t)&small;
	EXPECT_EQ(perch_attr_init(&small), 0);
	EXPECT_EQ(perch_attr_setstacksize(&small, PERCH_STACK_MIN), 0);
	EXPECT_EQ(perch_create(&t, &small, destroy_nested, c), 0);
	EXPECT_EQ(perch_join(t, NULL), 0);
	count_up(&c->ended);
}

TEST_F(timers, destroyed_by_whom_the_call_runs_on_its_stack)
{
	ASSERT_EQ(perch_timer_init(&self->t, join_who_destroys, &self->c), 0);
	for (uint32_t i = 1; i <= 20; i++) {
		ASSERT_EQ(perch_timer_start(&self->t, 0, 0), 0);
		ASSERT_TRUE(gather(&self->c.ended, i, 20));
	}
	ASSERT_EQ(perch_timer_destroy(&self->t), 0);
	harness_log("%u of 20 ran on the call's stack", nested);
}

/* ---- destroy ---- */

static void wait_for_go(void *arg)
{
	struct calls *c = arg;

	count_up(&c->begun);
	while (__atomic_load_n(&c->go, __ATOMIC_ACQUIRE) != 1)
		perch_sleep(100 * US);
	perch_sleep(2 * MS);
	count_up(&c->ended);
}

static void *destroy_it(void *arg)
{
	struct calls *c = arg;

	c->result = perch_timer_destroy(c->timer);
	/* on a busy machine one more may have come before this did */
	EXPECT_EQ(__atomic_load_n(&c->ended, __ATOMIC_ACQUIRE), __atomic_load_n(&c->begun, __ATOMIC_ACQUIRE));
	memset(c->timer, 0xee, sizeof(*c->timer));
	return NULL;
}

static void destroy_while_running(bool from_pthread)
{
	for (int i = 0; i < 5; i++) {
		perch_timer_t timer;
		struct calls c = {.timer = &timer};
		pthread_t p;
		perch_t t;

		ASSERT_EQ(perch_timer_init(&timer, wait_for_go, &c), 0);
		ASSERT_EQ(perch_timer_start(&timer, 0, i % 2 ? MS : 0), 0);
		ASSERT_TRUE(gather(&c.begun, 1, 20));
		if (from_pthread)
			ASSERT_EQ(pthread_create(&p, NULL, destroy_it, &c), 0);
		else
			ASSERT_EQ(perch_create(&t, NULL, destroy_it, &c), 0);
		nap(harness_random_below(3 * MS));
		__atomic_store_n(&c.go, 1, __ATOMIC_RELEASE);
		if (from_pthread)
			ASSERT_EQ(pthread_join(p, NULL), 0);
		else
			ASSERT_EQ(perch_join(t, NULL), 0);
		ASSERT_EQ(c.result, 0);
		ASSERT_EQ(c.begun, c.ended);
	}
}

TEST_F_TIMEOUT(timers, destroyed_by_a_thread_while_running, 60)
{
	(void)self;
	destroy_while_running(false);
}

TEST_F_TIMEOUT(timers, destroyed_by_a_pthread_while_running, 60)
{
	(void)self;
	destroy_while_running(true);
}

/* ---- races ---- */

struct race {
	perch_timer_t timer;
	uint32_t calls;
};

static void count_call(void *arg)
{
	struct race *r = arg;

	count_up(&r->calls);
}

/* Stopped just when it is due: it is either called or stopped, never both and
 * never neither; and when it is destroyed, it is over. */
static void *race_one(void *arg)
{
	for (int i = 0; i < 300; i++) {
		struct race r = {.calls = 0};
		uint64_t ns = harness_random_below(60 * US);
		int stopped;

		ASSERT_EQ(perch_timer_init(&r.timer, count_call, &r), 0);
		ASSERT_EQ(perch_timer_start(&r.timer, ns, 0), 0);
		if (i % 8 == 0)
			perch_yield();
		harness_delay(100 * US);
		stopped = perch_timer_stop(&r.timer);
		ASSERT_TRUE(stopped == 0 || stopped == 1);
		ASSERT_EQ(perch_timer_destroy(&r.timer), 0);
		ASSERT_EQ(__atomic_load_n(&r.calls, __ATOMIC_ACQUIRE), stopped ? 0 : 1);
		memset(&r.timer, 0xee, sizeof(r.timer));
	}
	return arg;
}

TEST_F_TIMEOUT(timers, called_or_stopped_never_both, 120)
{
	pthread_t p[2];
	perch_t t[4];

	(void)self;
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, race_one, NULL), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, race_one, NULL), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
}

/* Started anew just when it is due: what is to come then is the new one's call. */
static void *race_restart(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		struct race r = {.calls = 0};

		ASSERT_EQ(perch_timer_init(&r.timer, count_call, &r), 0);
		ASSERT_EQ(perch_timer_start(&r.timer, harness_random_below(30 * US), 0), 0);
		harness_delay(40 * US);
		ASSERT_EQ(perch_timer_start(&r.timer, HOUR, 0), 0);
		harness_delay(10 * US);
		ASSERT_EQ(perch_timer_stop(&r.timer), 1);
		ASSERT_EQ(perch_timer_destroy(&r.timer), 0);
		ASSERT_LE(__atomic_load_n(&r.calls, __ATOMIC_ACQUIRE), 1);
	}
	return arg;
}

TEST_F_TIMEOUT(timers, started_anew_when_due, 120)
{
	pthread_t p[3];

	(void)self;
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, race_restart, NULL), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
}

/* Several start and stop one timer at once. For each start there is a call, or
 * another start or stop that took it back, which only a stop tells. */
struct shared {
	perch_timer_t timer;
	uint32_t calls, starts, stops;
};

static void count_shared(void *arg)
{
	struct shared *s = arg;

	count_up(&s->calls);
	harness_delay(20 * US);
}

static void *start_and_stop(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 500; i++) {
		if (harness_random_below(2)) {
			ASSERT_EQ(perch_timer_start(&s->timer, harness_random_below(30 * US),
						    harness_random_below(3) ? 0 : 1 + harness_random_below(30 * US)),
				  0);
			count_up(&s->starts);
		} else {
			int r = perch_timer_stop(&s->timer);

			ASSERT_TRUE(r == 0 || r == 1);
			if (r)
				count_up(&s->stops);
		}
		if (i % 16 == 0)
			perch_sleep(harness_random_below(50 * US));
		harness_delay(10 * US);
	}
	return NULL;
}

TEST_F_TIMEOUT(timers, started_and_stopped_by_many_at_once, 120)
{
	struct shared s = {.calls = 0};
	uint32_t calls;
	pthread_t p[2];
	perch_t t[4];

	(void)self;
	ASSERT_EQ(perch_timer_init(&s.timer, count_shared, &s), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, start_and_stop, &s), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_create(&p[i], NULL, start_and_stop, &s), 0);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	EXPECT_LE(s.stops, s.starts);
	/* it works as ever; and stopped, it is quiet */
	perch_timer_stop(&s.timer);
	nap(20 * MS);
	calls = __atomic_load_n(&s.calls, __ATOMIC_ACQUIRE);
	ASSERT_EQ(perch_timer_start(&s.timer, 0, 0), 0);
	EXPECT_TRUE(gather(&s.calls, calls + 1, 20));
	nap(5 * MS);
	EXPECT_EQ(__atomic_load_n(&s.calls, __ATOMIC_ACQUIRE), calls + 1);
	EXPECT_EQ(perch_timer_destroy(&s.timer), 0);
}

/* ---- stop of the runtime ---- */

/* ---- more calls than there is time for ---- */

#define GREEDY 500

static void nothing(void *unused)
{
	(void)unused;
}

static void *destroys_all(void *timers)
{
	perch_timer_t *t = timers;

	for (int i = 0; i < GREEDY; i++) {
		EXPECT_EQ(perch_timer_init(&t[i], nothing, NULL), 0);
		EXPECT_EQ(perch_timer_start(&t[i], 1, 1), 0);
	}
	perch_sleep(20 * MS);
	for (int i = 0; i < GREEDY; i++)
		EXPECT_EQ(perch_timer_destroy(&t[i]), 0);
	return timers;
}

/* They leave room for threads: each destruction waits for a call, so for a round of all. It
 * took 30 to 100 ms each when firing had all the time. */
TEST_TIMEOUT(periods_of_a_nanosecond_are_ended, 20)
{
	const struct perch_config one = {.procs = 1};
	static perch_timer_t t[GREEDY];
	perch_t thread;

	ASSERT_EQ(perch_start(&one), 0);
	ASSERT_EQ(perch_create(&thread, NULL, destroys_all, t), 0);
	ASSERT_EQ(perch_join(thread, NULL), 0);
	EXPECT_EQ(perch_stop(), 0);
}

TEST_TIMEOUT(armed_ones_are_idle_after_a_stop, 60)
{
	struct calls c = {.begun = 0};
	perch_timer_t t[20];

	for (int i = 0; i < 20; i++)
		ASSERT_EQ(perch_timer_init(&t[i], called, &c), 0);
	for (int round = 0; round < 20; round++) {
		ASSERT_EQ(perch_start(NULL), 0);
		for (int i = 0; i < 20; i++)
			ASSERT_EQ(perch_timer_start(&t[i], i % 2 ? HOUR : harness_random_below(200 * US),
						    i % 4 ? 0 : HOUR),
				  0);
		ASSERT_EQ(perch_stop(), 0);
		ASSERT_EQ(c.begun, c.ended);
		if (round % 2)
			for (int i = 0; i < 20; i++)
				ASSERT_EQ(perch_timer_stop(&t[i]), 0);
	}
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(perch_timer_destroy(&t[i]), 0);
}

/* There is hardly a moment without a call; none is lost, and the stop comes. */
TEST_TIMEOUT(periods_do_not_keep_the_runtime_up, 60)
{
	struct calls c = {.length = 3 * MS};
	perch_timer_t t[60];

	for (int round = 0; round < 5; round++) {
		ASSERT_EQ(perch_start(NULL), 0);
		for (unsigned i = 0; i < 60; i++) {
			ASSERT_EQ(perch_timer_init(&t[i], called, &c), 0);
			ASSERT_EQ(perch_timer_start(&t[i], 100 * US * i, 3 * MS + 37 * US * i), 0);
		}
		nap(20 * MS);
		ASSERT_EQ(perch_stop(), 0);
		ASSERT_EQ(c.begun, c.ended);
		EXPECT_GT(c.begun, 0);
	}
}

static void *wait_for_calls(void *arg)
{
	struct calls *c = arg;

	while (__atomic_load_n(&c->ended, __ATOMIC_ACQUIRE) < 30)
		perch_sleep(MS);
	return NULL;
}

/* But while a thread is left that may wait for them, they go on. */
TEST_TIMEOUT(periods_go_on_for_who_waits, 60)
{
	struct calls c = {.begun = 0};
	perch_timer_t timer;
	perch_t t;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_timer_init(&timer, called, &c), 0);
	ASSERT_EQ(perch_timer_start(&timer, MS, MS), 0);
	ASSERT_EQ(perch_create(&t, NULL, wait_for_calls, &c), 0);
	ASSERT_EQ(perch_stop(), 0);
	EXPECT_GE(c.ended, 30);
}

/* ---- fork ---- */

TEST(not_in_a_forked_child)
{
	struct calls c = {.begun = 0};
	perch_timer_t t;
	pid_t child;
	int status;

	ASSERT_EQ(perch_start(NULL), 0);
	ASSERT_EQ(perch_timer_init(&t, called, &c), 0);
	ASSERT_EQ(perch_timer_start(&t, HOUR, 0), 0);
	child = fork();
	if (!child) {
		alarm(10);
		_exit(perch_timer_start(&t, 0, 0) == -EPERM && perch_timer_stop(&t) == -EPERM &&
				      perch_timer_destroy(&t) == -EPERM
			      ? 0
			      : 1);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(perch_timer_stop(&t), 1);
	EXPECT_EQ(perch_timer_destroy(&t), 0);
	ASSERT_EQ(perch_stop(), 0);
}

static uint32_t ticks;

static void count_tick(void *arg)
{
	(void)arg;
	count_up(&ticks);
}

/* The one that forks goes on in the child, and what is due there is the parent's all the same. */
static void *fork_beside_a_period(void *arg)
{
	perch_timer_t timer;
	int status = 0;
	pid_t child;

	ASSERT_EQ(perch_timer_init(&timer, count_tick, NULL), 0);
	ASSERT_EQ(perch_timer_start(&timer, MS, MS), 0);
	while (!__atomic_load_n(&ticks, __ATOMIC_ACQUIRE))
		perch_yield();
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		uint32_t before = ticks;

		nap(20 * MS);
		for (int i = 0; i < 1000; i++)
			if (perch_yield() != -EPERM)
				_exit(3);
		_exit(ticks == before ? 42 : 4);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 42);
	ASSERT_EQ(perch_timer_destroy(&timer), 0);
	return arg;
}

TEST(what_is_due_in_a_forked_child_is_the_parents)
{
	/* one: the timer is where the one that forks is */
	const struct perch_config config = {.workers = 1, .procs = 1};

	ASSERT_EQ(perch_run(&config, fork_beside_a_period, NULL, NULL), 0);
}
