/* SPDX-License-Identifier: MIT */
#include "tests/block/others.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void sleep_ms(unsigned ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t))
		;
}

unsigned times(const char *text, const char *part)
{
	unsigned n = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		n++;
	return n;
}

/* ---- threads that block in the kernel ---- */

static char byte_of(const struct reader *r)
{
	return (char)(r->fd[1] & 127);
}

static void *read_one(void *arg)
{
	const struct reader *r = arg;
	char byte = 0;

	EXPECT_EQ(read(r->fd[0], &byte, 1), 1);
	EXPECT_EQ(byte, byte_of(r));
	return arg;
}

static void *reader_main(void *arg)
{
	struct reader *r = arg;

	count_up(r->begun);
	switch (r->how) {
	case UNMARKED:
		read_one(r);
		break;
	case MARKED:
		perch_block_begin();
		read_one(r);
		perch_block_end();
		break;
	default:
		EXPECT_EQ(perch_blocking(read_one, r), r);
	}
	count_up(r->ended);
	return arg;
}

void reader_start(struct reader *r, enum how how, uint32_t *begun, uint32_t *ended)
{
	r->how = how;
	r->begun = begun;
	r->ended = ended;
	ASSERT_EQ(pipe(r->fd), 0);
	ASSERT_EQ(perch_create(&r->thread, NULL, reader_main, r), 0);
}

void reader_release(struct reader *r)
{
	char byte = byte_of(r);

	ASSERT_EQ(write(r->fd[1], &byte, 1), 1);
}

void reader_join(struct reader *r)
{
	void *result;

	ASSERT_EQ(perch_join(r->thread, &result), 0);
	EXPECT_EQ(result, r);
	close(r->fd[0]);
	close(r->fd[1]);
}

/* Room for that many pipes. */
static void more_files(unsigned pipes)
{
	struct rlimit l;

	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &l), 0);
	if (l.rlim_cur >= 2 * pipes + 100)
		return;
	l.rlim_cur = l.rlim_max < 2 * pipes + 100 ? l.rlim_max : 2 * pipes + 100;
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &l), 0);
	if (l.rlim_cur < 2 * pipes + 100)
		SKIP("no more than %llu files may be open", (unsigned long long)l.rlim_max);
}

void readers_start(struct readers *rs, unsigned n, enum how how)
{
	more_files(n);
	*rs = (struct readers){calloc(n, sizeof(*rs->r)), n, 0, 0};
	ASSERT_NE(rs->r, NULL);
	for (unsigned i = 0; i < n; i++)
		reader_start(&rs->r[i], how == HOWS ? (enum how)(i % HOWS) : how, &rs->begun, &rs->ended);
	ASSERT_TRUE(gather(&rs->begun, n, PATIENCE));
}

void readers_end(struct readers *rs)
{
	for (unsigned i = 0; i < rs->n; i++)
		reader_release(&rs->r[i]);
	ASSERT_TRUE(gather(&rs->ended, rs->n, PATIENCE));
	for (unsigned i = 0; i < rs->n; i++)
		reader_join(&rs->r[i]);
	EXPECT_EQ(rs->ended, rs->n);
	free(rs->r);
}

/* ---- threads that compute ---- */

static void *compute(void *arg)
{
	struct loop *l = arg;

	count_up(&l->begun);
	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED))
		;
	return arg;
}

void loops_start(struct loop *l)
{
	*l = (struct loop){.n = perch_workers() + 1};
	ASSERT_LE(l->n, sizeof(l->thread) / sizeof(l->thread[0]));
	for (unsigned i = 0; i < l->n; i++)
		ASSERT_EQ(perch_create(&l->thread[i], NULL, compute, l), 0);
	ASSERT_TRUE(gather(&l->begun, l->n, PATIENCE));
}

void loops_end(struct loop *l)
{
	__atomic_store_n(&l->stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < l->n; i++)
		ASSERT_EQ(perch_join(l->thread[i], NULL), 0);
}

/* ---- others ---- */

#define TURNS 20
#define KINDS 6

struct others {
	perch_chan_t *chan;
	perch_sem_t ticks;
	uint32_t ended;
};

static void *same(void *arg)
{
	return arg;
}

static void *creates(void *arg)
{
	struct others *o = arg;

	for (uintptr_t i = 0; i < TURNS; i++) {
		void *result;
		perch_t t;

		ASSERT_EQ(perch_create(&t, NULL, same, (void *)i), 0);
		ASSERT_EQ(perch_join(t, &result), 0);
		ASSERT_EQ((uintptr_t)result, i);
	}
	count_up(&o->ended);
	return arg;
}

static void *yields_and_sleeps(void *arg)
{
	struct others *o = arg;

	for (int i = 0; i < TURNS; i++) {
		perch_yield();
		ASSERT_EQ(perch_sleep(100000), 0);
	}
	count_up(&o->ended);
	return arg;
}

static void *sends(void *arg)
{
	struct others *o = arg;

	for (int i = 0; i < TURNS; i++)
		ASSERT_EQ(perch_chan_send(o->chan, &i), 0);
	count_up(&o->ended);
	return arg;
}

static void *receives(void *arg)
{
	struct others *o = arg;

	for (int i = 0; i < TURNS; i++) {
		int got;

		ASSERT_EQ(perch_chan_recv(o->chan, &got), 1);
		ASSERT_EQ(got, i);
	}
	count_up(&o->ended);
	return arg;
}

struct tree {
	unsigned depth, leaves;
};

static void grow(void *arg)
{
	struct tree *t = arg, left = {t->depth - 1, 0}, right = {t->depth - 1, 0};
	perch_call_t call;

	if (!t->depth) {
		t->leaves = 1;
		return;
	}
	ASSERT_EQ(perch_fork(&call, grow, &left), 0);
	grow(&right);
	ASSERT_EQ(perch_sync(&call), 0);
	t->leaves = left.leaves + right.leaves;
}

static void *grows(void *arg)
{
	struct others *o = arg;
	struct tree t = {12, 0};

	grow(&t);
	ASSERT_EQ(t.leaves, 1 << 12);
	count_up(&o->ended);
	return arg;
}

static void tick(void *arg)
{
	perch_sem_post(arg);
}

static void *waits_for_timer(void *arg)
{
	struct others *o = arg;
	perch_timer_t timer;

	ASSERT_EQ(perch_timer_init(&timer, tick, &o->ticks), 0);
	ASSERT_EQ(perch_timer_start(&timer, 100000, 1000000), 0);
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(perch_sem_wait(&o->ticks), 0);
	ASSERT_EQ(perch_timer_destroy(&timer), 0);
	count_up(&o->ended);
	return arg;
}

bool others_go_on(void)
{
	static void *(*const fn[KINDS])(void *) = {creates, yields_and_sleeps, sends, receives, grows, waits_for_timer};
	struct others *o = calloc(1, sizeof(*o));
	perch_t t[KINDS];

	ASSERT_NE(o, NULL);
	ASSERT_EQ(perch_sem_init(&o->ticks, 0, 0), 0);
	ASSERT_EQ(perch_chan_create(&o->chan, sizeof(int), 0), 0);
	for (int i = 0; i < KINDS; i++)
		ASSERT_EQ(perch_create(&t[i], NULL, fn[i], o), 0);
	if (!gather(&o->ended, KINDS, PATIENCE)) {
		harness_log("only %u of %d have ended", o->ended, KINDS);
		return false;
	}
	for (int i = 0; i < KINDS; i++)
		ASSERT_EQ(perch_join(t[i], NULL), 0);
	ASSERT_EQ(perch_chan_destroy(o->chan), 0);
	free(o);
	return true;
}

/* ---- the pthreads of this process ---- */

struct status {
	pid_t tid;
	char name[32];
	uint64_t blocked;
	unsigned long switches;
};

/* False: it has ended. */
static bool read_status(const char *tid, struct status *s)
{
	char path[300], line[200];
	bool whole = false;
	FILE *f;

	*s = (struct status){.tid = (pid_t)atoi(tid)};
	snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long long mask;

		sscanf(line, "Name:\t%31[^\n]", s->name);
		if (sscanf(line, "SigBlk:\t%llx", &mask) == 1)
			s->blocked = mask;
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &s->switches) == 1)
			whole = true;
	}
	if (f)
		fclose(f);
	return whole;
}

static void each(void (*fn)(const struct status *s, void *arg), void *arg)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	struct status s;

	ASSERT_NE(d, NULL);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && read_status(e->d_name, &s))
			fn(&s, arg);
	closedir(d);
}

static void add(const struct status *s, void *arg)
{
	struct pthreads *p = arg;

	p->all++;
	p->monitors += !strcmp(s->name, "perch-monitor");
	p->lookouts += !strcmp(s->name, "perch-lookout");
	if (s->tid != gettid())
		p->switches += s->switches;
}

struct pthreads pthreads_now(void)
{
	struct pthreads p = {0};

	each(add, &p);
	return p;
}

struct visit {
	void (*fn)(const char *name, uint64_t blocked, void *arg);
	void *arg;
};

static void show(const struct status *s, void *arg)
{
	struct visit *v = arg;

	v->fn(s->name, s->blocked, v->arg);
}

void pthreads_each(void (*fn)(const char *name, uint64_t blocked, void *arg), void *arg)
{
	struct visit v = {fn, arg};

	each(show, &v);
}
