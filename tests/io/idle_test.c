/* SPDX-License-Identifier: MIT */
/* idle_test.c - who looks for I/O: workers that sleep, workers that are busy; and nobody when there
 * is nothing to be seen. */
#include <dirent.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "core/thread/trim.h"
#include "tests/io/io.h"
#include "tests/see/dumped.h"

RUNTIME_FIXTURE(idle_io)
FIXTURE_VARIANT_ADD(idle_io, no_monitor){{.workers = 2, .handoff = PERCH_HANDOFF_OFF}};

struct wait {
	int end[2];
	uint32_t began, through, over;
};

static void *read_one(void *arg)
{
	struct wait *w = arg;
	char c;

	count_up(&w->began);
	EXPECT_EQ(perch_read(w->end[0], &c, 1), 1);
	count_up(&w->through);
	return NULL;
}

/* ---- an idle process ---- */

static long switches_of(const char *tid)
{
	char path[300], line[200];
	long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* Of all pthreads but this one. */
static long switches(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	long n = 0;

	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != (int)syscall(SYS_gettid))
			n += switches_of(e->d_name);
	closedir(d);
	return n;
}

TEST_F(idle_io, nobody_wakes_up)
{
	struct wait w[5] = {{{0, 0}, 0, 0, 0}};
	struct crowd c = {0};
	uint64_t until = harness_now() + 20000000000u;
	/* the thread sanitizer's own pthread has a clock */
	const long most = SANITIZER_THREAD ? 100 : 0;
	long before, after;

	for (int i = 0; i < 5; i++) {
		make_pair(i % 3, w[i].end);
		crowd_add(&c, 2, 0, read_one, &w[i]);
	}
	ASSERT_TRUE(until_io_waiters(10));
	/* one sleeps in the kernel for it, before long */
	while (!__atomic_load_n(&idle_io_watched, __ATOMIC_ACQUIRE) && harness_now() < until)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	EXPECT_EQ(__atomic_load_n(&idle_io_watched, __ATOMIC_ACQUIRE), 1);
	/* what nobody needs is given back first, for some seconds */
	while (trim_wanted() && harness_now() < until)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	EXPECT_FALSE(trim_wanted());
	/* On a busy machine it takes a while until all have come to rest: whoever wakes up by
	 * itself, now and then, is never found asleep for a whole two seconds. */
	do {
		before = switches();
		nanosleep(&(struct timespec){2, 0}, NULL);
		after = switches();
	} while (after - before > most && harness_now() < until);
	EXPECT_GT(before, 0);
	EXPECT_LE(after - before, most);
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(write(w[i].end[1], "xy", 2), 2);
	crowd_join(&c);
	for (int i = 0; i < 5; i++)
		close_pair(w[i].end);
}

/* ---- wakes of every kind, while a worker sleeps in the kernel for I/O ---- */

static void *nap(void *arg)
{
	for (int i = 0; i < 20; i++) {
		uint64_t until = harness_now() + 1000000;

		ASSERT_EQ(perch_sleep(1000000), 0);
		ASSERT_GE(harness_now(), until);
	}
	return arg;
}

static void *pass_on(void *arg)
{
	perch_chan_t **c = arg;
	int n;

	while (perch_chan_recv(c[0], &n) == 1)
		ASSERT_EQ(perch_chan_send(c[1], &n), 0);
	return NULL;
}

TEST_F(idle_io, timers_and_wakes_beside_it)
{
	struct wait w = {.began = 0};
	struct crowd c = {0}, others = {0};
	perch_chan_t *chan[2];

	make_pair(SOCKETS, w.end);
	crowd_add(&c, 3, 0, read_one, &w);
	ASSERT_TRUE(until_io_waiters(3));
	crowd_add(&others, 3, 0, nap, NULL);
	crowd_join(&others);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(perch_chan_create(&chan[i], sizeof(int), 0), 0);
	crowd_add(&others, 1, 0, pass_on, chan);
	for (int i = 0, n; i < 300; i++) {
		if (i % 10 == 0)
			nanosleep(&(struct timespec){0, 1000000}, NULL); /* all sleep again */
		ASSERT_EQ(perch_chan_send(chan[0], &i), 0);
		ASSERT_EQ(perch_chan_recv(chan[1], &n), 1);
		ASSERT_EQ(n, i);
	}
	perch_chan_close(chan[0]);
	crowd_join(&others);
	for (int i = 0; i < 2; i++)
		perch_chan_destroy(chan[i]);
	EXPECT_EQ(__atomic_load_n(&w.through, __ATOMIC_ACQUIRE), 0);
	EXPECT_EQ(write(w.end[1], "xyz", 3), 3);
	crowd_join(&c);
	close_pair(w.end);
}

/* ---- busy workers ---- */

static void *yield_on(void *arg)
{
	struct wait *w = arg;

	while (!__atomic_load_n(&w->over, __ATOMIC_ACQUIRE))
		perch_yield();
	return NULL;
}

TEST_F(idle_io, busy_workers_look)
{
	struct wait w = {.began = 0};
	struct crowd c = {0};

	make_pair(SOCKETS, w.end);
	crowd_add(&c, 8, 0, yield_on, &w);
	crowd_add(&c, 5, 0, read_one, &w);
	ASSERT_TRUE(gather(&w.began, 5, 20));
	for (uint32_t i = 1; i <= 5; i++) {
		EXPECT_EQ(write(w.end[1], "x", 1), 1);
		EXPECT_TRUE(gather(&w.through, i, 20));
	}
	__atomic_store_n(&w.over, 1, __ATOMIC_RELEASE);
	crowd_join(&c);
	close_pair(w.end);
}

/* One computes, and looks at nothing; another worker is there. */
static void *compute(void *arg)
{
	struct wait *w = arg;

	count_up(&w->began);
	while (!__atomic_load_n(&w->over, __ATOMIC_ACQUIRE))
		;
	return NULL;
}

TEST_F(idle_io, an_idle_worker_looks_while_another_computes)
{
	struct wait w = {.began = 0};
	struct crowd c = {0};

	if (perch_workers() < 2)
		SKIP("there is one worker");
	make_pair(SOCKETS, w.end);
	crowd_add(&c, 1, 0, read_one, &w);
	ASSERT_TRUE(until_io_waiters(1));
	crowd_add(&c, 1, 0, compute, &w);
	ASSERT_TRUE(gather(&w.began, 2, 20));
	for (uint32_t i = 1; i <= 20; i++) {
		EXPECT_EQ(write(w.end[1], "x", 1), 1);
		ASSERT_TRUE(gather(&w.through, i, 20));
		crowd_add(&c, 1, 0, read_one, &w);
		ASSERT_TRUE(gather(&w.began, 2 + i, 20));
	}
	__atomic_store_n(&w.over, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(write(w.end[1], "x", 1), 1);
	crowd_join(&c);
	close_pair(w.end);
}

/*
 * The one that waits parks, and its worker goes on to compute, while the others sleep, and have
 * begun to when there was no I/O. What it computes is pinned there, so nobody was woken for it.
 */
struct pair {
	int end[2];
	perch_sem_t go;
	pid_t tid;
	uint32_t apart, over;
};

static void *compute_when_told(void *arg)
{
	struct pair *p = arg;

	ASSERT_EQ(perch_pin(), 0);
	__atomic_store_n(&p->tid, gettid(), __ATOMIC_RELEASE);
	ASSERT_EQ(perch_sem_wait(&p->go), 0);
	while (!__atomic_load_n(&p->over, __ATOMIC_ACQUIRE))
		;
	EXPECT_EQ(perch_unpin(), 0);
	return NULL;
}

static void *tell_and_wait(void *arg)
{
	struct pair *p = arg;
	uint64_t until;
	char c;

	/* onto the other's worker, if chance will have it */
	for (int i = 0; i < 1000 && gettid() != __atomic_load_n(&p->tid, __ATOMIC_ACQUIRE); i++)
		perch_yield();
	ASSERT_EQ(perch_pin(), 0);
	p->apart = gettid() != __atomic_load_n(&p->tid, __ATOMIC_ACQUIRE);
	until = harness_now() + 30000000; /* all others fall asleep */
	while (harness_now() < until)
		;
	ASSERT_EQ(perch_sem_post(&p->go), 0);
	EXPECT_EQ(perch_unpin(), 0);
	EXPECT_EQ(perch_read(p->end[0], &c, 1), 1);
	__atomic_store_n(&p->over, 1, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(idle_io, a_worker_that_goes_on_to_compute)
{
	unsigned together = 0;

	if (perch_workers() < 2)
		SKIP("there is one worker");
	for (int i = 0; i < 10; i++) {
		struct pair p = {.go = PERCH_SEM_INIT(0)};
		struct crowd c = {0};

		make_pair(i % 3, p.end);
		crowd_add(&c, 1, 0, compute_when_told, &p);
		crowd_add(&c, 1, 0, tell_and_wait, &p);
		ASSERT_TRUE(until_io_waiters(1));
		EXPECT_EQ(write(p.end[1], "x", 1), 1);
		crowd_join(&c); /* the one that computes goes on until the other has read */
		together += !p.apart;
		close_pair(p.end);
	}
	harness_log("%u of 10 on one worker", together);
}

/* ---- what is seen of it ---- */

TEST_F(idle_io, a_dump_says_what_is_waited_for)
{
	struct wait w = {.began = 0};
	struct crowd c = {0};
	char *text = NULL, expected[60];
	uint64_t end = harness_now() + 10000000000u;

	make_pair(PIPE, w.end);
	crowd_add(&c, 2, 1, read_one, &w);
	ASSERT_TRUE(until_io_waiters(3));
	/* those who are counted may still be about to park */
	do {
		free(text);
		text = dump();
	} while (!strstr(text, "2 threads wait in read, ") && harness_now() < end);
	EXPECT_CONTAINS(text, "2 threads wait in read, ");
	EXPECT_CONTAINS(text, "which is no worker, waits in read, ");
	snprintf(expected, sizeof(expected), ", at descriptor %d;", w.end[0]);
	EXPECT_CONTAINS(text, expected);
	free(text);
	EXPECT_EQ(write(w.end[1], "xyz", 3), 3);
	crowd_join(&c);
	close_pair(w.end);
}

/* Nobody but the kernel can wake it: that is no deadlock, though it would be one else. */
static void *wait_for_a_child(void *arg)
{
	struct wait *w = arg;
	char c;

	EXPECT_EQ(perch_read(w->end[0], &c, 1), 1);
	return NULL;
}

static void run_and_wait(void *arg)
{
	struct perch_config config = {.workers = 2};
	struct wait *w = arg;

	if (perch_run(&config, wait_for_a_child, w, NULL))
		_exit(9);
}

TEST(io_is_no_deadlock)
{
	struct harness_captured captured;
	struct wait w = {.began = 0};
	pid_t writer;

	make_pair(PIPE, w.end);
	writer = fork();
	if (!writer) {
		sleep(1); /* twenty times as long as a deadlock must last */
		_exit(write(w.end[1], "x", 1) != 1);
	}
	ASSERT_EQ(harness_capture(&captured, run_and_wait, &w), 0);
	EXPECT_EQ(captured.status, 0);
	EXPECT_STREQ(captured.text, "");
	harness_release(&captured);
	close_pair(w.end);
}
