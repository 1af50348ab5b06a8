/* SPDX-License-Identifier: MIT */
/*
 * handoff_stress_test.c - workers that block and compute, for times that end just
 * when something else does, beside everything else. What threads do is counted
 * twice, by each and by all; and when all have ended, everybody sleeps, nobody
 * counts as a searcher, and whoever comes is run.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/sched/handoff.h"
#include "core/sched/idle.h"
#include "tests/stress/rounds.h"

#define MOST_NS 300000
#define LONG_NS 30000000

static uint64_t steps; /* of all */

struct stepper {
	uint64_t steps;
	uint32_t in; /* it is in a step: nobody else runs it */
	void (*step)(struct stepper *s);
	void *arg;
};

static void *go_on(void *arg)
{
	struct stepper *s = arg;

	while (round_goes_on()) {
		ASSERT_EQ(__atomic_exchange_n(&s->in, 1, __ATOMIC_ACQ_REL), 0);
		s->step(s);
		ASSERT_EQ(__atomic_exchange_n(&s->in, 0, __ATOMIC_ACQ_REL), 1);
		s->steps++;
		__atomic_add_fetch(&steps, 1, __ATOMIC_RELAXED);
		moved();
	}
	return arg;
}

static struct timespec some_time(void)
{
	return (struct timespec){0, (long)harness_random_below(MOST_NS)};
}

/* ---- blocking calls ---- */

/* Answers each byte with the next number, after a while. */
struct echo {
	int ask[2], answer[2];
	unsigned char last;
};

static void *answer(void *arg)
{
	struct echo *e = arg;
	unsigned char byte;

	while (read(e->ask[0], &byte, 1) == 1) {
		struct timespec t = some_time();

		if (harness_random_below(2))
			nanosleep(&t, NULL);
		byte++;
		ASSERT_EQ(write(e->answer[1], &byte, 1), 1);
	}
	return NULL;
}

static void *ask(void *arg)
{
	struct echo *e = arg;
	unsigned char byte = ++e->last, got;

	ASSERT_EQ(write(e->ask[1], &byte, 1), 1);
	ASSERT_EQ(read(e->answer[0], &got, 1), 1);
	ASSERT_EQ(got, (unsigned char)(byte + 1));
	return arg;
}

static void *block_for_a_time(void *arg)
{
	struct timespec t = some_time();
	uint32_t word = 0;

	switch (harness_random_below(4)) {
	case 0:
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0);
		break;
	case 1: /* does not block at all */
		break;
	default:
		nanosleep(&t, NULL);
	}
	return arg;
}

static void block_somehow(struct stepper *s)
{
	void *(*fn)(void *) = s->arg && harness_random_below(2) ? ask : block_for_a_time;

	switch (harness_random_below(4)) {
	case 0:
		fn(s->arg);
		break;
	case 1:
		perch_block_begin();
		fn(s->arg);
		perch_block_end();
		break;
	case 2: /* several, and something else between */
		for (int i = 0; i < 3; i++) {
			perch_block_begin();
			fn(s->arg);
			perch_block_end();
			if (harness_random_below(2))
				perch_yield();
		}
		break;
	default:
		ASSERT_EQ(perch_blocking(fn, s->arg), s->arg);
	}
}

/* Pinned or not. */
static void block(struct stepper *s)
{
	bool pinned = harness_random_below(3) == 0;
	pid_t me = 0;

	if (pinned) {
		ASSERT_EQ(perch_pin(), 0);
		me = gettid();
	}
	block_somehow(s);
	if (harness_random_below(2))
		perch_yield();
	if (!pinned)
		return;
	if (harness_random_below(2))
		ASSERT_EQ(perch_sleep(harness_random_below(MOST_NS)), 0);
	ASSERT_TRUE(me == gettid());
	ASSERT_EQ(perch_unpin(), 0);
}

static void compute_long(struct stepper *s)
{
	(void)s;
	compute(harness_random_below(4) ? MOST_NS : LONG_NS);
	perch_yield();
}

/* ---- what goes on beside them ---- */

struct tree {
	unsigned depth, nodes;
};

static void grow(void *arg)
{
	struct tree *t = arg, child[2] = {{t->depth - 1, 0}, {t->depth - 1, 0}};
	perch_call_t call;

	t->nodes = 1;
	if (!t->depth) {
		if (harness_random_below(64) == 0)
			block_for_a_time(NULL);
		return;
	}
	ASSERT_EQ(perch_fork(&call, grow, &child[0]), 0);
	grow(&child[1]);
	if (harness_random_below(128) == 0)
		perch_blocking(block_for_a_time, NULL);
	ASSERT_EQ(perch_sync(&call), 0);
	t->nodes += child[0].nodes + child[1].nodes;
}

static void grow_one(struct stepper *s)
{
	struct tree t = {1 + (unsigned)harness_random_below(8), 0};
	unsigned depth = t.depth;

	(void)s;
	grow(&t);
	ASSERT_EQ(t.nodes, (2u << depth) - 1);
}

/* There and back by way of another thread. */
struct line {
	perch_chan_t *to, *from;
	uint64_t sent;
};

static void *send_back(void *arg)
{
	struct line *l = arg;
	uint64_t n, last = 0;

	while (perch_chan_recv(l->to, &n) == 1) {
		ASSERT_EQ(n, ++last);
		if (harness_random_below(8) == 0)
			perch_blocking(block_for_a_time, NULL);
		ASSERT_EQ(perch_chan_send(l->from, &n), 0);
	}
	ASSERT_EQ(perch_chan_close(l->from), 0);
	return NULL;
}

static void send_one(struct stepper *s)
{
	struct line *l = s->arg;
	uint64_t n = ++l->sent, back = 0;

	ASSERT_EQ(perch_chan_send(l->to, &n), 0);
	ASSERT_EQ(perch_chan_recv(l->from, &back), 1);
	ASSERT_EQ(back, n);
}

static void sleep_one(struct stepper *s)
{
	(void)s;
	ASSERT_EQ(perch_sleep(harness_random_below(MOST_NS)), 0);
}

static void *same(void *arg)
{
	return arg;
}

/* By threads and pthreads alike. */
static void create_one(struct stepper *s)
{
	struct timespec t = some_time();
	void *result;
	perch_t p;

	ASSERT_EQ(perch_create(&p, NULL, harness_random_below(4) ? same : block_for_a_time, s), 0);
	if (harness_random_below(4) == 0)
		nanosleep(&t, NULL);
	ASSERT_EQ(perch_join(p, &result), 0);
	ASSERT_EQ(result, s);
}

/* A pthread wakes a thread that is pinned. */
struct pair {
	perch_sem_t go, done;
	uint32_t over, woken;
};

static void *wait_pinned(void *arg)
{
	struct pair *p = arg;
	pid_t me;

	ASSERT_EQ(perch_pin(), 0);
	me = gettid();
	for (;;) {
		ASSERT_EQ(perch_sem_wait(&p->go), 0);
		if (__atomic_load_n(&p->over, __ATOMIC_ACQUIRE))
			break;
		p->woken++;
		if (harness_random_below(2))
			perch_blocking(block_for_a_time, NULL);
		ASSERT_TRUE(me == gettid());
		ASSERT_EQ(perch_sem_post(&p->done), 0);
	}
	ASSERT_EQ(perch_unpin(), 0);
	return NULL;
}

static void wake_pinned(struct stepper *s)
{
	struct pair *p = s->arg;
	struct timespec t = some_time();

	if (harness_random_below(2))
		nanosleep(&t, NULL);
	ASSERT_EQ(perch_sem_post(&p->go), 0);
	ASSERT_EQ(perch_sem_wait(&p->done), 0);
}

/* ---- all of it ---- */

#define BLOCKERS 6
#define THREADS (BLOCKERS + 7)
#define PTHREADS 3

/* All sleep, and none of them for good. */
static void all_is_at_rest(void)
{
	while (!idle_all_asleep() || handoff_any_lost()) {
		struct timespec t = {0, 100000};

		nanosleep(&t, NULL); /* the watchdog ends it */
	}
	for (int i = 0; i < 3; i++) {
		void *result;
		perch_t t;

		ASSERT_EQ(perch_create(&t, NULL, same, &t), 0);
		ASSERT_EQ(perch_join(t, &result), 0);
		ASSERT_EQ(result, &t);
		moved();
	}
}

static void one_round(struct echo *echo)
{
	static void (*const others[THREADS - BLOCKERS])(struct stepper *) = {
		compute_long, compute_long, grow_one, grow_one, send_one, sleep_one, create_one};
	struct stepper s[THREADS + PTHREADS] = {{0, 0, NULL, NULL}};
	struct pair pair = {PERCH_SEM_INIT(0), PERCH_SEM_INIT(0), 0, 0};
	struct line line = {NULL, NULL, 0};
	perch_t t[THREADS], back, pinned;
	uint64_t sum = 0;
	pthread_t p[PTHREADS];

	steps = 0;
	ASSERT_EQ(perch_chan_create(&line.to, sizeof(uint64_t), 0), 0);
	ASSERT_EQ(perch_chan_create(&line.from, sizeof(uint64_t), 1), 0);
	ASSERT_EQ(perch_create(&back, NULL, send_back, &line), 0);
	ASSERT_EQ(perch_create(&pinned, NULL, wait_pinned, &pair), 0);
	for (int i = 0; i < THREADS; i++) {
		s[i].step = i < BLOCKERS ? block : others[i - BLOCKERS];
		s[i].arg = i < BLOCKERS / 2 ? (void *)&echo[i] : s[i].step == send_one ? &line : NULL;
		ASSERT_EQ(perch_create(&t[i], NULL, go_on, &s[i]), 0);
	}
	for (int i = 0; i < PTHREADS; i++) {
		s[THREADS + i].step = i ? create_one : wake_pinned;
		s[THREADS + i].arg = &pair;
		ASSERT_EQ(pthread_create(&p[i], NULL, go_on, &s[THREADS + i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	for (int i = 0; i < PTHREADS; i++)
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
	ASSERT_EQ(perch_chan_close(line.to), 0);
	ASSERT_EQ(perch_join(back, NULL), 0);
	__atomic_store_n(&pair.over, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(perch_sem_post(&pair.go), 0);
	ASSERT_EQ(perch_join(pinned, NULL), 0);
	ASSERT_EQ(pair.woken, s[THREADS].steps);
	ASSERT_EQ(line.sent, s[THREADS - 3].steps);
	for (int i = 0; i < THREADS + PTHREADS; i++)
		sum += s[i].steps;
	ASSERT_EQ(sum, steps);
	ASSERT_EQ(perch_chan_destroy(line.to), 0);
	ASSERT_EQ(perch_chan_destroy(line.from), 0);
	all_is_at_rest();
}

STRESS(stuck_workers_and_all_else)
{
	struct echo echo[BLOCKERS / 2] = {{{0, 0}, {0, 0}, 0}};
	pthread_t p[BLOCKERS / 2];

	for (int i = 0; i < BLOCKERS / 2; i++) {
		ASSERT_EQ(pipe(echo[i].ask), 0);
		ASSERT_EQ(pipe(echo[i].answer), 0);
		ASSERT_EQ(pthread_create(&p[i], NULL, answer, &echo[i]), 0);
	}
	rounds_begin(1);
	while (rounds_next())
		one_round(echo);
	for (int i = 0; i < BLOCKERS / 2; i++) {
		close(echo[i].ask[1]);
		ASSERT_EQ(pthread_join(p[i], NULL), 0);
		close(echo[i].ask[0]);
		close(echo[i].answer[0]);
		close(echo[i].answer[1]);
	}
}
